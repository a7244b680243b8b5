import { nextDocuments, readableText } from "../evaluation/shared/language_model.ts";
import { askNeedles } from "../evaluation/needle.ts";
import type { NeedleEvaluation, ResolvedExperiment } from "../experiment/declaration.ts";
import { defaultChronicle } from "../text/chronicle/config.ts";
import { chronicleWording, englishWording, writeNeedleTexts } from "../text/needle.ts";
import { type EvaluationSteps, promptOptions } from "./evaluation_steps.ts";
import type { RunText } from "./corpus.ts";

/** Writes the texts of an evaluation of needles, and says how models are asked and measured. */
export function needleSteps(
  evaluation: NeedleEvaluation,
  { corpus, tokenizer }: Pick<ResolvedExperiment, "corpus" | "tokenizer">,
  text: RunText,
): EvaluationSteps {
  const { memory } = evaluation;
  const { sentence } = corpus.kind === "chronicle" ? corpus.config : defaultChronicle;
  const wording = tokenizer.kind === "chronicle"
    ? chronicleWording(sentence)
    : englishWording(text.tokenizer);
  const texts = writeNeedleTexts({ ...evaluation, wording });
  return {
    score: (model, scoring) =>
      askNeedles(model, texts, {
        ...promptOptions(evaluation, texts, scoring),
        chunkTokens: memory?.chunkTokens,
      }),
    others: () => nextDocuments(texts.map(({ reading }) => readableText(reading))),
  };
}
