import { padId } from "../backbone/shape.ts";
import { nextDocuments } from "../evaluation/shared/language_model.ts";
import { perplexitySamples, scoreDocuments } from "../evaluation/perplexity.ts";
import type { PerplexityEvaluation } from "../experiment/declaration.ts";
import { cutDocument } from "../text/segments.ts";
import { type EvaluationSteps, readOptions } from "./evaluation_steps.ts";
import type { RunText } from "./corpus.ts";

/** Cuts the documents of an evaluation of perplexity, and says how models read them and are measured. */
export async function perplexitySteps(
  evaluation: PerplexityEvaluation,
  text: RunText,
): Promise<EvaluationSteps> {
  const { contextTokens, split, maxDocuments } = evaluation;
  const all = await text.documents(split);
  const documents = all.slice(0, maxDocuments).map((document) => ({
    ...cutDocument(document, { contextTokens, pad: padId }),
    gpt2Tokens: document.gpt2Tokens,
  }));
  return {
    score: async (model, scoring) =>
      perplexitySamples(
        await scoreDocuments(model, documents, readOptions(evaluation, documents, scoring)),
      ),
    others: () => nextDocuments(documents),
    ...(documents.length < all.length && { total: () => all.length }),
  };
}
