/**
 * The tokenizer of the chronicle: words that white space separates.
 */
import { specialTokens, type Tokenizer } from "../tokenizer.ts";
import { parseTokenizerJson, tokenizerJsonOf } from "../tokenizer_json.ts";
import { idOf, specialIds, vocabulary } from "./vocabulary.ts";

/** Writes the vocabulary of the chronicle as a `tokenizer.json`; `data/chronicle/tokenizer.json` holds it. */
export function formatChronicleTokenizer(): string {
  const json = JSON.stringify(
    tokenizerJsonOf({
      specialTokens: specialTokens.map((content, id) => ({ id, content })),
      preTokenizer: { type: "WhitespaceSplit" },
      decoder: null,
      model: {
        type: "WordLevel",
        vocab: Object.fromEntries(vocabulary.map((word, id) => [word, id])),
        unk_token: specialTokens[specialIds.unk],
      },
    }),
    undefined,
    1,
  );
  return `${json}\n`;
}

/** Opens the tokenizer of the chronicle, as `data/chronicle/tokenizer.json` would be opened. */
export function openChronicleTokenizer(): Tokenizer {
  return parseTokenizerJson(formatChronicleTokenizer(), { name: "chronicle" });
}

const sentenceEnd = idOf(".");

/** Text of a chronicle's tokens: a line for each sentence; `<s>` and `</s>` become nothing. */
export function formatText(tokens: ArrayLike<number>): string {
  let text = "", line = "";
  for (let i = 0; i < tokens.length; i++) {
    const id = tokens[i];
    if (id === specialIds.bos || id === specialIds.eos) continue;
    line += line === "" ? vocabulary[id] : ` ${vocabulary[id]}`;
    if (id !== sentenceEnd) continue;
    text += `${line}\n`;
    line = "";
  }
  return text + line;
}
