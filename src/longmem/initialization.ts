import { architectureOf } from "../backbone/architectures.ts";
import { isGate } from "../backbone/architecture.ts";
import type { BackboneShape } from "../backbone/shape.ts";
import { elementCount, type HostTensor, type TensorMap } from "../tensor.ts";
import { Random } from "../random.ts";
import { type SideNetShape, sideNetTensorShapes } from "./sidenet_shape.ts";
import { InputRangeError } from "../errors.ts";

/** Which weights a SideNet starts from (specification section 9). */
export type SideNetInitialization = SideNetSource & {
  /**
   * Factor of the weights and biases whose outputs layers add to the stream, after attention and MLP (default 1). A smaller one
   * starts the SideNet closer to its backbone; at 0 it is silent: it starts as the sum of the backbone's residuals.
   */
  readonly outputScale?: number;
  /** Share of the memory in the output of each head, above 0 and below 1, at which its gate starts (default 0.5: the official sigmoid(0)). */
  readonly memoryShare?: number;
};

/** Where the weights come from. */
export type SideNetSource =
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
 * Weights that a SideNet starts from. A gate is the sigmoid of its bias, which starts so that all heads have `memoryShare`.
 *
 * @param backbone The frozen model that the SideNet stands beside; copies share no memory with it.
 * @param seed Of random weights: the same seed gives the same weights on every machine.
 * @returns Tensors by their names, as `sideNetTensorShapes` has them.
 * @throws RangeError if there is not one block of the backbone for each layer, `outputScale` is negative, or `memoryShare` is not between 0 and 1.
 */
export function initializeSideNet(
  shape: SideNetShape,
  backbone: { shape: BackboneShape; weights: ReadonlyMap<string, HostTensor> },
  initialization: SideNetInitialization,
  seed: number | string,
): TensorMap {
  const { outputScale = 1, memoryShare = 0.5 } = initialization;
  if (!(outputScale >= 0 && outputScale < Infinity)) {
    throw new InputRangeError(
      `Cannot initialise a SideNet as outputScale must be a number from 0: current value is ${outputScale}`,
    );
  }
  if (!(memoryShare > 0 && memoryShare < 1)) {
    throw new InputRangeError(
      `Cannot initialise a SideNet as memoryShare must be above 0 and below 1: current value is ${memoryShare}`,
    );
  }
  const weights = unscaledWeights(shape, backbone, initialization, seed);
  const { sideNet } = architectureOf(backbone.shape);
  for (const [name, { data }] of weights) {
    const { layer, inner } = partsOf(name);
    if (isGate(name)) data.fill(Math.log(memoryShare / (1 - memoryShare)));
    if (layer === undefined || !sideNet.isOutput(inner)) continue;
    for (let i = 0; i < data.length; i++) data[i] *= outputScale;
  }
  return weights;
}

function unscaledWeights(
  shape: SideNetShape,
  backbone: { shape: BackboneShape; weights: ReadonlyMap<string, HostTensor> },
  initialization: SideNetSource,
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
    if (isGate(name)) {
      weights.set(name, { shape: sizes, data: new Float32Array(elementCount(sizes)) });
      continue;
    }
    const source = sourceOf(name, blocks, backbone.shape);
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
function sourceOf(name: string, blocks: readonly number[], backbone: BackboneShape): string {
  const { sideNet, blockPrefix } = architectureOf(backbone);
  const { layer, inner } = partsOf(name);
  if (layer === undefined) return sideNet.sourceOfFinal(inner);
  return blockPrefix(blocks[layer]) + sideNet.sourceInBlock(inner);
}

/** Number of a tensor's layer, if it is of one, and its name within it. */
function partsOf(name: string): { layer: number | undefined; inner: string } {
  const [, layer, inner] = /^layers\.(\d+)\.(.*)$/.exec(name) ?? [];
  return layer === undefined ? { layer, inner: name } : { layer: Number(layer), inner };
}

function randomWeights(
  shape: SideNetShape,
  backbone: BackboneShape,
  seed: number | string,
): TensorMap {
  const { sideNet } = architectureOf(backbone);
  const weights: TensorMap = new Map();
  for (const [name, sizes] of sideNetTensorShapes(shape, backbone)) {
    const data = new Float32Array(elementCount(sizes));
    const { inner } = partsOf(name);
    const bound = sideNet.uniformBound(inner, backbone);
    if (bound > 0) {
      const random = new Random(`${seed}/${name}`);
      for (let i = 0; i < data.length; i++) data[i] = bound * (2 * random.uniform() - 1);
    } else if (sideNet.isGain(inner)) {
      data.fill(1);
    }
    weights.set(name, { shape: sizes, data });
  }
  return weights;
}
