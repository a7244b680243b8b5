/**
 * Measures the models of an evaluation.
 */
import type { RunFolder } from "../results/run_folder.ts";
import type { SampleRecord } from "../results/records.ts";
import type { Device } from "../runtime/device.ts";
import {
  type EvaluationInputs,
  type EvaluationItems,
  type EvaluationUnit,
  measuresOf,
  type Scoring,
} from "./evaluation_kind.ts";
import { type EvaluationConfig, kindOf } from "./evaluations.ts";
import { type Measure, metricsOf } from "./measure.ts";
import type { ModelConfig, TrainedModels } from "./model_kind.ts";
import { modelKindOf, modelName } from "./models.ts";
import type { EncodedMemories } from "./shared/memory_cache.ts";

/** What an evaluation runs with. */
export interface EvaluationContext {
  readonly trained: TrainedModels;
  readonly device: Device;
  /** Memories that earlier evaluations have encoded. */
  readonly memories: EncodedMemories;
  /** Where results go. */
  readonly results: Pick<
    RunFolder,
    "summary" | "keepSamples" | "appendSamples" | "recordMetrics" | "recordHash"
  >;
  readonly signal: AbortSignal;
  /** Told how much of which model is done. */
  readonly report: (progress: {
    readonly evaluation: string;
    readonly model: string;
    readonly items: number;
    readonly total: number;
    readonly unit: EvaluationUnit;
  }) => void;
}

/** Prepares an evaluation and measures its models. */
export async function evaluate(
  evaluation: EvaluationConfig,
  context: EvaluationContext & Omit<EvaluationInputs, "recordHash">,
): Promise<void> {
  const items = await kindOf(evaluation).prepare(evaluation, {
    ...context,
    recordHash: (name, sha256) => context.results.recordHash(name, sha256),
  });
  await measureModels(evaluation, { ...context, items });
}

/** Measures the models of an evaluation that have not been measured, one after the other; the first is the baseline of the others. */
export async function measureModels(
  evaluation: EvaluationConfig,
  context: EvaluationContext & { readonly items: EvaluationItems },
): Promise<void> {
  const { items, results, signal } = context, { name, models } = evaluation;
  const kind = kindOf(evaluation);
  const score = async (model: ModelConfig, scoring: Scoring): Promise<SampleRecord[]> => {
    if ("scoreUnopened" in items) {
      const { device, trained } = context;
      return await items.scoreUnopened(model as never, { ...trained, device }, scoring);
    }
    const { others, readsOnce } = items, { contextTokens, memory } = evaluation;
    await using opened = await modelKindOf(model).open(model, context.trained, {
      name: modelName(model),
      device: context.device,
      contextTokens,
      memory,
      others,
      ...(readsOnce && { memories: context.memories }),
    });
    return await items.score(opened.model, scoring);
  };

  const first = modelName(models[0]);
  const measured = models.map(modelName).filter((model) =>
    results.summary.metrics.some((metric) => metric.evaluation === name && metric.model === model)
  );
  const recorded = await results.keepSamples(name, measured);
  const scored = Map.groupBy<string, SampleRecord>(recorded, ({ model }) => String(model));
  const measure = (samples: readonly SampleRecord[]) => measuresOf(kind, samples, evaluation);
  const { total = () => undefined, withoutModel = {} } = items;
  const labels = { evaluation: name, version: kind.version, total };
  let baseline: Measure[] | undefined;
  for (const declared of models) {
    const model = modelName(declared), isFirst = model === first;
    if (scored.has(model)) continue;
    const report: Scoring["report"] = (items, total, unit) =>
      context.report({ evaluation: name, model, items, total, unit });
    const samples = await score(declared, { signal, report });
    await results.appendSamples(name, model, samples);
    scored.set(model, samples);
    baseline ??= measure(scored.get(first)!);
    await results.recordMetrics([
      ...(isFirst
        ? metricsOf(baseline, { ...labels, model })
        : metricsOf(measure(samples), { ...labels, model }, { model: first, measures: baseline })),
      ...(isFirst
        ? Object.entries(withoutModel).flatMap(([model, samples]) =>
          metricsOf(measure(samples), { ...labels, model })
        )
        : []),
    ]);
  }
}
