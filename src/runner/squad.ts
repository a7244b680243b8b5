import { totalOfDraws } from "../evaluation/shared/few_shot_metrics.ts";
import { askQuestions, writeSquadEpisode } from "../evaluation/squad.ts";
import type { SquadEvaluation } from "../experiment/declaration.ts";
import { readSquad } from "../text/squad.ts";
import { type EvaluationSteps, onceReadOptions } from "./evaluation_steps.ts";
import type { RunContext } from "./run_context.ts";
import type { RunText } from "./corpus.ts";
import { InputTypeError } from "../errors.ts";

/** Writes the episodes of an evaluation of SQuAD, and says how models are asked and measured. */
export async function squadSteps(
  evaluation: SquadEvaluation,
  { tokenizer }: RunText,
  context: RunContext,
): Promise<EvaluationSteps> {
  const { folder, seeds, maxItems, maxAnswerTokens } = evaluation;
  const { shots, memoryDemonstrations, contextTokens } = evaluation;
  const data = await readSquad(folder);
  await context.results.recordHash("squad", data.hash);
  const episodes = seeds.map((seed) =>
    writeSquadEpisode(data, {
      tokenizer,
      seed,
      shots,
      memoryDemonstrations,
      contextTokens,
      maxAnswerTokens,
      ...(maxItems === undefined ? {} : { maxItems }),
    })
  );
  const questions = data.evaluated.reduce((sum, { questions }) => sum + questions.length, 0);
  return {
    readsOnce: true,
    score: (model, scoring) =>
      askQuestions(model, episodes, {
        ...onceReadOptions(evaluation, scoring),
        tokenizer,
        maxAnswerTokens,
      }),
    others: () => {
      throw new InputTypeError(
        "Cannot read the demonstrations of another task as SQuAD is a single one",
      );
    },
    ...((maxItems ?? questions) < questions && {
      total: (measure) => totalOfDraws(measure, () => questions),
    }),
  };
}
