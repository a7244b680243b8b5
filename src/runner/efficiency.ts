/**
 * Evaluating efficiency: a process for each point.
 */
import {
  type EfficiencyMeasurement,
  type EfficiencyPoint,
  efficiencyPoint,
  efficiencySample,
} from "../evaluation/efficiency.ts";
import type { EfficiencyEvaluation, EvaluatedModel } from "../experiment/declaration.ts";
import type { SampleRecord } from "../results/records.ts";
import type { DeviceKind } from "../runtime/device.ts";
import type { EfficiencyTask } from "./efficiency_process.ts";
import type { Evaluated } from "./evaluated_model.ts";
import { InputError, MissingPermissionError } from "../errors.ts";
import { measureModels } from "./evaluation_steps.ts";
import type { RunContext } from "./run_context.ts";

/** Measures a point; tests give one that starts no process. */
export type MeasurePoint = (task: EfficiencyTask) => Promise<EfficiencyMeasurement>;

/** Measures all points of all models that have not been measured; the first model is the baseline of the others. */
export async function evaluateEfficiency(
  evaluation: EfficiencyEvaluation,
  { backbone, sideNets }: Evaluated,
  { device, threads, context, measure = measureInProcess }: {
    readonly device: DeviceKind;
    readonly threads?: number | undefined;
    readonly context: Pick<RunContext, "results" | "progress" | "signal">;
    readonly measure?: MeasurePoint;
  },
): Promise<void> {
  const { totalTokens, memory, batchSize, warmupPasses, repetitions } = evaluation;
  const taskOf = (declared: EvaluatedModel, point: EfficiencyPoint): EfficiencyTask => {
    const sideNet = (declared === "longmem" ? sideNets?.longmem : sideNets?.untrained)?.shape;
    const { memoryTokens } = point;
    return {
      device,
      ...(threads !== undefined && { threads }),
      backbone: backbone.shape,
      ...(memoryTokens !== undefined && sideNet && memory && {
        sideNet,
        memory: {
          ...memory,
          capacityTokens: memoryTokens * (memory.bank === "shared" ? batchSize : 1),
        },
      }),
      point,
      warmupPasses,
      repetitions,
    };
  };
  await measureModels(evaluation, context, {
    async score(declared, { signal, report }) {
      const records: SampleRecord[] = [];
      for (const [i, tokens] of totalTokens.entries()) {
        signal.throwIfAborted();
        const point = efficiencyPoint(tokens, {
          contextTokens: evaluation.contextTokens,
          rows: batchSize,
          hasMemory: declared !== "backbone",
        });
        records.push(efficiencySample(point, await measure(taskOf(declared, point))));
        report(i + 1, totalTokens.length, "lengths");
      }
      return records;
    },
  });
}

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
      ...[
        "run",
        "--quiet",
        "--no-prompt",
        "--no-check",
        "--lock=deno.lock",
        "--allow-read",
        "--allow-env",
      ],
      ...["--allow-ffi", "--allow-sys", new URL("./efficiency_process.ts", import.meta.url).href],
    ],
    cwd: new URL("../..", import.meta.url),
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = process.stdin.getWriter();
  await writer.write(new TextEncoder().encode(JSON.stringify(task)));
  await writer.close();
  const { success, stdout, stderr } = await process.output();
  const [said, complained] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  if (!success) {
    throw new InputError(
      `Cannot measure efficiency at ${task.point.totalTokens} tokens as the process failed: ${complained}`,
    );
  }
  return JSON.parse(said);
}
