import type { PerplexityDocument } from "../../src/evaluation/perplexity.ts";
import { Random } from "../../src/random.ts";
import { cutDocument } from "../../src/text/segments.ts";

/** Id of `<pad>`. */
export const pad = 1;

/** Documents of random tokens from 4 to 12, cut into segments; `lengths` are their targets. */
export function randomDocuments(
  lengths: readonly number[],
  options: { contextTokens: number; seed?: string },
): PerplexityDocument[] {
  const random = new Random(options.seed ?? "documents");
  return lengths.map((length, i) => {
    const tokens = Int32Array.from({ length: length + 1 }, () => 4 + random.below(9));
    const document = { name: `document ${i}`, tokens, words: 3 * i + 1 };
    const { contextTokens } = options;
    return { ...cutDocument(document, { contextTokens, pad }), gpt2Tokens: 1000 * i };
  });
}
