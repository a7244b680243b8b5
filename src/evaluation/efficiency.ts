/**
 * Efficiency (the paper's table of speed and memory by context length): time and memory of a pass over a given number of visible tokens.
 *
 * `backbone` attends to all of them: a pass over `totalTokens` tokens a row. A LongMem has `contextTokens` of them in its segment and the
 * others in its memory, which is full before the first pass: a pass reads a segment, retrieves for every token, mixes the
 * retrieved values by its gate, and writes the segment to the memory, whose oldest leaves. Both compute the negative log-likelihood
 * of every token, the head included. Weights and tokens are random, as their values do not affect time or memory.
 *
 * Every point is measured in a process of its own, after warm-up passes that also compile the graph, so that the peak memory of that
 * process (runtime, weights, engine, memory bank) is its own. Memory of a GPU is not seen there and not reported. Absolute
 * numbers depend on the machine and its other load; compare the ratios to the first model. Version 1.
 */
import { z } from "zod";
import { defined } from "../defined.ts";
import type { MetricKey, MetricLabel } from "../results/metric_catalog.ts";
import type { SampleRecord } from "../results/records.ts";
import { type Estimate, median } from "../statistics/estimates.ts";
import { nonNegativeInteger, positiveInteger, positiveIntegers } from "../declaration/fields.ts";
import type { Accepts, Assert } from "../declaration/part.ts";
import { repetitions, wrong } from "../declaration/problem.ts";
import { InputError, MissingPermissionError } from "../errors.ts";
import { lowestCapacityTokens } from "../memory/config.ts";
import type {
  EfficiencyMeasurement,
  EfficiencyPoint,
  EfficiencyTask,
} from "./efficiency_process.ts";
import {
  type DeclaredEvaluation,
  evaluationForm,
  type EvaluationKind,
  fillModelEvaluation,
  limitOf,
  type ModelEvaluation,
  type UnopenedItems,
} from "./evaluation_kind.ts";
import { modelKindOf, modelName, models } from "./models.ts";
import type { Measure } from "./measure.ts";

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

/** The line of a point. */
export function efficiencySample(
  point: EfficiencyPoint,
  { milliseconds, filledTokens, peakMebibytes }: EfficiencyMeasurement,
): SampleRecord {
  return defined({
    item: String(point.totalTokens),
    ...point,
    filledTokens,
    milliseconds,
    peakMebibytes,
  });
}

/** A record as metrics need it. */
const efficiencyRecord = z.looseObject({
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
function efficiencyMeasures(
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
function efficiencyLabel({ measure, at, over }: MetricKey): MetricLabel {
  if (at?.totalTokens === undefined) return { part: "", header: measure };
  return {
    part: `${measure}${over === undefined ? "" : ` relative to ${over}`}, by tokens in sight`,
    header: String(at.totalTokens),
    ...(over === undefined && {
      axis: { figure: measure, label: "context in sight", unit: "tokens", measure },
    }),
  };
}

/**
 * Tokens a second and peak memory with so many tokens in sight (the paper's table of efficiency): `backbone` attends to all of them,
 * `longmem` and `untrained-with-memory` to `contextTokens` of them, with the others in a memory that is full. The
 * weights make no difference. `src/evaluation/efficiency.ts` describes the measurement.
 */
export interface EfficiencyEvaluation extends ModelEvaluation {
  /** Distinguishes it from other kinds of evaluation. */
  readonly kind: "efficiency";
  /** Tokens in sight, each a point (default 1024, 2048, 4096 and 8192); the memory's own capacity does not count. */
  readonly totalTokens: readonly number[];
  /** Passes before those that are timed (default 3). */
  readonly warmupPasses: number;
  /** Passes that are timed (default 9). */
  readonly repetitions: number;
}

/** The same as declared. */
export type EfficiencyDeclaration = DeclaredEvaluation<EfficiencyEvaluation, "kind">;

const form = evaluationForm("efficiency", () => ({
  totalTokens: positiveIntegers.exactOptional(),
  warmupPasses: nonNegativeInteger.exactOptional(),
  repetitions: positiveInteger.exactOptional(),
}));
type _FormAcceptsTheType = Assert<Accepts<ReturnType<typeof form>, EfficiencyDeclaration>>;

/** Measures a point; tests give one that starts no process. */
export type MeasurePoint = (task: EfficiencyTask) => Promise<EfficiencyMeasurement>;

/** The points of an evaluation, each measured in a process of its own. */
export function efficiencyItems(
  evaluation: EfficiencyEvaluation,
  { threads, measure = measureInProcess }: {
    readonly threads?: number | undefined;
    readonly measure?: MeasurePoint;
  },
): UnopenedItems {
  const { totalTokens, memory, batchSize, warmupPasses, repetitions } = evaluation;
  return {
    async scoreUnopened(model, { backbone, models, device }, { signal, report }) {
      const { hasMemory = false, sideNet: name } = modelKindOf(model).efficiency ?? {};
      const sideNet = name && models[name]?.sideNet?.shape;
      const records: SampleRecord[] = [];
      for (const [i, tokens] of totalTokens.entries()) {
        signal.throwIfAborted();
        const point = efficiencyPoint(tokens, {
          contextTokens: evaluation.contextTokens,
          rows: batchSize,
          hasMemory,
        });
        const { memoryTokens } = point;
        const rows = memory?.bank === "shared" ? batchSize : 1;
        const measured = await measure({
          device: device.kind,
          ...(threads !== undefined && { threads }),
          backbone: backbone.shape,
          ...(memoryTokens !== undefined && sideNet && memory && {
            sideNet,
            memory: { ...memory, capacityTokens: memoryTokens * rows },
          }),
          point,
          warmupPasses,
          repetitions,
        });
        records.push(efficiencySample(point, measured));
        report(i + 1, totalTokens.length, "lengths");
      }
      return records;
    },
  };
}

export const efficiency: EvaluationKind<
  EfficiencyDeclaration,
  EfficiencyEvaluation,
  z.infer<typeof efficiencyRecord>
> = {
  schema: form,
  fill: (declared, from) => ({
    name: declared.kind,
    totalTokens: [1024, 2048, 4096, 8192],
    warmupPasses: 3,
    repetitions: 9,
    ...fillModelEvaluation(declared, from),
  }),
  // Only some models have all tokens in sight; the others' memories must hold the tokens outside the segment.
  check({ models: listed, totalTokens, contextTokens, batchSize, memory }, path) {
    const measured = models.names.filter((name) => models.get(name).efficiency);
    const other = listed.findIndex((model) =>
      !modelKindOf(model).efficiency || modelKindOf(model).windowTokens?.(model) !== undefined
    );
    const hasMemory = memory && listed.some((model) => modelKindOf(model).efficiency?.hasMemory);
    return [
      ...(other < 0 ? [] : [wrong(
        `${path}.models.${other}`,
        "is a model whose efficiency is not measured",
        modelName(listed[other]),
        measured.join(", "),
      )]),
      ...repetitions(totalTokens, `${path}.totalTokens`, "numbers"),
      ...(hasMemory
        ? totalTokens.flatMap((tokens, i) => {
          const rows = memory.bank === "shared" ? batchSize : 1;
          const lowest = lowestCapacityTokens(
            rows * contextTokens,
            memory.chunkTokens,
            memory.eviction,
          );
          const least = contextTokens +
            Math.max(Math.ceil(lowest / rows), Math.ceil(memory.retrievedTokens / rows));
          return tokens >= least ? [] : [wrong(
            `${path}.totalTokens.${i}`,
            "must be contextTokens and what the smallest memory holds",
            tokens,
            `integers from ${least}`,
          )];
        })
        : []),
    ];
  },
  limit: limitOf("repetitions"),
  describe: ({ totalTokens, warmupPasses, repetitions }) =>
    `${totalTokens.join(", ")} tokens in sight, ${repetitions} passes each after ${warmupPasses}`,
  cost({ totalTokens, warmupPasses, repetitions, contextTokens, batchSize }) {
    const passes = batchSize * (warmupPasses + repetitions);
    return (model) => {
      const hasMemory = modelKindOf(model).readsMemory;
      return totalTokens.reduce(
        (sum, tokens) => sum + passes * (hasMemory ? contextTokens : tokens),
        0,
      );
    };
  },
  startsProcesses: true,
  sizesMemory: true,
  prepare: efficiencyItems,
  version: () => 1,
  record: efficiencyRecord,
  measures: efficiencyMeasures,
  label: efficiencyLabel,
};

/**
 * Checks that this process may start others.
 *
 * @throws {MissingPermissionError} If it may not.
 */
export async function checkMayStartProcesses(): Promise<void> {
  const deno = Deno.execPath();
  const { state } = await Deno.permissions.query({ name: "run", command: deno });
  if (state === "granted") return;
  throw new MissingPermissionError(
    `Cannot measure efficiency as every point needs a process of its own, and this one may not start any: ` +
      `"deno task measure" may, or allow ${deno} to be run`,
  );
}

/**
 * Measures a point in a process of its own.
 *
 * @throws {MissingPermissionError} If this process may not start one.
 */
async function measureInProcess(task: EfficiencyTask): Promise<EfficiencyMeasurement> {
  await checkMayStartProcesses();
  const deno = Deno.execPath();
  const process = new Deno.Command(deno, {
    args: [
      ...["run", "--quiet", "--no-prompt", "--no-check", "--lock=deno.lock"],
      ...["--allow-read", "--allow-env", "--allow-ffi", "--allow-sys"],
      new URL("./efficiency_process.ts", import.meta.url).href,
    ],
    cwd: new URL("../..", import.meta.url),
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  await new Blob([JSON.stringify(task)]).stream().pipeTo(process.stdin);
  const { success, stdout, stderr } = await process.output();
  const [said, complained] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  if (!success) {
    throw new InputError(
      `Cannot measure efficiency at ${task.point.totalTokens} tokens as the process failed: ${complained}`,
    );
  }
  return JSON.parse(said);
}
