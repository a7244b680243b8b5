/**
 * Measures the models of an evaluation.
 */
import type { RunFolder } from "../results/run_folder.ts";
import type { Metric, SampleRecord } from "../results/records.ts";
import type { Device } from "../runtime/device.ts";
import {
  type EvaluationInputs,
  type EvaluationItems,
  type EvaluationUnit,
  measuresOf,
  type PromptedItems,
  type Scoring,
} from "./evaluation_kind.ts";
import { InputError, InputRangeError } from "../errors.ts";
import { type EvaluationConfig, kindOf } from "./evaluations.ts";
import { isRecorded, type Measure, metricsOf } from "./measure.ts";
import type { ModelConfig, OpeningContext, TrainedModels } from "./model_kind.ts";
import { modelKindOf, modelName, otherTextsOf } from "./models.ts";
import { otherReadings, type ReadableDocument } from "./shared/language_model.ts";
import type { EncodedMemories } from "./shared/memory_cache.ts";
import { severalOtherTexts } from "./shared/other_texts.ts";

/** Resources and settings with which an evaluation runs. */
export interface EvaluationContext {
  readonly trained: TrainedModels;
  readonly device: Device;
  /** Seed of the texts that controls read. */
  readonly seed: number;
  /** Memories that earlier evaluations have encoded. */
  readonly memories: EncodedMemories;
  readonly results: Pick<
    RunFolder,
    "summary" | "readSamples" | "keepSamples" | "appendSamples" | "recordMetrics" | "recordHash"
  >;
  readonly signal: AbortSignal;
  /** Told how much of which model is done. */
  readonly report: (progress: EvaluationProgress) => void;
}

/** Progress of an evaluation, reported after each item. */
export interface EvaluationProgress {
  readonly evaluation: string;
  readonly model: string;
  /** Items done. */
  readonly items: number;
  /** Items there will be. */
  readonly total: number;
  readonly unit: EvaluationUnit;
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
    const { contextTokens, memory } = evaluation;
    const scoreWith = async (others: OpeningContext["others"], scoring: Scoring) => {
      await using opened = await modelKindOf(model).open(model, context.trained, {
        name: modelName(model),
        device: context.device,
        contextTokens,
        memory,
        others,
        ...(kind.readsOnce && { memories: context.memories }),
      });
      return await items.score(opened.model, scoring);
    };
    const lists = severalOthers(model, evaluation, items, context.seed);
    if (!lists) return await scoreWith(() => othersOf(model, evaluation, items), scoring);
    const samples: SampleRecord[][] = [];
    for (const [i, others] of lists.entries()) {
      const report: Scoring["report"] = (done, total, unit) =>
        scoring.report(i * total + done, lists.length * total, unit);
      samples.push(await scoreWith(() => others, { ...scoring, report }));
    }
    return samples[0].map((_, i) => ({
      ...kind.average!(samples.map((records) => records[i])),
      texts: lists.length,
    }));
  };

  const measure = (samples: readonly SampleRecord[]) => measuresOf(kind, samples, evaluation);
  const { total = () => undefined, withoutModel = {} } = items;
  const labels = { evaluation: name, version: kind.version, total };
  const labelsOf = (config: ModelConfig) => ({
    ...labels,
    model: modelName(config),
    modelVersion: modelKindOf(config).version?.(config),
  });
  const scored = await keepScored(evaluation, Object.keys(withoutModel), results);
  const first = modelName(models[0]);
  const measureWithoutModel = async () => {
    for (const [model, samples] of Object.entries(withoutModel)) {
      if (scored.has(model)) continue;
      await results.appendSamples(name, model, samples);
      await results.recordMetrics(metricsOf(measure(samples), { ...labels, model }));
    }
  };
  let baseline: Measure[] | undefined;
  for (const declared of models) {
    const model = modelName(declared), isFirst = model === first;
    if (!scored.has(model)) {
      const report: Scoring["report"] = (items, total, unit) =>
        context.report({ evaluation: name, model, items, total, unit });
      const samples = await score(declared, { signal, report });
      checkSameItems(name, { model, samples }, { model: first, samples: scored.get(first) });
      await results.appendSamples(name, model, samples);
      scored.set(model, samples);
      baseline ??= measure(scored.get(first)!);
      await results.recordMetrics(
        isFirst
          ? metricsOf(baseline, labelsOf(declared))
          : metricsOf(measure(samples), labelsOf(declared), { model: first, measures: baseline }),
      );
    }
    if (isFirst) await measureWithoutModel();
  }
}

/**
 * The records of the models that have been measured before, up to the first whose records are missing or do not give the recorded
 * numbers, as after a power cut; records of the others are dropped, and they are measured again.
 *
 * @param withoutModel Baselines that take no model.
 */
async function keepScored(
  evaluation: EvaluationConfig,
  withoutModel: readonly string[],
  results: EvaluationContext["results"],
): Promise<Map<string, readonly SampleRecord[]>> {
  const { name } = evaluation, models = evaluation.models.map(modelName);
  const recorded = Map.groupBy<string, SampleRecord>(
    await results.readSamples(name),
    ({ model }) => String(model),
  );
  const isIntact = (model: string) => {
    const own = results.summary.metrics.filter((metric) =>
      metric.evaluation === name && metric.model === model && metric.over === undefined
    );
    return own.length > 0 && givesMetrics(evaluation, recorded.get(model) ?? [], own);
  };
  const damaged = models.findIndex((model) => !isIntact(model));
  const intact = damaged < 0 ? models : models.slice(0, damaged);
  const kept = intact.length > 0 ? [...intact, ...withoutModel.filter(isIntact)] : [];
  await results.keepSamples(name, kept);
  return new Map(kept.map((model) => [model, recorded.get(model)!]));
}

/** Whether metrics of a model follow from records of its items, rounding apart. */
function givesMetrics(
  evaluation: EvaluationConfig,
  samples: readonly SampleRecord[],
  metrics: readonly Metric[],
): boolean {
  const kind = kindOf(evaluation);
  const areOfKind = samples.every((sample) => kind.record.safeParse(sample).success);
  if (samples.length === 0 || !areOfKind) return false;
  const labels = { evaluation: evaluation.name, model: "", version: kind.version };
  const given = metricsOf(measuresOf(kind, samples, evaluation), labels);
  return metrics.every(({ name, value, n }) => {
    const metric = given.find((candidate) => candidate.name === name);
    return metric?.n === n && isRecorded(metric.value, value);
  });
}

/**
 * Checks that a model was asked what the first one was, in the same order.
 *
 * @throws {InputError} Where it was not, as where the first was asked by other code before the run was interrupted.
 */
function checkSameItems(
  evaluation: string,
  own: { readonly model: string; readonly samples: readonly SampleRecord[] },
  first: { readonly model: string; readonly samples: readonly SampleRecord[] | undefined },
): void {
  const { samples } = own, { samples: before } = first;
  if (!before) return;
  const longer = samples.length > before.length ? samples : before;
  const other = longer.findIndex((_, i) => !isSameItem(samples[i], before[i]));
  if (other < 0) return;
  const pair = [samples[other], before[other]];
  const isDraw = pair[0]?.item === pair[1]?.item;
  const [current, expected] = pair.map((sample) =>
    sample ? `${sample.item}${isDraw ? ` of seed ${sample.seed}` : ""}` : "none"
  );
  throw new InputError(
    `Cannot compare "${own.model}" with "${first.model}" in "${evaluation}" as item ${other + 1} ` +
      `must be the same: current items are ${current} and ${expected}; --fresh starts the run again`,
  );
}

/** Whether two records are of one item, and of one draw of it where both have the seed of one. */
function isSameItem(own: SampleRecord | undefined, before: SampleRecord | undefined): boolean {
  const hasDraws = own?.seed !== undefined && before?.seed !== undefined;
  return own?.item === before?.item && (!hasDraws || own.seed === before.seed);
}

/**
 * Has the controls of an evaluation choose the other texts that they read.
 *
 * @throws {RangeError} If there are too few.
 */
export function checkOthers(
  evaluation: EvaluationConfig,
  items: EvaluationItems,
  seed: number,
): void {
  for (const model of evaluation.models) {
    if ("scoreUnopened" in items || !modelKindOf(model).readsOthers) continue;
    if (!severalOthers(model, evaluation, items, seed)) othersOf(model, evaluation, items);
  }
}

/**
 * The texts that a control reads in the place of all items, if it reads one.
 *
 * @throws {RangeError} If there is none.
 */
function othersOf(
  model: ModelConfig,
  { name }: EvaluationConfig,
  { others, texts, unscoredTexts }: PromptedItems,
): readonly ReadableDocument[] {
  if (others) return others();
  if (texts) return otherReadings(texts, unscoredTexts);
  throw new InputRangeError(
    `Cannot measure "${
      modelName(model)
    }" in "${name}" as its items have no texts that others could replace: allowed are other models`,
  );
}

/** The texts that a control reads in the place of all items, of each of several; undefined of a model that reads one, or the items' own, and where there is none. */
function severalOthers(
  model: ModelConfig,
  { name, kind, memory }: EvaluationConfig,
  items: PromptedItems,
  seed: number,
): ReadableDocument[][] | undefined {
  const texts = otherTextsOf(model);
  if (texts === 1 || !(items.texts || items.others)) return undefined;
  if (!items.texts || !kindOf({ kind }).average) {
    throw new InputRangeError(
      `Cannot read several other texts as evaluation "${name}" reads one: current value of texts is ${texts}, allowed is 1`,
    );
  }
  const { capacityTokens = 0 } = memory ?? {};
  const { unscoredTexts } = items;
  return severalOtherTexts(items.texts, { texts, capacityTokens, seed, unscoredTexts });
}
