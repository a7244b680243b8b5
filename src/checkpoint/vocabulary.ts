import { architectureOf } from "../backbone/architectures.ts";
import type { BackboneShape } from "../backbone/shape.ts";
import { InputRangeError, isInputError } from "../errors.ts";
import { textOf, type Tokenizer } from "../text/tokenizer.ts";
import { openTokenizer, type TokenizerSource } from "../text/tokenizers/tokenizers.ts";

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

/**
 * Checks that the ids of a tokenizer stand for the same texts as those of the tokenizer that lies beside the weights, where there is
 * one that can be read, as far as both have them. Their special tokens may differ.
 *
 * @param findBeside Finds that one.
 * @param of Which tokenizer and which backbone, for the error.
 * @throws {RangeError} Where an id does not.
 */
export async function checkTokens(
  tokenizer: Tokenizer,
  findBeside: () => Promise<TokenizerSource | undefined>,
  { of }: { readonly of: string },
): Promise<void> {
  const beside = await openBeside(findBeside);
  if (!beside || tokenizer.hash === beside.hash) return;
  const special = new Set(
    [tokenizer, beside].flatMap(({ specialIds }) => Object.values(specialIds)),
  );
  for (let id = 0; id < Math.min(tokenizer.vocabSize, beside.vocabSize); id++) {
    const text = textOf(tokenizer, id), other = textOf(beside, id);
    if (special.has(id) || text === undefined || other === undefined || text === other) continue;
    throw new InputRangeError(
      `Cannot use ${of} as a different tokenizer lies beside them: ` +
        `current token ${id} is ${JSON.stringify(text)}, allowed is ${JSON.stringify(other)}`,
    );
  }
}

/** Opens a tokenizer; undefined where there is none, or none that this project reads. */
async function openBeside(
  find: () => Promise<TokenizerSource | undefined>,
): Promise<Tokenizer | undefined> {
  try {
    const source = await find();
    return source && await openTokenizer(source);
  } catch (error) {
    if (isInputError(error)) return undefined;
    throw error;
  }
}
