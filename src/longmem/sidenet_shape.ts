import { architectureOf } from "../backbone/architectures.ts";
import type { BackboneShape } from "../backbone/shape.ts";
import type { TensorMap } from "../tensor.ts";

/** Sizes and wiring of the trainable SideNet (specification section 4). */
export interface SideNetShape {
  /** SideNet layers S; `reductionFactor * layers` is the number of backbone blocks. */
  readonly layers: number;
  /** Layer reduction factor r: layer i adds the backbone's residual over blocks r*i .. r*i+r-1. */
  readonly reductionFactor: number;
  /** Backbone block R whose keys and values are cached (official `retrieval_layer_index`). */
  readonly memoryBlock: number;
  /** Whether layers add the backbone's residual; absent: they do, as in the paper. Without it the backbone enters by its embeddings alone. */
  readonly crossNetworkResidual?: boolean;
}

/** SideNet layer that reads the memory: trunc(R / r). */
export function memoryLayer(shape: SideNetShape): number {
  return Math.trunc(shape.memoryBlock / shape.reductionFactor);
}

/**
 * Names of the trainable tensors and their shapes; those of the paper's architecture are the official ones, without the prefix
 * `decoder.`.
 */
export function sideNetTensorShapes(
  shape: SideNetShape,
  backbone: BackboneShape,
): Map<string, number[]> {
  const { sideNet } = architectureOf(backbone);
  const shapes = new Map<string, number[]>();
  for (let i = 0; i < shape.layers; i++) {
    const tensors = sideNet.layerTensors(backbone, { reads: i === memoryLayer(shape) });
    for (const [name, sizes] of tensors) shapes.set(layerPrefix(i) + name, sizes);
  }
  for (const [name, sizes] of sideNet.finalTensors(backbone)) shapes.set(name, sizes);
  return shapes;
}

/** Prefix of the names of a layer's tensors. */
export function layerPrefix(layer: number): string {
  return `layers.${layer}.`;
}

/** The trainable part of LongMem. */
export interface SideNetCheckpoint {
  /** Sizes and wiring. */
  readonly shape: SideNetShape;
  /** Tensors by their names, as {@linkcode sideNetTensorShapes} has them. */
  readonly weights: TensorMap;
}
