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
  /** How the last block's output enters the last layer's residual; absent: as the architecture has it. */
  readonly lastResidual?: LastResidual;
}

/**
 * The stream after the backbone's last block, as the residual of the last SideNet layer has it: after the backbone's final norm,
 * as the released code does, or as it is, which is the paper's formula. With the norm a backbone enters at another scale than its
 * stream has, so that a SideNet of copies starts further from it, but can overrule it more easily.
 */
export type LastResidual = "final-norm" | "raw";

/** Every form of the last residual. */
export const lastResiduals = ["final-norm", "raw"] as const satisfies LastResidual[];

/** The last residual where it is left open: after the norm beside the paper's architecture, as released, and raw beside others. */
export function usualLastResidual(backbone: Pick<BackboneShape, "architecture">): LastResidual {
  return architectureOf(backbone).lastStateIsNormed ? "final-norm" : "raw";
}

/** All divisors of a number, in order: the reduction factors beside so many blocks. */
export function divisorsOf(n: number): number[] {
  const small: number[] = [];
  for (let d = 1; d * d <= n; d++) if (n % d === 0) small.push(d);
  const large = small.map((d) => n / d).reverse();
  return [...small, ...large.filter((d) => !small.includes(d))];
}

/** SideNet layer that reads the memory: trunc(R / r). */
export function memoryLayer(
  shape: Pick<SideNetShape, "memoryBlock" | "reductionFactor">,
): number {
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

/** Number of a tensor's layer, if it is of one, and its name within it. */
export function splitTensorName(name: string): { layer: number | undefined; inner: string } {
  const [, layer, inner] = /^layers\.(\d+)\.(.*)$/.exec(name) ?? [];
  return layer === undefined ? { layer, inner: name } : { layer: Number(layer), inner };
}

/** The trainable part of LongMem. */
export interface SideNetCheckpoint {
  /** Sizes and wiring. */
  readonly shape: SideNetShape;
  /** Tensors by their names, as {@linkcode sideNetTensorShapes} has them. */
  readonly weights: TensorMap;
}
