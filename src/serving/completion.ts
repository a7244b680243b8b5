/**
 * Completions: a prompt, perhaps scored, and the text that a model continues it with.
 */
import { InputRangeError } from "../errors.ts";
import { defined } from "../defined.ts";
import { generateTokens } from "../longmem/generation.ts";
import type { LongMemModel } from "../longmem/longmem_model.ts";
import { DecodeStream } from "../text/decode_stream.ts";
import type { TokenTexts } from "../text/token_texts.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import type { CompletionRequest, Prompt } from "./completion_request.ts";
import { padSegment, rememberTokens, segmentsOf, tokensBeforeWindow } from "./long_prompt.ts";
import type { ServedModel } from "./served_model.ts";
import { StopText } from "./stop_text.ts";
import { scoreToken, tokenName, type TokenScore } from "./token_scores.ts";

/** Reason for which a completion ended: at its end or a stop text, or at its length. */
export type FinishReason = "stop" | "length";

export interface CompletionPart {
  readonly text: string;
  /** Scores of the tokens of this part; empty where none are asked for. */
  readonly scores: readonly TokenScore[];
  /** Tokens that were generated for this part. */
  readonly generatedTokens: number;
  /** Only of the last part. */
  readonly finishReason?: FinishReason;
}

export interface PromptTokens {
  /** Token ids, with the token that begins a document where that is added. */
  readonly ids: Int32Array<ArrayBuffer>;
  /** How many of them, the first, the client did not send: 0 or 1. They are neither returned nor counted. */
  readonly added: number;
  /** The text; absent: ids were sent. */
  readonly text?: string;
}

/** Turns a prompt into token ids. Text is read after the token that begins a document, unless that is not wanted. */
export function promptTokens(
  prompt: Prompt,
  tokenizer: Pick<Tokenizer, "specialIds" | "encode">,
  { addSpecialTokens }: Pick<CompletionRequest, "addSpecialTokens">,
): PromptTokens {
  if (typeof prompt !== "string") return { ids: Int32Array.from(prompt), added: 0 };
  const before = addSpecialTokens ? [tokenizer.specialIds.bos] : [];
  return {
    ids: Int32Array.from([...before, ...tokenizer.encode(prompt)]),
    added: before.length,
    text: prompt,
  };
}

/** Model, memory and tokens for completing a prompt. */
export interface CompletionSurroundings extends ServedModel {
  /** The model with the memory that the completion reads, which is not changed. */
  readonly model: LongMemModel;
  readonly texts: TokenTexts;
  /** Whether an id may be generated. */
  readonly allows: (id: number) => boolean;
}

/**
 * Completes a prompt, part by part. Of a prompt longer than the window, the beginning is read into a copy of the memory; the
 * memory itself stays as it is.
 *
 * @param signal Ends it between two tokens or segments, with the reason of the signal.
 */
export async function* complete(
  surroundings: CompletionSurroundings,
  prompt: PromptTokens,
  request: CompletionRequest,
  signal: AbortSignal,
): AsyncGenerator<CompletionPart, void> {
  const { ids } = prompt, before = tokensBeforeWindow(ids.length, surroundings);
  if (before === 0) return yield* completeAfter(surroundings, prompt, request, signal);
  await using model = await surroundings.model.withOwnMemory({ copied: true });
  yield* completeAfter({ ...surroundings, model }, prompt, request, signal);
}

/** Completes a prompt with a model whose memory may be written to. */
async function* completeAfter(
  surroundings: CompletionSurroundings,
  prompt: PromptTokens,
  request: CompletionRequest,
  signal: AbortSignal,
): AsyncGenerator<CompletionPart, void> {
  const { model, tokenizer, contextTokens, texts, allows } = surroundings;
  const { ids } = prompt, { echo, logprobs, maxTokens, temperature, topP, seed } = request;
  const before = tokensBeforeWindow(ids.length, surroundings), likeliest = logprobs ?? 0;
  let offset = 0, promptLogits: Float32Array | undefined;
  if (echo && logprobs !== undefined) {
    const { scores, last } = await scorePrompt(surroundings, prompt, { likeliest, signal });
    promptLogits = last;
    const text = echoedText(texts, prompt);
    offset = text.length;
    yield { text, scores, generatedTokens: 0 };
  } else {
    await rememberTokens(model, ids.subarray(0, before), { ...surroundings, signal });
    if (echo) yield { text: echoedText(texts, prompt), scores: [], generatedTokens: 0 };
  }
  const stream = prompt.text === undefined
    ? new DecodeStream(tokenizer, texts.readable(ids))
    : DecodeStream.after(tokenizer, prompt.text);
  const stops = new StopText(request.stop), end = tokenizer.specialIds.eos;
  let isEnded = false;
  if (maxTokens > 0) {
    signal.throwIfAborted();
    const tokens = generateTokens(model, {
      prompt: ids.subarray(before),
      tokens: maxTokens,
      contextTokens,
      temperature,
      topP,
      seed,
      allows,
      end,
      ...defined({ promptLogits }),
    });
    for await (const { id, logits } of tokens) {
      signal.throwIfAborted();
      isEnded = id === end;
      const part = isEnded ? "" : stream.add(id);
      const scores = logprobs === undefined
        ? []
        : [{ ...scoreToken(logits, id, { texts, likeliest }), offset }];
      offset += part.length;
      yield { text: stops.add(part), scores, generatedTokens: 1 };
      if (stops.isStopped) break;
    }
  }
  const rest = stops.add(stream.end()) + stops.end();
  const finishReason = isEnded || stops.isStopped ? "stop" : "length";
  yield { text: rest, scores: [], generatedTokens: 0, finishReason };
}

function echoedText(texts: TokenTexts, { ids, text }: PromptTokens): string {
  return text ?? texts.decode(ids);
}

/**
 * Scores the tokens of a prompt, and writes those before the window to the memory: a segment's tokens see those before them in
 * the segment, and what the memory holds. The first token of a segment is scored from the last one of the segment before.
 *
 * @returns Scores of the tokens that the client sent, and the logits [V] after the last one.
 */
async function scorePrompt(
  surroundings: CompletionSurroundings,
  { ids, added, text: sent }: PromptTokens,
  { likeliest, signal }: { likeliest: number; signal: AbortSignal },
): Promise<{ scores: TokenScore[]; last: Float32Array }> {
  const { model, tokenizer, contextTokens, texts } = surroundings;
  const { vocabSize: V } = model.backboneShape;
  const before = tokensBeforeWindow(ids.length, surroundings);
  const stream = new DecodeStream(tokenizer), scores: TokenScore[] = [];
  let offset = 0, last = new Float32Array();
  const segments = [
    ...segmentsOf(before, surroundings),
    { start: before, end: ids.length },
  ];
  for (const { start, end } of segments) {
    signal.throwIfAborted();
    const { tokens, lengths } = padSegment(model, ids.subarray(start, end), contextTokens);
    const isWindow = start === before;
    const { logits } = await model.forward(tokens, { lengths, readOnly: isWindow });
    for (let t = start; t < end; t++) {
      // Logits of the token before: those of the segment before it, or of this one.
      const known = t === start ? last : logits.subarray((t - start - 1) * V, (t - start) * V);
      if (t >= added) {
        const score = known.length === 0
          ? { token: tokenName(texts, ids[t]) }
          : checkedScore(known, ids[t], { texts, likeliest });
        scores.push({ ...score, offset: Math.min(offset, sent?.length ?? Infinity) });
        if (texts.of(ids[t]) !== undefined) offset += stream.add(ids[t]).length;
      }
    }
    last = logits.slice((end - start - 1) * V, (end - start) * V);
  }
  return { scores, last };
}

/** @throws RangeError where the score is not finite, which JSON could not say. */
function checkedScore(
  logits: Float32Array,
  id: number,
  options: { texts: TokenTexts; likeliest: number },
): Omit<TokenScore, "offset"> {
  const score = scoreToken(logits, id, options);
  if (Number.isFinite(score.logprob)) return score;
  throw new InputRangeError(
    `Cannot score token ${id} as its log-likelihood must be finite: current value is ${score.logprob}`,
  );
}
