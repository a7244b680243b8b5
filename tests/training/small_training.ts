/**
 * Networks, batches and configurations small enough that a training takes a second.
 */
import { type BackboneCheckpoint } from "../../src/backbone/shape.ts";
import { initializeSideNet } from "../../src/longmem/initialization.ts";
import type { LongMemParts } from "../../src/longmem/parts.ts";
import { type MemoryConfig, memoryProtocols } from "../../src/memory/config.ts";
import type { Device } from "../../src/runtime/device.ts";
import { elementCount, type TensorMap } from "../../src/tensor.ts";
import { Random } from "../../src/random.ts";
import type { SegmentBatch } from "../../src/text/segments.ts";
import type { TrainingConfig } from "../../src/training/config.ts";
import { type StepMetrics, Trainer, type TrainerOptions } from "../../src/training/trainer.ts";
import type { SideNetCheckpoint } from "../../src/longmem/sidenet_shape.ts";
import { backboneTensorShapes } from "../../src/backbone/architectures.ts";

/** The released script's training (specification section 11), for the smallest batches. */
export const releasedTraining: TrainingConfig = {
  batchSize: 2,
  contextTokens: 8,
  steps: 100_000,
  learningRate: 2e-4,
  schedule: "polynomial",
  warmupSteps: 0,
  finalLearningRate: 0,
  totalSteps: 100_000,
  weightDecay: 0.01,
  betas: [0.9, 0.98],
  epsilon: 1e-6,
  accumulationSteps: 1,
  batches: "documents",
  checkpointEverySteps: 1_000_000,
};

/** A bank for each row, without limits that a short training would meet. */
export const smallMemory: MemoryConfig = {
  capacityTokens: 64,
  chunkTokens: 2,
  retrievedTokens: 4,
  index: { kind: "exact" },
  ...memoryProtocols.strict,
};

const shape = { layers: 4, hiddenDim: 8, heads: 2, feedForwardDim: 16, vocabSize: 13 };

/** A backbone whose weights, biases included, are far from zero, so that every gradient is. */
export function smallBackbone(seed = 1): BackboneCheckpoint {
  const random = new Random(`${seed}/small backbone`);
  const weights: TensorMap = new Map();
  for (const [name, sizes] of backboneTensorShapes(shape)) {
    const mean = /ln_(1|f)\.weight$/.test(name) ? 1 : 0;
    const data = Float32Array.from(
      { length: elementCount(sizes) },
      () => mean + 0.3 * random.normal(),
    );
    weights.set(name, { shape: sizes, data });
  }
  return { shape, weights };
}

/** A SideNet beside it, gates away from 0. */
export function smallSideNet(backbone: BackboneCheckpoint): SideNetCheckpoint {
  const shape = { layers: 2, reductionFactor: 2, memoryBlock: 3 };
  const weights = initializeSideNet(shape, backbone, { kind: "paper" }, 1);
  for (const [name, { data }] of weights) {
    if (name.endsWith("memory_bias")) data.set([0.4, -0.7]);
  }
  return { shape, weights };
}

/** Options of the training of a small SideNet. */
export type SideNetOptions = Partial<
  & Pick<LongMemParts, "backbone" | "memory" | "sideNet">
  & Pick<TrainerOptions, "dropout" | "gate" | "seed">
>;

/** Prepares a training and compiles its step. */
export async function openTrainer(options: TrainerOptions): Promise<Trainer> {
  const trainer = await Trainer.prepare(options);
  await trainer.compile();
  return trainer;
}

/** Opens the training of a small SideNet beside a small backbone, without memory by default. */
export async function openSideNet(
  device: Device,
  config: Partial<TrainingConfig> = {},
  options: SideNetOptions = {},
): Promise<Trainer> {
  const { backbone = smallBackbone(), sideNet = smallSideNet(backbone), memory, ...rest } = options;
  return await openTrainer({
    device,
    config: { ...releasedTraining, ...config },
    seed: 1,
    parts: { backbone, sideNet, ...(memory ? { memory } : {}) },
    ...rest,
  });
}

/** Batches of random tokens; the first begins documents, and none ends an epoch. */
export function randomBatches(
  count: number,
  options: { seed?: number; batchSize?: number; contextTokens?: number } = {},
): SegmentBatch[] {
  const { seed = 1, batchSize = 2, contextTokens = 8 } = options;
  const random = new Random(`${seed}/batches`);
  const draw = () =>
    Int32Array.from({ length: batchSize * contextTokens }, () => 4 + random.below(9));
  return Array.from({ length: count }, (_, i) => ({
    tokens: draw(),
    targets: draw(),
    starts: Array.from({ length: batchSize }, () => i === 0),
    epoch: 0,
    endsEpoch: false,
  }));
}

/** A source of batches, one after the other. */
export function inOrder(batches: readonly SegmentBatch[]): () => SegmentBatch {
  let i = 0;
  return () => batches[i++];
}

/** Makes an update and reads its results. */
export async function update(
  trainer: Trainer,
  next: () => SegmentBatch,
  options: { diagnoses?: boolean } = {},
): Promise<StepMetrics> {
  await trainer.advance(next, undefined, options);
  const [metrics] = await Array.fromAsync(trainer.results());
  return metrics;
}
