/**
 * Summaries of recorded runs, computed again from the records of their scored items.
 */
import { join } from "node:path";
import { measuresOf } from "../../src/evaluation/evaluation_kind.ts";
import { kindOf } from "../../src/evaluation/evaluations.ts";
import type { ModelConfig } from "../../src/evaluation/model_kind.ts";
import { modelKindOf, modelName } from "../../src/evaluation/models.ts";
import { metricsOf } from "../../src/evaluation/measure.ts";
import { type Metric, readSampleRecords, type RunSummary } from "../../src/results/records.ts";

/** A summary, and which of its numbers were computed again. */
export interface RecomputedSummary {
  /** The summary as it is recorded. */
  readonly recorded: RunSummary;
  /** The same, its numbers and errors computed by today's code where there are records of the items. */
  readonly recomputed: RunSummary;
  /** Evaluations and models of which no item is recorded, so that their numbers stay as they are. */
  readonly unrecorded: readonly string[];
}

interface RecordedEvaluation {
  readonly kind: string;
  readonly name: string;
  readonly models?: readonly ModelConfig[];
}

/** Computes the summary in a run's folder again. */
export async function recomputeSummary(folder: string): Promise<RecomputedSummary> {
  const read = async (name: string) => JSON.parse(await Deno.readTextFile(join(folder, name)));
  const recorded: RunSummary = await read("summary.json");
  const configs: RecordedEvaluation[] = (await read("experiment.json")).evaluations;
  const computed = new Map<string, Metric>();
  // Versions of metrics whose items all have one weight, so that every version of an error is the same.
  const unweighted = new Map<string, number>();
  for (const config of configs) {
    const samples = await readSampleRecords(folder, config.name, { isCompleted: true });
    const byModel = Map.groupBy(samples, ({ model }) => model);
    const kind = kindOf(config);
    const measured = [...byModel].map(([model, records]) => ({
      model,
      measures: measuresOf(kind, records, config),
    }));
    for (const { name, measure, sums } of measured.flatMap(({ measures }) => measures)) {
      const isUnweighted = sums && !sums.exponential && new Set(sums.denominators).size === 1;
      if (isUnweighted) unweighted.set(`${config.name} ${name}`, kind.version(measure));
    }
    for (const { model, measures } of measured) {
      const modelVersion = versionOf(model, config);
      const labels = { evaluation: config.name, model, version: kind.version, modelVersion };
      const isCompared = model !== measured[0].model && !kind.withoutModel?.includes(model);
      const baseline = isCompared ? measured[0] : undefined;
      for (const metric of metricsOf(measures, labels, baseline)) {
        computed.set(keyOf(metric), metric);
      }
    }
  }
  const unrecorded = new Set<string>();
  const metrics = recorded.metrics.map((metric): Metric => {
    const again = computed.get(keyOf(metric));
    computed.delete(keyOf(metric));
    if (!again) {
      unrecorded.add(`${metric.evaluation} ${metric.model}`);
      const metricVersion = unweighted.get(`${metric.evaluation} ${metric.name}`);
      return { ...metric, ...(metricVersion !== undefined && { metricVersion }) };
    }
    // How many items there are is known only where they were drawn.
    return { ...again, ...(metric.total !== undefined && { total: metric.total }) };
  });
  const summary = { ...recorded, metrics: [...metrics, ...computed.values()] };
  // As it is written and read again.
  return { recorded, recomputed: JSON.parse(JSON.stringify(summary)), unrecorded: [...unrecorded] };
}

/** Version of a model of an evaluation; undefined also for baselines that are none of its models. */
function versionOf(name: string, { models = [] }: RecordedEvaluation): number | undefined {
  const model = models.find((config) => modelName(config) === name);
  return model === undefined ? undefined : modelKindOf(model).version?.(model);
}

function keyOf({ evaluation, model, name }: Metric): string {
  return JSON.stringify([evaluation, model, name]);
}
