/**
 * Starts of a SideNet: where its first weights come from. Each is a file in `starts/` and a line in `starts.ts`.
 */
import { z } from "zod";
import { isGate } from "../backbone/architecture.ts";
import { architectureOf } from "../backbone/architectures.ts";
import type { BackboneShape } from "../backbone/shape.ts";
import { nonNegativeNumber } from "../declaration/fields.ts";
import { introducedAt } from "../declaration/identity.ts";
import type { Problem } from "../declaration/problem.ts";
import type { Kind } from "../declaration/registry.ts";
import { InputRangeError } from "../errors.ts";
import { elementCount, type HostTensor, type TensorMap } from "../tensor.ts";
import type { DeclaredBlocks } from "./config.ts";
import { type SideNetShape, sideNetTensorShapes, splitTensorName } from "./sidenet_shape.ts";

/** A kind of start that declarations may name. */
export interface StartKind<Start = unknown> extends Kind {
  /** A strict object of its own fields and {@linkcode startFields}. */
  readonly schema: z.ZodType<Start>;
  /** Values that do not fit a SideNet, which stands at `path`. */
  check?(
    start: Start,
    path: string,
    sidenet: DeclaredBlocks & Pick<SideNetShape, "reductionFactor">,
  ): Problem[];
  /** The backbone's block that a layer starts as a copy of; absent: of none. */
  copiedBlock?(start: Start, layer: number, reductionFactor: number): number;
  /** The weights by their names, as `sideNetTensorShapes` has them, gates 0; copies share no memory with the backbone. */
  weights(start: Start, beside: StartSurroundings): TensorMap;
}

/** A SideNet that is to start, and the frozen model that it stands beside. */
export interface StartSurroundings {
  readonly shape: SideNetShape;
  readonly backbone: {
    readonly shape: BackboneShape;
    readonly weights: ReadonlyMap<string, HostTensor>;
  };
  /** Of random weights. */
  readonly seed: number | string;
}

/** Forms of the fields that every start has. */
export const startFields = {
  outputScale: introducedAt(nonNegativeNumber, 1).exactOptional(),
  memoryShare: introducedAt(
    z.number().gt(0).lt(1).describe("numbers above 0, below 1"),
    0.5,
  ).exactOptional(),
};

/**
 * Weights of which each layer is a copy of a block.
 *
 * @param blocks One 0-based block of the backbone for each layer.
 * @throws RangeError if they are not.
 */
export function copyBlocks(
  blocks: readonly number[],
  { shape, backbone }: StartSurroundings,
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
  const { layer, inner } = splitTensorName(name);
  if (layer === undefined) return sideNet.sourceOfFinal(inner);
  return blockPrefix(blocks[layer]) + sideNet.sourceInBlock(inner);
}
