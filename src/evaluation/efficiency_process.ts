/**
 * One point of an evaluation of efficiency, in a process of its own: the task comes from stdin, the measurement goes to
 * stdout.
 */
import { initializeBackbone } from "../backbone/initialization.ts";
import type { BackboneShape } from "../backbone/shape.ts";
import { initializeSideNet } from "../longmem/initialization.ts";
import { LongMem } from "../longmem/longmem.ts";
import type { SideNetShape } from "../longmem/sidenet_shape.ts";
import type { MemoryConfig } from "../memory/config.ts";
import { peakMemoryBytes } from "../results/environment.ts";
import type { DeviceKind } from "../runtime/device.ts";
import { openDevice } from "../runtime/open_device.ts";
import { Random } from "../random.ts";

/** Visible tokens of a point, per row. */
export interface EfficiencyPoint {
  /** Tokens in sight of the last token of a pass. */
  readonly totalTokens: number;
  readonly contextTokens: number;
  /** Tokens in the memory; absent without one. */
  readonly memoryTokens?: number;
  /** Rows side by side. */
  readonly rows: number;
}

/** Measurement of a point. */
export interface EfficiencyMeasurement {
  /** Milliseconds of each repetition. */
  readonly milliseconds: readonly number[];
  /** Tokens that each bank held before the first pass; absent without a memory. Coarse eviction keeps less than there is room for. */
  readonly filledTokens?: readonly number[];
  /** Most main memory that the process has held, in MiB; absent where the tensors are not in it. */
  readonly peakMebibytes?: number;
}

/** The measurement to do. */
export interface EfficiencyTask {
  readonly device: DeviceKind;
  /** Threads of the `cpu` engine; absent: its own choice. */
  readonly threads?: number;
  readonly backbone: BackboneShape;
  /** The SideNet; absent: the backbone alone. */
  readonly sideNet?: SideNetShape;
  /** Its memory, of the size that the point has. */
  readonly memory?: MemoryConfig;
  readonly point: EfficiencyPoint;
  readonly warmupPasses: number;
  readonly repetitions: number;
}

/** Measures a point; the peak memory is that of the whole process since it began. */
export async function measurePoint(task: EfficiencyTask): Promise<EfficiencyMeasurement> {
  const { threads, point: { rows, contextTokens, memoryTokens = 0 } } = task;
  const device = await openDevice(task.device, { threads });
  const backbone = { shape: task.backbone, weights: initializeBackbone(task.backbone, 1) };
  const { sideNet: shape, memory } = task;
  const model = new LongMem(device, {
    backbone,
    ...(shape && {
      sideNet: { shape, weights: initializeSideNet(shape, backbone, { kind: "random" }, 1) },
    }),
    ...(memory && { memory }),
  });
  const random = new Random(1);
  const { vocabSize } = task.backbone;
  // From 4 on: special tokens, padding among them, are none of a text.
  const draw = () =>
    Int32Array.from({ length: rows * contextTokens }, () => 4 + random.below(vocabSize - 4));
  for (let filled = 0; filled < memoryTokens; filled += contextTokens) {
    await model.remember(draw(), { batch: rows });
  }
  const filledTokens = model.memoryFillChunks.map((chunks) => chunks * memory!.chunkTokens);
  const milliseconds = await timePasses(
    () => model.score(draw(), draw(), { batch: rows }),
    { ...task, now: () => performance.now() },
  );
  const peakMebibytes = peakMemoryBytes() / 2 ** 20;
  await model.close();
  await device.close();
  return {
    milliseconds,
    ...(memory && { filledTokens }),
    ...(device.kind !== "webgpu" && { peakMebibytes }),
  };
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

if (import.meta.main) {
  const task: EfficiencyTask = JSON.parse(await new Response(Deno.stdin.readable).text());
  await new Blob([JSON.stringify(await measurePoint(task))]).stream().pipeTo(Deno.stdout.writable);
}
