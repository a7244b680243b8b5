/**
 * Efficiency (the paper's table of speed and memory by context length): what a pass takes with so many tokens in sight.
 *
 * `backbone` attends to all of them: a pass over `totalTokens` tokens a row. A LongMem has `contextTokens` of them in its segment and the
 * others in its memory, which is full before the first pass: a pass reads a segment, retrieves for every token, mixes what it
 * retrieves by its gate, and writes the segment to the memory, whose oldest leaves. Both compute the negative log-likelihood
 * of every token, the head included. Weights are random, as values take no part in what a pass takes; tokens too.
 *
 * Every point is measured in a process of its own, after warm-up passes that also compile the graph, so that the peak memory of that
 * process (runtime, weights, engine, memory bank) is its own. Memory of a GPU is not seen there and not reported. Absolute
 * numbers are those of one machine and of what else ran on it; ratios to the first model are what to look at. Version 1.
 */
import { z } from "zod";
import type { MetricKey, MetricLabel } from "../results/metric_catalog.ts";
import type { SampleRecord } from "../results/records.ts";
import { type Estimate, median } from "../statistics/estimates.ts";
import type { EvaluationKind } from "./evaluation_kind.ts";
import type { Measure } from "./measure.ts";

/** Version of the metrics of this file. */
export const efficiencyVersion = 1;

/** What a point has in sight, in tokens of a row. */
export interface EfficiencyPoint {
  /** Tokens in sight of the last token of a pass. */
  readonly totalTokens: number;
  /** Tokens of a pass. */
  readonly contextTokens: number;
  /** Tokens in the memory; absent without one. */
  readonly memoryTokens?: number;
  /** Rows side by side. */
  readonly rows: number;
}

/** What was measured of a point. */
export interface EfficiencyMeasurement {
  /** Milliseconds of each repetition. */
  readonly milliseconds: readonly number[];
  /** Tokens that each bank held before the first pass; absent without a memory. Coarse eviction keeps less than there is room for. */
  readonly filledTokens?: readonly number[];
  /** Most main memory that the process has held, in MiB; absent where the tensors are not in it. */
  readonly peakMebibytes?: number;
}

/** How a model sees so many tokens: all in the segment, or those beyond `contextTokens` in its memory. */
export function efficiencyPoint(
  totalTokens: number,
  { contextTokens, rows, hasMemory }: {
    readonly contextTokens: number;
    readonly rows: number;
    readonly hasMemory: boolean;
  },
): EfficiencyPoint {
  return hasMemory
    ? { totalTokens, contextTokens, memoryTokens: totalTokens - contextTokens, rows }
    : { totalTokens, contextTokens: totalTokens, rows };
}

/**
 * Times passes, one after the other, after some that do not count.
 *
 * @param options `now`: the clock, in milliseconds.
 */
export async function timePasses(
  pass: () => Promise<unknown>,
  { warmupPasses, repetitions, now }: {
    readonly warmupPasses: number;
    readonly repetitions: number;
    readonly now: () => number;
  },
): Promise<number[]> {
  for (let i = 0; i < warmupPasses; i++) await pass();
  const milliseconds: number[] = [];
  for (let i = 0; i < repetitions; i++) {
    const start = now();
    await pass();
    milliseconds.push(now() - start);
  }
  return milliseconds;
}

/** The line of a point. */
export function efficiencySample(
  point: EfficiencyPoint,
  { milliseconds, filledTokens, peakMebibytes }: EfficiencyMeasurement,
): SampleRecord {
  return {
    item: String(point.totalTokens),
    ...point,
    ...(filledTokens && { filledTokens }),
    milliseconds,
    ...(peakMebibytes !== undefined && { peakMebibytes }),
  };
}

/** A record as metrics need it. */
export const efficiencyRecord = z.looseObject({
  item: z.string(),
  totalTokens: z.number(),
  contextTokens: z.number(),
  rows: z.number(),
  milliseconds: z.array(z.number()),
  peakMebibytes: z.number().exactOptional(),
});

/**
 * Measures of one model, each by tokens in sight: median tokens a second ("speed 4096"), peak memory of the process
 * ("peak memory 4096"), and both as multiples of a baseline's ("speed 4096 relative to backbone"). Intervals are those of the
 * median over repetitions in one process, and say nothing of other processes and machines.
 */
export function efficiencyMeasures(
  records: readonly z.infer<typeof efficiencyRecord>[],
): Measure[] {
  return records.flatMap(({ totalTokens, contextTokens, rows, milliseconds, peakMebibytes }) => {
    const tokens = contextTokens * rows;
    const common = (measure: string) => ({
      measure,
      at: { totalTokens },
      name: `${measure} ${totalTokens}`,
      differences: [{
        name: (baseline: string) => `${measure} ${totalTokens} relative to ${baseline}`,
        estimate: relative,
      }],
    });
    return [
      {
        ...common("speed"),
        unit: "tokens/s",
        higherIsBetter: true,
        estimate: median(milliseconds.map((ms) => 1000 * tokens / ms)),
      },
      ...(peakMebibytes === undefined ? [] : [{
        ...common("peak memory"),
        unit: "MiB",
        higherIsBetter: false,
        estimate: { value: peakMebibytes, n: 1 },
      }]),
    ];
  });
}

function relative({ estimate: own }: Measure, { estimate: baseline }: Measure): Estimate {
  return { value: own!.value / baseline!.value, n: own!.n };
}

/** The place of a metric of this file in tables. */
export function efficiencyLabel({ measure, at, over }: MetricKey): MetricLabel {
  if (at?.totalTokens === undefined) return { part: "", header: measure };
  return {
    part: `${measure}${over === undefined ? "" : ` relative to ${over}`}, by tokens in sight`,
    header: String(at.totalTokens),
    ...(over === undefined && {
      axis: { figure: measure, label: "context in sight", unit: "tokens", measure },
    }),
  };
}

/** The kind of evaluation. */
export const efficiency = {
  version: () => efficiencyVersion,
  record: efficiencyRecord,
  measures: efficiencyMeasures,
  label: efficiencyLabel,
} satisfies EvaluationKind<unknown, z.infer<typeof efficiencyRecord>>;
