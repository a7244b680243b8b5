import type { Tokenizer } from "../../src/text/tokenizer.ts";
import { assert } from "../testing.ts";

/** A tokenizer of words between blanks, line ends among them; the first three are `<s>`, `<pad>` and `</s>`. */
export function wordTokenizer(vocabulary: string) {
  const words = vocabulary.split(" ");
  const idOf = (word: string) => words.indexOf(word);
  const tokenizer: Tokenizer = {
    vocabSize: words.length,
    specialIds: { bos: 0, pad: 1, eos: 2 },
    hash: "words",
    encode: (text) =>
      text.split(/ |(?<=\n)|(?=\n)/).filter((word) => word !== "").map((word) => {
        assert.ok(words.includes(word), `"${word}"`);
        return idOf(word);
      }),
    decode: (ids) => Array.from(ids, (id) => id < 3 ? "" : words[id]).join(" "),
  };
  /** Words of ids, special tokens among them. */
  const shown = (ids: ArrayLike<number>) => Array.from(ids, (id) => words[id]).join(" ");
  return { words, idOf, tokenizer, shown };
}
