/**
 * A kind of evaluation: what it declares, asks and measures.
 */
import type { z } from "zod";
import type { MetricKey, MetricLabel } from "../results/metric_catalog.ts";
import type { SampleRecord } from "../results/records.ts";
import type { Measure } from "./measure.ts";

/** A kind of evaluation. */
export interface EvaluationKind<Config, Item> {
  /** Version of a measure's definition: it changes whenever the same model would get another number. */
  version(measure: string): number;
  /** Form of a record of a scored item, as far as measures need it. */
  readonly record: z.ZodType<Item>;
  /** Measures of one model, from its records, in one order for all models. */
  measures(records: readonly Item[], config: Config): Measure[];
  /** Where a metric stands in tables, and its words. */
  label(metric: MetricKey): MetricLabel;
}

/**
 * Measures of one model from its records.
 *
 * @throws {ZodError} If one is no record of the kind.
 */
export function measuresOf<Config, Item>(
  { record, measures }: EvaluationKind<Config, Item>,
  samples: readonly SampleRecord[],
  config: Config,
): Measure[] {
  return measures(samples.map((sample) => record.parse(sample)), config);
}
