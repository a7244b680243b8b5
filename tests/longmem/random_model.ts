/**
 * Models with random weights, for tests that need no fixtures.
 */
import { initializeBackbone } from "../../src/backbone/initialization.ts";
import type { BackboneShape } from "../../src/backbone/shape.ts";
import { initializeSideNet } from "../../src/longmem/initialization.ts";
import type { SideNetShape } from "../../src/longmem/sidenet_shape.ts";
import { type MemoryConfig, memoryProtocols } from "../../src/memory/config.ts";
import type { TensorMap } from "../../src/tensor.ts";
import { Random } from "../../src/random.ts";
import type { ReferenceParts } from "./reference_model.ts";

/** Sizes for tests that look at one property. */
export const smallBackbone: BackboneShape = {
  layers: 4,
  hiddenDim: 24,
  heads: 3,
  feedForwardDim: 40,
  vocabSize: 31,
};

/** Its SideNet: layer 1 of 2 reads what block 3 wrote. */
export const smallSideNet: SideNetShape = { layers: 2, reductionFactor: 2, memoryBlock: 3 };

/** A memory of 7 chunks for each row, under the strict protocol. */
export const smallMemory: MemoryConfig = {
  capacityTokens: 28,
  chunkTokens: 4,
  retrievedTokens: 8,
  index: { kind: "exact" },
  ...memoryProtocols.strict,
};

/** A small model with another memory. */
export function smallParts(
  memory: Partial<MemoryConfig> = {},
): ReferenceParts {
  return randomParts({
    shape: smallBackbone,
    sideNet: smallSideNet,
    memory: { ...smallMemory, ...memory },
  });
}

/** Random tokens that are not padding. */
export function randomTokens(count: number, seed: number | string): Int32Array<ArrayBuffer> {
  const random = new Random(seed);
  return Int32Array.from({ length: count }, () => 2 + random.below(smallBackbone.vocabSize - 2));
}

/** Weights of every kind that are large enough to matter; gates, biases and LayerNorms are not trivial. */
export function randomParts(
  { shape, sideNet, memory }: { shape: BackboneShape; sideNet: SideNetShape; memory: MemoryConfig },
): ReferenceParts {
  const random = new Random("weights");
  const disturb = (weights: TensorMap, matrices: number) => {
    for (const { data, shape: sizes } of weights.values()) {
      const deviation = sizes.length === 2 ? matrices : 0.3;
      for (let i = 0; i < data.length; i++) data[i] += deviation * random.normal();
    }
    return weights;
  };
  const backbone = { shape, weights: disturb(initializeBackbone(shape, 1), 0.25) };
  const weights = initializeSideNet(sideNet, backbone, { kind: "paper" }, 1);
  return { backbone, sideNet: { shape: sideNet, weights: disturb(weights, 0.05) }, memory };
}
