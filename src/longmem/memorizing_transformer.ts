/**
 * The Memorizing Transformer as the paper compares it (MemTRM): no network beside the language model, but a memory layer
 * within it. Blocks 0 .. R-1 of the backbone are frozen; block R, all above it and the final LayerNorm are trained, from
 * copies of the backbone's weights; embeddings and head stay frozen. Block R reads the memory by the joint attention of
 * LongMem's memory layer (two softmaxes, a gate for each head), but keys and values are those of block R ITSELF: it is trained,
 * so that the memory's contents were written by older weights, the staleness that LongMem's frozen encoder avoids. No gradient
 * flows into the memory. Retrieval, bank, protocol and training are LongMem's.
 *
 * The original (arXiv 2203.08913) trains the whole model from scratch, retrieves single tokens and normalises keys.
 */
import { architectureOf } from "../backbone/architectures.ts";
import type { BackboneShape } from "../backbone/shape.ts";
import { elementCount, type HostTensor, type TensorMap } from "../tensor.ts";
import { InputRangeError } from "../errors.ts";

/** Where the memory is within the backbone. */
export interface MemorizingShape {
  /** Block R that caches its keys and values and reads the memory; it and all above are trained. */
  readonly memoryBlock: number;
}

/** The trained part of a Memorizing Transformer. */
export interface MemorizingCheckpoint {
  /** Where the memory is. */
  readonly shape: MemorizingShape;
  /** Tensors by their names: the backbone's own, and the gates'. */
  readonly weights: TensorMap;
}

/** Name of the gates [H]: the share of memory is their sigmoid. */
export function gateName({ memoryBlock }: MemorizingShape, backbone: BackboneShape): string {
  const { blockPrefix, gate } = architectureOf(backbone);
  return blockPrefix(memoryBlock) + gate;
}

/** Names of the trained tensors, those of the backbone that they are copies of, and their shapes. */
export function memorizingTensorShapes(
  shape: MemorizingShape,
  backbone: BackboneShape,
): Map<string, number[]> {
  const architecture = architectureOf(backbone);
  const trainedBlocks = Array.from({ length: backbone.layers }, (_, i) => i)
    .slice(shape.memoryBlock).map((i) => architecture.blockPrefix(i));
  const prefixes = [...trainedBlocks, architecture.finalPrefix];
  const shapes = new Map(
    [...architecture.tensors(backbone)].filter(([name]) =>
      prefixes.some((prefix) => name.startsWith(prefix))
    ),
  );
  return shapes.set(gateName(shape, backbone), [backbone.heads]);
}

/**
 * Copies the parameters to be trained from a backbone; gates start at sigmoid(0) = 0.5.
 *
 * @throws RangeError if the backbone has no such block.
 */
export function initializeMemorizing(
  shape: MemorizingShape,
  backbone: { shape: BackboneShape; weights: ReadonlyMap<string, HostTensor> },
): TensorMap {
  const { memoryBlock } = shape, { layers } = backbone.shape;
  if (!(Number.isSafeInteger(memoryBlock) && memoryBlock >= 0 && memoryBlock < layers)) {
    throw new InputRangeError(
      `Cannot give block ${memoryBlock} a memory as the backbone has none: allowed are 0 to ${
        layers - 1
      }`,
    );
  }
  return new Map(
    [...memorizingTensorShapes(shape, backbone.shape)].map(([name, sizes]) => [name, {
      shape: sizes,
      data: backbone.weights.get(name)?.data.slice() ?? new Float32Array(elementCount(sizes)),
    }]),
  );
}
