import { padId } from "../backbone/shape.ts";
import { nextDocuments } from "../evaluation/shared/language_model.ts";
import { recallMetrics, recallSamples, scoreRecalls } from "../evaluation/recall.ts";
import type { RecallEvaluation } from "../experiment/declaration.ts";
import { cutDocument } from "../text/segments.ts";
import { type EvaluationSteps, readOptions } from "./evaluation_steps.ts";
import type { RunText } from "./corpus.ts";

/** Cuts the books of an evaluation of recall, and says how models read them and are measured. */
export async function recallSteps(
  evaluation: RecallEvaluation,
  text: RunText,
): Promise<EvaluationSteps> {
  const { contextTokens, name, split, maxDocuments } = evaluation;
  const all = await text.documents(split);
  const books = await text.books(split); // the same documents, with their recalls
  const documents = all.slice(0, maxDocuments).map((document, i) => ({
    ...cutDocument(document, { contextTokens, pad: padId }),
    recalls: books[i].recalls,
  }));
  return {
    score: async (model, scoring) =>
      recallSamples(
        await scoreRecalls(model, documents, readOptions(evaluation, documents, scoring)),
      ),
    others: () => nextDocuments(documents),
    measure: (model, samples, baseline) =>
      recallMetrics({ evaluation: name, model }, samples, {
        ...(documents.length < all.length ? { all: books } : {}),
        ...(baseline ? { baseline } : {}),
      }),
  };
}
