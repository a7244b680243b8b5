import type { BackboneShape } from "../backbone/shape.ts";
import { InputRangeError } from "../errors.ts";
import type { Tokenizer } from "../text/tokenizer.ts";

/**
 * Checks that a backbone has an embedding for every id of a tokenizer.
 *
 * @param of Which tokenizer and which backbone, for the error: `the tokenizer with "gpt2"`.
 * @param isExact Whether it may have no others: vocabularies that are never padded are of one size.
 * @throws {RangeError} Where it has not.
 */
export function checkVocabulary(
  tokenizer: Pick<Tokenizer, "vocabSize">,
  shape: Pick<BackboneShape, "vocabSize">,
  { of, isExact = false }: { readonly of: string; readonly isExact?: boolean },
): void {
  const fits = isExact
    ? shape.vocabSize === tokenizer.vocabSize
    : shape.vocabSize >= tokenizer.vocabSize;
  if (fits) return;
  throw new InputRangeError(
    `Cannot use ${of} as the backbone's vocabulary must ${isExact ? "be" : "hold"} ` +
      `the tokenizer's ${tokenizer.vocabSize} tokens: current size is ${shape.vocabSize}`,
  );
}
