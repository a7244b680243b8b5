/**
 * The metrics of recorded runs, by the evaluation kinds that measured them.
 */
import { catalogued } from "../results/evaluation_table.ts";
import { type CataloguedRun, isSameMetric, type MetricCatalog } from "../results/metric_catalog.ts";
import { type ItemSums, metricOf } from "../results/paired_comparison.ts";
import { readRunRecord, type RunFacts, type RunRecord } from "../results/read_runs.ts";
import type { Metric, SampleRecord } from "../results/records.ts";
import { isAdaptation } from "../training/adaptation.ts";
import { measuresOf } from "./evaluation_kind.ts";
import { type EvaluationConfig, evaluations, itemProblem, startsProcesses } from "./evaluations.ts";
import { isRecorded, type Measure } from "./measure.ts";
import type { ModelConfig } from "./model_kind.ts";
import { modelKindOf, modelName, models } from "./models.ts";

/** An evaluation as a run's record declares it. */
type Recorded = Readonly<{ name?: unknown; kind?: unknown }>;

/** Measures that have been computed, by the records of an evaluation and the model. */
const known = new WeakMap<readonly SampleRecord[], Map<string, Measure[]>>();

/** The metrics that the registered kinds of evaluation measure. */
export const metricCatalog: MetricCatalog = {
  label(run, metric) {
    const kind = findKind(run, metric.evaluation)?.kind;
    return kind?.label(metric) ?? { part: "", header: metric.name };
  },

  modelLabel(run, { evaluation, model }) {
    const declared = findModel(run, evaluation, model);
    if (declared === undefined) return model;
    const { label } = modelKindOf(declared);
    // Several sizes of a model have one label.
    return knownModels(run, evaluation).every((other) =>
        other === declared || modelKindOf(other).label !== label
      )
      ? label
      : model;
  },

  isMain(run, { evaluation, model }) {
    const declared = findModel(run, evaluation, model);
    return declared !== undefined && modelKindOf(declared).isMain === true;
  },

  reach(run, { evaluation, model }) {
    const found = findKind(run, evaluation), declared = findModel(run, evaluation, model);
    if (!found || found.kind.sizesMemory || declared === undefined) return undefined;
    const { contextTokens, memory } = found.config;
    const kind = modelKindOf(declared);
    const window = kind.windowTokens?.(declared) ?? contextTokens;
    // Records of other versions may lack it.
    if (window === undefined) return undefined;
    const remembered = kind.rememberedTokens?.(declared) ??
      (kind.ownMemory?.(declared).memory ?? (kind.readsMemory ? memory : undefined))
        ?.capacityTokens;
    return `${window.toLocaleString("en")} tokens` +
      (remembered === undefined
        ? ""
        : ` and ${remembered.toLocaleString("en")} in memory${
          kind.readsOthers ? ", of other texts" : ""
        }`);
  },

  isAdaptation,

  startsProcesses: (run) => declaredEvaluations(run).some(startsProcesses),

  sums(run, metric) {
    const found = foundSums(run, metric);
    return found && agrees(found, metric) ? found.sums : undefined;
  },

  contradiction(run, metric) {
    if (!isCurrent(run, metric)) return undefined;
    const found = foundSums(run, metric);
    if (!found) {
      const estimate = foundEstimate(run, metric);
      return estimate && !isSameNumber(estimate, metric) ? estimate : undefined;
    }
    if (found.sums.items.length === 0 || agrees(found, metric)) return undefined;
    return { value: metricOf(found.sums), n: found.n };
  },
};

/**
 * Reads a run for its tables and its report.
 *
 * @throws {Error} As {@linkcode readRunRecord} does.
 */
export async function readReportedRun(path: string): Promise<CataloguedRun> {
  return catalogued(await readRunRecord(path, itemProblem), metricCatalog);
}

/** The same for its tables alone: without the lines of its trainings. */
export async function readTabulatedRun(path: string): Promise<CataloguedRun> {
  return { ...await readReportedRun(path), training: [] };
}

/** The sums that records of items give for a metric, whether or not they give its value, and of how many items. */
function foundSums(
  run: RunRecord,
  metric: Metric,
): { readonly sums: ItemSums; readonly n: number } | undefined {
  const own = measuresIn(run, metric.evaluation, metric.model);
  if (metric.over === undefined) {
    const measure = own.find((measure) => isSameMetric(measure, metric));
    return measure?.sums && { sums: measure.sums, n: measure.n ?? measure.sums.items.length };
  }
  const baseline = measuresIn(run, metric.evaluation, metric.over);
  for (const measure of own) {
    const other = baseline.find((candidate) => isSameMetric(candidate, measure));
    const difference = measure.differences?.find((difference) =>
      isSameMetric({ ...measure, ...difference }, { ...metric, over: undefined })
    );
    if (!difference?.sums || !measure.sums || !other?.sums) continue;
    if (measure.sums.items.join("\n") !== other.sums.items.join("\n")) return undefined;
    const sums = difference.sums(measure.sums, other.sums);
    return sums && { sums, n: sums.items.length };
  }
  return undefined;
}

/** The number that records of items give for a metric that is no ratio of sums over them, as a share of gains, and of how many. */
function foundEstimate(run: RunRecord, metric: Metric): Pick<Metric, "value" | "n"> | undefined {
  const { evaluation, model, over } = metric, key = { ...metric, over: undefined };
  const own = measuresIn(run, evaluation, model);
  if (over === undefined) {
    const { estimate, n } = own.find((measure) => isSameMetric(measure, key)) ?? {};
    return estimate && { value: estimate.value, n: n ?? estimate.n };
  }
  const baseline = measuresIn(run, evaluation, over);
  for (const measure of own) {
    const other = baseline.find((candidate) => isSameMetric(candidate, measure));
    const difference = measure.differences?.find((difference) =>
      isSameMetric({ ...measure, ...difference }, key)
    );
    if (!other || !difference?.estimate) continue;
    const { value, n } = difference.estimate(measure, other);
    return { value, n };
  }
  return undefined;
}

/** Whether a metric of a completed run was measured by the definitions of this code. */
function isCurrent(run: RunFacts, metric: Metric): boolean {
  const { evaluation, model, measure, metricVersion, modelVersion } = metric;
  const declared = findModel(run, evaluation, model);
  const current = declared && modelKindOf(declared).version?.(declared);
  return run.summary.state === "completed" && modelVersion === current &&
    metricVersion === findKind(run, evaluation)?.kind.version(measure);
}

/** A model of an evaluation of a run by its name in results; undefined where this code does not have it. */
function findModel(run: RunFacts, evaluation: string, model: string): ModelConfig | undefined {
  return knownModels(run, evaluation).find((declared) => modelName(declared) === model);
}

/** The models of an evaluation of a run that this code has. */
function knownModels(run: RunFacts, evaluation: string): readonly ModelConfig[] {
  return findKind(run, evaluation)?.config.models?.filter(isKnownModel) ?? [];
}

/** Whether a model of a record is one that this code has. */
function isKnownModel(config: ModelConfig): boolean {
  return models.find(typeof config === "string" ? config : config.model) !== undefined;
}

/** Whether sums give a number that was recorded, rounding apart, and of as many items. */
function agrees(
  { sums, n }: { readonly sums: ItemSums; readonly n: number },
  metric: Metric,
): boolean {
  return sums.items.length > 0 && isSameNumber({ value: metricOf(sums), n }, metric);
}

/** Whether a number was recorded, rounding apart, and of as many items. */
function isSameNumber(
  { value, n }: Pick<Metric, "value" | "n">,
  recorded: Pick<Metric, "value" | "n">,
): boolean {
  return n === recorded.n && isRecorded(value, recorded.value);
}

/** The kind of an evaluation of a run, with its configuration; undefined where the record does not say, or nobody knows it. */
function findKind(run: RunFacts, evaluation: string) {
  const config = declaredEvaluations(run).find(({ name }) => name === evaluation);
  const kind = evaluations.find(String(config?.kind));
  return kind && { kind, config: config as unknown as EvaluationConfig };
}

function declaredEvaluations({ declaration }: RunFacts): readonly Recorded[] {
  return Array.isArray(declaration?.evaluations) ? declaration.evaluations : [];
}

/** The measures of a model of a run; none where its records are not those of the kind. */
function measuresIn(run: RunRecord, evaluation: string, model: string): readonly Measure[] {
  const records = run.samples.get(evaluation), found = findKind(run, evaluation);
  if (!records || !found) return [];
  const byModel = known.get(records) ?? new Map<string, Measure[]>();
  known.set(records, byModel);
  const earlier = byModel.get(model);
  if (earlier) return earlier;
  const own = records.filter((record) => record.model === model);
  const isKnown = own.length > 0 &&
    own.every((record) => found.kind.record.safeParse(record).success);
  const measures = isKnown ? measuresOf(found.kind, own, found.config) : [];
  byModel.set(model, measures);
  return measures;
}
