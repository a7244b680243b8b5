import { EncodedMemories } from "../evaluation/shared/memory_cache.ts";
import { outdatedEvaluations } from "../evaluation/evaluations.ts";
import type {
  EfficiencyEvaluation,
  EvaluationConfig,
  ResolvedExperiment,
} from "../experiment/declaration.ts";
import type { Device } from "../runtime/device.ts";
import { chapterBreakSteps } from "./chapter_break.ts";
import { evaluateEfficiency } from "./efficiency.ts";
import { type Evaluated, openModel } from "./evaluated_model.ts";
import { type EvaluationSteps, measureModels } from "./evaluation_steps.ts";
import { inContextLearningSteps } from "./in_context_learning.ts";
import { withFrozen } from "./train_models.ts";
import { needleSteps } from "./needle.ts";
import { perplexitySteps } from "./perplexity.ts";
import { recallSteps } from "./recall.ts";
import type { RunContext } from "./run_context.ts";
import { squadSteps } from "./squad.ts";
import type { RunText } from "./corpus.ts";

/**
 * Runs the evaluations of an experiment; models that an interrupted run has scored are not scored again, unless by an
 * older version of the metrics.
 */
export async function runEvaluations(
  experiment: ResolvedExperiment,
  evaluated: Evaluated,
  text: RunText,
  device: Device,
  context: RunContext,
): Promise<void> {
  await withFrozen(evaluated.backbone, "evaluation", async () => {
    const { evaluations, threads } = experiment;
    for (const { name } of outdatedEvaluations(evaluations, context.results.summary.metrics)) {
      context.progress.note(`${name} was measured by an older version of its metrics`);
      await context.results.dropMetrics(name);
    }
    const memories = new EncodedMemories(evaluated.backbone);
    for (const evaluation of evaluations) {
      if (evaluation.kind === "efficiency") {
        await evaluateEfficiency(evaluation, evaluated, { device: device.kind, threads, context });
        continue;
      }
      const { score, others, readsOnce, ...measuring } = await stepsOf(
        evaluation,
        experiment,
        text,
        context,
      );
      await measureModels(evaluation, context, {
        async score(declared, scoring) {
          await using opened = await openModel(declared, evaluation, evaluated, {
            device,
            others,
            ...(readsOnce ? { memories } : {}),
          });
          return await score(opened.model, scoring);
        },
        ...measuring,
      });
    }
  });
}

/** Prepares what an evaluation asks, and says how. */
async function stepsOf(
  evaluation: Exclude<EvaluationConfig, EfficiencyEvaluation>,
  experiment: ResolvedExperiment,
  text: RunText,
  context: RunContext,
): Promise<EvaluationSteps> {
  switch (evaluation.kind) {
    case "perplexity":
      return await perplexitySteps(evaluation, text);
    case "recall":
      return await recallSteps(evaluation, text);
    case "chapter-break":
      return await chapterBreakSteps(evaluation, experiment, text, context);
    case "in-context-learning":
      return await inContextLearningSteps(evaluation, experiment, text, context);
    case "squad":
      return await squadSteps(evaluation, text, context);
    case "needle":
      return needleSteps(evaluation, experiment, text);
    default:
      return evaluation satisfies never;
  }
}
