import { architectureOf } from "../backbone/architectures.ts";
import type { BackboneShape } from "../backbone/shape.ts";
import { InputRangeError } from "../errors.ts";
import type { Tokenizer } from "../text/tokenizer.ts";

/**
 * Checks that a backbone has an embedding for every id of a tokenizer, and that no text has an id that the architecture takes for
 * padding: it would neither be read nor learnt.
 *
 * @param of Which tokenizer and which backbone, for the error: `the tokenizer with "gpt2"`.
 * @param isExact Whether it may have no others: vocabularies that are never padded are of one size.
 * @throws {RangeError} Where it has not.
 */
export function checkVocabulary(
  tokenizer: Pick<Tokenizer, "vocabSize" | "specialIds">,
  shape: BackboneShape,
  { of, isExact = false }: { readonly of: string; readonly isExact?: boolean },
): void {
  const fits = isExact
    ? shape.vocabSize === tokenizer.vocabSize
    : shape.vocabSize >= tokenizer.vocabSize;
  if (!fits) {
    throw new InputRangeError(
      `Cannot use ${of} as the backbone's vocabulary must ${isExact ? "be" : "hold"} ` +
        `the tokenizer's ${tokenizer.vocabSize} tokens: current size is ${shape.vocabSize}`,
    );
  }
  const { name, padId } = architectureOf(shape), { pad } = tokenizer.specialIds;
  if (padId === undefined || pad === padId) return;
  throw new InputRangeError(
    `Cannot use ${of} as architecture "${name}" takes id ${padId} for padding wherever it stands: ` +
      `current padding of the tokenizer is ${
        pad ?? "none"
      }, allowed are ${padId} and other architectures`,
  );
}
