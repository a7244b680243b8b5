/**
 * The fields of a SideNet that is read from a file.
 */
import { z } from "zod";
import { modelSizes, type NamedSize, size } from "../backbone/config.ts";
import { positiveInteger, text } from "../declaration/fields.ts";
import type { Accepts, Assert } from "../declaration/part.ts";
import { wrong } from "../declaration/problem.ts";
import { hashFrozen } from "../formats/tensor_hash.ts";
import { type SideNetKind, sidenetSizes, wiringFields } from "../longmem/config.ts";
import type { SideNetShape } from "../longmem/sidenet_shape.ts";
import { loadSideNetWeights } from "./checkpoint.ts";

/** A SideNet that has been trained with a memory; an adaptation trains it further. */
export interface CheckpointSideNetConfig {
  /** Weights from a file: official LongMem `.pt`, `.safetensors`, or our own folder. */
  readonly kind: "checkpoint";
  /** The file or folder, relative to the folder in which the command runs. */
  readonly path: string;
  /**
   * Sizes that the checkpoint must have. With all of them costs can be told before there is a file; a bare safetensors file
   * does not say its `memoryBlock`.
   */
  readonly shape?: Partial<SideNetShape>;
}

/** Such a SideNet as declared. */
export type CheckpointSideNetDeclaration =
  & Omit<CheckpointSideNetConfig, "shape">
  & { readonly shape?: NamedSize & Partial<SideNetShape> };

const schema = z.strictObject({
  kind: z.literal("checkpoint"),
  path: text,
  shape: z.strictObject({
    size: size.exactOptional(),
    layers: positiveInteger.exactOptional(),
    ...wiringFields,
  }).exactOptional(),
});
type _SchemaAcceptsTheType = Assert<Accepts<typeof schema, CheckpointSideNetDeclaration>>;

/** A SideNet from a file, as a part of declarations. */
export const checkpointSideNet: SideNetKind<
  CheckpointSideNetDeclaration,
  CheckpointSideNetConfig
> = {
  schema,
  fill: ({ shape, ...fields }) => ({ ...fields, ...(shape && { shape: fillShape(shape) }) }),

  check({ shape: { layers, reductionFactor } = {} }, path, { layers: blocks }) {
    if (!layers || !reductionFactor || !blocks || layers * reductionFactor === blocks) return [];
    return [wrong(
      `${path}.shape.layers`,
      `must be the backbone's layers divided by ${path}.shape.reductionFactor`,
      layers,
      `${blocks / reductionFactor} for ${blocks} layers`,
    )];
  },

  isTrained: true,
  shapeOf: ({ shape = {} }) => shape,
  readShape: async ({ path, shape }, backbone) =>
    (await loadSideNetWeights(path, backbone, shape ? { shape } : {})).shape,
  files: ({ path }, field) => [{ field: `${field}.path`, path }],
  start: ({ path, shape }, backbone) =>
    loadSideNetWeights(path, backbone.shape, {
      ...(shape ? { shape } : {}),
      backboneHash: hashFrozen(backbone.weights),
    }),
};

function fillShape({ size, ...given }: NamedSize & Partial<SideNetShape>): Partial<SideNetShape> {
  if (size === undefined) return given;
  const { reductionFactor } = { ...sidenetSizes[size], ...given };
  return { layers: modelSizes[size].layers / reductionFactor, ...sidenetSizes[size], ...given };
}
