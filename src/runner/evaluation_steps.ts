/**
 * What an evaluation does with each of its models, whichever they are.
 */
import { padId } from "../backbone/shape.ts";
import type { PromptedModel, ReadableDocument } from "../evaluation/shared/language_model.ts";
import type { PromptOptions } from "../evaluation/shared/prompting.ts";
import type { ReadOptions } from "../evaluation/shared/read_documents.ts";
import { measuresOf } from "../evaluation/evaluation_kind.ts";
import { kindOf } from "../evaluation/evaluations.ts";
import { type Measure, metricsOf } from "../evaluation/measure.ts";
import type {
  EvaluatedModel,
  EvaluationConfig,
  ModelEvaluation,
} from "../experiment/declaration.ts";
import { modelName } from "../experiment/model_name.ts";
import type { SampleRecord } from "../results/records.ts";
import type { EvaluationUnit } from "./run_context.ts";
import type { RunContext } from "./run_context.ts";

/** While a model is scored. */
export interface Scoring {
  readonly signal: AbortSignal;
  /** Told how much is done, of how much, and of what. */
  readonly report: (done: number, total: number, unit: EvaluationUnit) => void;
}

/** What an evaluation does with each of its models. */
export interface EvaluationSteps {
  /** Whether texts are read once, about which all rows are asked; absent: each row reads for itself. */
  readonly readsOnce?: true;
  /** Has a model read and answer all items: a record for each. */
  readonly score: (model: PromptedModel, scoring: Scoring) => Promise<SampleRecord[]>;
  /** What the control reads in the place of each item. */
  readonly others: () => readonly ReadableDocument[];
  /** Items there are for a measure; undefined where all are scored. */
  readonly total?: (measure: Measure) => number | undefined;
  /** Records of baselines that take no model, measured with the first one. */
  readonly withoutModel?: Readonly<Record<string, readonly SampleRecord[]>>;
}

/** How an evaluation reads whole documents. */
export function readOptions(
  { name, batchSize, memory }: Pick<ModelEvaluation, "name" | "batchSize" | "memory">,
  documents: readonly unknown[],
  { signal, report }: Scoring,
): ReadOptions {
  const rows = memory?.bank === "shared" ? 1 : Math.min(batchSize, documents.length);
  return {
    evaluation: name,
    rows,
    pad: padId,
    signal,
    onTargets: (read, total) => report(read, total, "tokens"),
  };
}

/** How an evaluation asks prompts of texts that are read once, for all rows. */
export function onceReadOptions(
  { name, batchSize }: Pick<ModelEvaluation, "name" | "batchSize">,
  { signal, report }: Scoring,
): Omit<PromptOptions, "memory"> {
  const onPrompts = (asked: number, total: number) => report(asked, total, "prompts");
  return { evaluation: name, rows: batchSize, pad: padId, signal, onPrompts };
}

/** How an evaluation asks prompts of texts that are read into a memory each. */
export function promptOptions(
  evaluation: Pick<ModelEvaluation, "name" | "batchSize" | "memory">,
  items: readonly unknown[],
  scoring: Scoring,
): PromptOptions {
  const options = onceReadOptions(evaluation, scoring);
  return evaluation.memory?.bank === "shared"
    ? { ...options, memory: "shared" }
    : { ...options, memory: "per-row", rows: Math.min(options.rows, items.length) };
}

/** Measures the models of an evaluation that have not been measured, one after the other; the first is the baseline of the others. */
export async function measureModels(
  evaluation: EvaluationConfig,
  { results, progress, signal }: Pick<RunContext, "results" | "progress" | "signal">,
  { score, total = () => undefined, withoutModel = {} }:
    & Pick<EvaluationSteps, "total" | "withoutModel">
    & {
      /** Scores all items of a model: a record for each. */
      readonly score: (declared: EvaluatedModel, scoring: Scoring) => Promise<SampleRecord[]>;
    },
): Promise<void> {
  const { name, models } = evaluation;
  const kind = kindOf(evaluation);
  const first = modelName(models[0]);
  const measured = models.map(modelName).filter((model) =>
    results.summary.metrics.some((metric) => metric.evaluation === name && metric.model === model)
  );
  const recorded = await results.keepSamples(name, measured);
  const scored = Map.groupBy<string, SampleRecord>(recorded, ({ model }) => String(model));
  const measure = (samples: readonly SampleRecord[]) => measuresOf(kind, samples, evaluation);
  let baseline: Measure[] | undefined;
  for (const declared of models) {
    const model = modelName(declared);
    if (scored.has(model)) continue;
    const report: Scoring["report"] = (items, total, unit) =>
      progress.item({ evaluation: name, model, items, total, unit });
    const samples = await score(declared, { signal, report });
    await results.appendSamples(name, model, samples);
    scored.set(model, samples);
    const labels = { evaluation: name, version: kind.version, total };
    baseline ??= measure(scored.get(first)!);
    await results.recordMetrics([
      ...metricsOf(
        model === first ? baseline : measure(samples),
        { ...labels, model },
        ...(model === first ? [] : [{ model: first, measures: baseline }]),
      ),
      ...(model === first
        ? Object.entries(withoutModel).flatMap(([model, samples]) =>
          metricsOf(measure(samples), { ...labels, model })
        )
        : []),
    ]);
  }
}
