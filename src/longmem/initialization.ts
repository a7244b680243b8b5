import type { BackboneShape } from "../backbone/shape.ts";
import { elementCount, type HostTensor, type TensorMap } from "../tensor.ts";
import { Random } from "../random.ts";
import { type SideNetShape, sideNetTensorShapes } from "./sidenet_shape.ts";
import { InputRangeError } from "../errors.ts";

/** Which weights a SideNet starts from (specification section 9). */
export type SideNetInitialization =
  | {
    /** SideNet layer i copies backbone block `r*i + 1`, r being the reduction factor. */
    readonly kind: "paper";
  }
  | {
    /** SideNet layer i copies backbone block `blocks[i]`. */
    readonly kind: "blocks";
    /** One 0-based block of the backbone for each SideNet layer. */
    readonly blocks: readonly number[];
  }
  | {
    /** Random weights, as the official code has them without `--reload-ptm-layer`. */
    readonly kind: "random";
  };

/**
 * Weights that a SideNet starts from. The memory's gate starts at sigmoid(0) = 0.5 for every head.
 *
 * @param backbone The frozen model that the SideNet stands beside; copies share no memory with it.
 * @param seed Of random weights: the same seed gives the same weights on every machine.
 * @returns Tensors by their official names without the prefix `decoder.`.
 * @throws RangeError if there is not one block of the backbone for each layer.
 */
export function initializeSideNet(
  shape: SideNetShape,
  backbone: { shape: BackboneShape; weights: ReadonlyMap<string, HostTensor> },
  initialization: SideNetInitialization,
  seed: number | string,
): TensorMap {
  switch (initialization.kind) {
    case "paper": {
      const blocks = Array.from({ length: shape.layers }, (_, i) => shape.reductionFactor * i + 1);
      return copiedBlocks(shape, backbone, blocks);
    }
    case "blocks":
      return copiedBlocks(shape, backbone, initialization.blocks);
    case "random":
      return randomWeights(shape, backbone.shape, seed);
    default:
      return initialization satisfies never;
  }
}

/** Names in a backbone block of what a SideNet layer calls otherwise. */
const blockNames: readonly (readonly [sideNet: RegExp, block: string])[] = [
  [/^self_attn\.([qkv]|out)_proj\.weight$/, "attn.$1_proj.weight"],
  [/^fc1\.(weight|bias)$/, "mlp.fc_in.$1"],
  [/^fc2\.(weight|bias)$/, "mlp.fc_out.$1"],
  [/^(ln_1\.(?:weight|bias))$/, "$1"],
];

function copiedBlocks(
  shape: SideNetShape,
  backbone: { shape: BackboneShape; weights: ReadonlyMap<string, HostTensor> },
  blocks: readonly number[],
): TensorMap {
  const { layers: L } = backbone.shape;
  if (
    blocks.length !== shape.layers ||
    blocks.some((block) => !Number.isSafeInteger(block) || block < 0 || block >= L)
  ) {
    throw new InputRangeError(
      `Cannot initialise a SideNet as its ${shape.layers} layers must copy one block each: ` +
        `current blocks are ${blocks.join(", ")}, allowed are 0 to ${L - 1}`,
    );
  }
  const weights: TensorMap = new Map();
  for (const [name, sizes] of sideNetTensorShapes(shape, backbone.shape)) {
    if (name.endsWith("memory_bias")) {
      weights.set(name, { shape: sizes, data: new Float32Array(elementCount(sizes)) });
      continue;
    }
    const source = sourceOf(name, blocks);
    const tensor = backbone.weights.get(source);
    if (tensor?.shape.join() !== sizes.join()) {
      throw new InputRangeError(
        `Cannot initialise "${name}" from "${source}" as the backbone's tensor must be [${sizes}]: ` +
          `current value is ${tensor ? `[${tensor.shape}]` : "missing"}`,
      );
    }
    weights.set(name, { shape: sizes, data: tensor.data.slice() });
  }
  return weights;
}

/** Name of the backbone's tensor that a tensor of the SideNet starts as. */
function sourceOf(name: string, blocks: readonly number[]): string {
  const [, layer, inner] = /^layers\.(\d+)\.(.*)$/.exec(name) ?? [];
  if (layer === undefined) return name.replace(/^layer_norm\./, "transformer.ln_f.");
  const [pattern, block] = blockNames.find(([pattern]) => pattern.test(inner))!;
  return `transformer.h.${blocks[Number(layer)]}.${inner.replace(pattern, block)}`;
}

function randomWeights(
  shape: SideNetShape,
  backbone: BackboneShape,
  seed: number | string,
): TensorMap {
  const weights: TensorMap = new Map();
  for (const [name, sizes] of sideNetTensorShapes(shape, backbone)) {
    const data = new Float32Array(elementCount(sizes));
    const bound = uniformBound(name, backbone);
    if (bound > 0) {
      const random = new Random(`${seed}/${name}`);
      for (let i = 0; i < data.length; i++) data[i] = bound * (2 * random.uniform() - 1);
    } else if (/(ln_1|layer_norm)\.weight$/.test(name)) {
      data.fill(1);
    }
    weights.set(name, { shape: sizes, data });
  }
  return weights;
}

/** Largest absolute value of a random tensor; 0 for gate, LayerNorms and their biases. */
function uniformBound(name: string, { hiddenDim: E, feedForwardDim: F }: BackboneShape): number {
  if (/self_attn\.[qkv]_proj\.weight$/.test(name)) return Math.sqrt(3 / (2 * E)); // Xavier, gain 1/sqrt(2)
  if (name.endsWith("self_attn.out_proj.weight")) return Math.sqrt(3 / E); // Xavier
  if (/\.fc1\.(weight|bias)$/.test(name)) return 1 / Math.sqrt(E);
  if (/\.fc2\.(weight|bias)$/.test(name)) return 1 / Math.sqrt(F);
  return 0;
}
