import type { Tokenizer } from "../../src/text/tokenizer.ts";

/** A token for each character below the size of the vocabulary; the first four stand for no text. */
export function characterTokenizer(vocabSize: number): Tokenizer {
  return {
    vocabSize,
    specialIds: { bos: 0, pad: 1, eos: 2, unk: 3 },
    hash: "characters",
    encode: (text) => Array.from(text, (character) => character.charCodeAt(0)),
    decode: (ids) => String.fromCharCode(...Array.from(ids).filter((id) => id > 3)),
  };
}
