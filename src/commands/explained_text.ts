/** Why a model generated its tokens, in lines of text. */
import type { LongMemModel } from "../longmem/longmem_model.ts";
import { explainToken, type TokenExplanation, totalShare } from "../longmem/passages.ts";
import type { RememberedText } from "../memory/memory_file.ts";
import { decodeContinuation } from "../text/decode_stream.ts";
import { textOf, type Tokenizer } from "../text/tokenizer.ts";
import { visibleText } from "../visible_text.ts";

/** Passages that are hidden in turn, and tokens around each that are shown. */
const passages = 4, around = 8;

export interface GeneratedText {
  /** Token ids of the prompt. */
  readonly prompt: readonly number[];
  /** Token ids that were generated. */
  readonly ids: readonly number[];
  readonly contextTokens: number;
  /** The texts that the memory has read. */
  readonly texts: readonly RememberedText[];
}

/**
 * Explains each generated token: its probability with the memory and without, and the passages that raise it, each with the
 * probability when that passage is hidden.
 */
export async function* explainText(
  model: LongMemModel,
  tokenizer: Tokenizer,
  { prompt, ids, contextTokens, texts }: GeneratedText,
): AsyncGenerator<string> {
  const all = Int32Array.from([...prompt, ...ids]);
  for (const [i, id] of ids.entries()) {
    const window = all.subarray(0, prompt.length + i);
    const explained = await explainToken(model, id, window, { contextTokens, passages });
    const { probability, without } = explained;
    const text = JSON.stringify(decodeContinuation(tokenizer, [...window], [id]));
    yield `${visibleText(text)}: ${percent(probability)} with the memory, ${
      percent(without)
    } without`;
    const { passages: read, withoutAll } = explained;
    const isLess = (other: number) =>
      percent(other) !== percent(probability) && other < probability;
    const raising = read.filter((passage) => isLess(passage.without));
    for (const passage of raising) yield `    ${passageLine(passage, { model, tokenizer, texts })}`;
    if (read.length > 1 && isLess(withoutAll)) {
      yield `    ${percent(withoutAll)} without the ${read.length} passages that are read most`;
    }
  }
}

function passageLine(
  passage: TokenExplanation["passages"][number],
  { model, tokenizer, texts }: {
    model: LongMemModel;
    tokenizer: Tokenizer;
    texts: readonly RememberedText[];
  },
): string {
  const { start, end, without } = passage;
  const decodable = (from: number, to: number) =>
    Array.from(model.rememberedIds({ start: Math.max(0, from), end: to }))
      .filter((id) => textOf(tokenizer, id) !== undefined);
  const before = decodable(start - around, start), read = decodable(start, end);
  const parts = [
    tokenizer.decode(before),
    "[",
    decodeContinuation(tokenizer, before, read),
    "]",
    decodeContinuation(tokenizer, [...before, ...read], decodable(end, end + around)),
  ];
  const text = visibleText(parts.join("").replaceAll(/\s+/g, " "));
  const share = totalShare(passage) / passage.shares.length;
  return `${percent(without)} without ${placeOf(passage, texts)}, ${
    percent(share)
  } of the heads' output: ${text}`;
}

/** Which tokens of which text a passage is. */
function placeOf(
  { start, end }: { start: number; end: number },
  texts: readonly RememberedText[],
): string {
  const text = texts.findLast((text) => text.start <= start);
  const first = start - (text?.start ?? 0), last = first + end - start - 1;
  return `tokens ${first}-${last} of ${visibleText(text?.name ?? "the memory")}`;
}

function percent(probability: number): string {
  return `${Number((100 * probability).toPrecision(3))} %`;
}
