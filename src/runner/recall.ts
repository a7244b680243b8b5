import { padId } from "../backbone/shape.ts";
import { nextDocuments } from "../evaluation/shared/language_model.ts";
import { countRecalls, recallSamples, scoreRecalls } from "../evaluation/recall.ts";
import type { RecallEvaluation } from "../experiment/declaration.ts";
import { cutDocument } from "../text/segments.ts";
import { type EvaluationSteps, readOptions } from "./evaluation_steps.ts";
import type { RunText } from "./corpus.ts";

/** Cuts the books of an evaluation of recall, and says how models read them and are measured. */
export async function recallSteps(
  evaluation: RecallEvaluation,
  text: RunText,
): Promise<EvaluationSteps> {
  const { contextTokens, split, maxDocuments } = evaluation;
  const books = await text.books(split);
  const documents = books.slice(0, maxDocuments).map((book) => ({
    ...cutDocument(book, { contextTokens, pad: padId }),
    recalls: book.recalls,
  }));
  return {
    score: async (model, scoring) =>
      recallSamples(
        await scoreRecalls(model, documents, readOptions(evaluation, documents, scoring)),
      ),
    others: () => nextDocuments(documents),
    ...(documents.length < books.length && {
      total: (measure) => countRecalls(measure, books, contextTokens) ?? books.length,
    }),
  };
}
