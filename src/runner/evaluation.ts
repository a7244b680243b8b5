import { checkOthers, evaluate } from "../evaluation/evaluate.ts";
import { kindOf, outdatedEvaluations } from "../evaluation/evaluations.ts";
import type { TrainedModels } from "../evaluation/model_kind.ts";
import { modelKindOf } from "../evaluation/models.ts";
import { EncodedMemories } from "../evaluation/shared/memory_cache.ts";
import type { ResolvedExperiment } from "../experiment/declaration.ts";
import type { Device } from "../runtime/device.ts";
import type { RunText } from "../text/corpora/corpus_kind.ts";
import type { RunContext } from "./run_context.ts";
import { withFrozen } from "./train_models.ts";

/**
 * Runs the evaluations of an experiment; models that an interrupted run has scored are not scored again, unless by an
 * older version of the metrics.
 */
export async function runEvaluations(
  experiment: ResolvedExperiment,
  trained: TrainedModels,
  texts: RunText,
  device: Device,
  { results, progress, signal }: RunContext,
): Promise<void> {
  await withFrozen(trained.backbone, "evaluation", async () => {
    const { evaluations, corpus, threads, seed } = experiment;
    for (const { name } of outdatedEvaluations(evaluations, results.summary.metrics)) {
      progress.note(`${name} was measured by an older version of its metrics`);
      await results.dropMetrics(name);
    }
    const memories = new EncodedMemories(trained.backbone);
    for (const evaluation of evaluations) {
      await evaluate(evaluation, {
        ...{ corpus, texts, threads, trained, device, seed, memories, results, signal },
        report: (item) => progress.item(item),
      });
    }
  });
}

/**
 * Prepares the evaluations that read files of their own, or whose controls read other texts, and forgets them again, so that what is
 * wrong with a file and a missing text are found before anything is trained.
 *
 * @throws {Error} If a file is not in its form, or there are too few other texts.
 */
export async function checkEvaluations(
  { evaluations, corpus, threads, seed }: ResolvedExperiment,
  texts: RunText,
): Promise<void> {
  for (const evaluation of evaluations) {
    const kind = kindOf(evaluation);
    const readsOthers = evaluation.models.some((model) => modelKindOf(model).readsOthers);
    const files = await kind.files?.(evaluation) ?? [];
    if (!readsOthers && files.length === 0) continue;
    const items = await kind.prepare(evaluation, {
      ...{ corpus, texts, threads },
      recordHash: () => Promise.resolve(),
    });
    if (readsOthers) checkOthers(evaluation, items, seed);
  }
}
