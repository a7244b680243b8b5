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

/** Official names of the trainable tensors, without the prefix `decoder.`, and their shapes. */
export function sideNetTensorShapes(
  shape: SideNetShape,
  backbone: BackboneShape,
): Map<string, number[]> {
  const { hiddenDim: E, feedForwardDim: F, heads: H } = backbone;
  const shapes = new Map<string, number[]>();
  for (let i = 0; i < shape.layers; i++) {
    const layer = `layers.${i}.`;
    for (const projection of ["k", "v", "q", "out"]) {
      shapes.set(`${layer}self_attn.${projection}_proj.weight`, [E, E]);
    }
    if (i === memoryLayer(shape)) shapes.set(layer + "self_attn.memory_bias", [H]);
    shapes.set(layer + "fc1.weight", [F, E]).set(layer + "fc1.bias", [F]);
    shapes.set(layer + "fc2.weight", [E, F]).set(layer + "fc2.bias", [E]);
    shapes.set(layer + "ln_1.weight", [E]).set(layer + "ln_1.bias", [E]);
  }
  return shapes.set("layer_norm.weight", [E]).set("layer_norm.bias", [E]);
}

/** The trainable part of LongMem. */
export interface SideNetCheckpoint {
  /** Sizes and wiring. */
  readonly shape: SideNetShape;
  /** Tensors by their official names, without the prefix `decoder.`. */
  readonly weights: TensorMap;
}
