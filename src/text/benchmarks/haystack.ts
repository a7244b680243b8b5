/**
 * Haystacks: the text among whose sentences a benchmark hides facts.
 */
import { InputRangeError } from "../../errors.ts";
import { splitPython } from "../python_space.ts";

/** Text whose sentences surround facts. */
export interface Haystack {
  /** Its sentences, in their order, each without white space at its ends. */
  readonly sentences: readonly string[];
}

/** The sentences of texts: they end at full stops, question and exclamation marks before white space, and at line breaks of `lines`. */
export function haystackOf(
  texts: readonly string[],
  { lines }: { readonly lines: boolean },
): Haystack {
  const sentences = texts.flatMap((text) =>
    text.split(lines ? /\n/ : /(?<=[.!?]["'\u2019\u201d)]*)\s+/)
      .map((sentence) => splitPython(sentence).join(" "))
      .filter((sentence) => sentence !== "")
  );
  if (sentences.length === 0) {
    throw new InputRangeError("Cannot hide facts in a text as it has no sentence");
  }
  return { sentences };
}

/**
 * Sentences from one on, in their order and from the beginning again after the last, without those that contain one of some words.
 *
 * @throws {RangeError} If every sentence contains one.
 */
export function* sentencesFrom(
  { sentences }: Haystack,
  first: number,
  without: readonly string[],
): Generator<string, never> {
  let passed = 0;
  for (let i = first;; i++) {
    const sentence = sentences[i % sentences.length];
    if (without.some((word) => sentence.includes(word))) {
      if (++passed < sentences.length) continue;
      throw new InputRangeError(
        `Cannot hide facts in a text as every sentence names one of ${without.join(", ")}`,
      );
    }
    passed = 0;
    yield sentence;
  }
}
