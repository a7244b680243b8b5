/**
 * The fields of a backbone that is read from a file.
 */
import { z } from "zod";
import {
  type BackboneKind,
  backboneSizeFields,
  fillSizes,
  frozenWeightsField,
  type NamedSize,
  shapeProblems,
} from "../backbone/config.ts";
import type { BackboneShape, FrozenType } from "../backbone/shape.ts";
import { positiveInteger, text } from "../declaration/fields.ts";
import type { Accepts, Assert } from "../declaration/part.ts";
import { composed } from "../declaration/registry.ts";
import { loadBackboneWeights } from "./checkpoint.ts";
import { tokenizerBeside } from "./folder.ts";
import { fetchedPath, localPath } from "./hub_cache.ts";

/** Weights from a file. */
export interface CheckpointBackboneConfig {
  /** Weights from a file: official fairseq `.pt`, `.safetensors`, our own folder, or one of Hugging Face's format. */
  readonly kind: "checkpoint";
  /** The file or folder, relative to the folder in which the command runs, or a fetched model of the Hub, `hf:OWNER/NAME`. */
  readonly path: string;
  /**
   * Sizes that the checkpoint must have. With all of them costs can be told before there is a file; a bare safetensors
   * file does not say its `heads`.
   */
  readonly shape?: Partial<BackboneShape>;
  /** Type in which the device holds the matrices of the frozen model (default `float32`); arithmetic is float32 in any case. */
  readonly frozenWeights?: FrozenType;
}

/** Weights from a file, as declared. */
export type CheckpointBackboneDeclaration =
  & Omit<CheckpointBackboneConfig, "shape">
  & { readonly shape?: NamedSize & Partial<BackboneShape> };

const schema = composed(() =>
  z.strictObject({
    kind: z.literal("checkpoint"),
    path: text,
    shape: z.strictObject({ ...backboneSizeFields(), vocabSize: positiveInteger.exactOptional() })
      .exactOptional(),
    frozenWeights: frozenWeightsField,
  })
);
type _SchemaAcceptsTheType = Assert<
  Accepts<ReturnType<typeof schema>, CheckpointBackboneDeclaration>
>;

/** A backbone from a file, as a part of declarations. */
export const checkpointBackbone = {
  get schema() {
    return schema();
  },
  fill: ({ shape, ...fields }) => ({ ...fields, ...(shape && { shape: fillSizes(shape) }) }),
  check: ({ shape = {} }, path) => shapeProblems(shape, `${path}.shape`),
  shapeOf: ({ shape = {} }, path) => ({ shape, path: `${path}.shape` }),
  files: async (config, path) => [{ field: `${path}.path`, path: await fetchedPath(config.path) }],
  stored: {
    async read({ path, shape, frozenWeights: frozenType }) {
      const backbone = await loadBackboneWeights(path, shape ? { shape } : {});
      return { backbone: { ...backbone, ...(frozenType && { frozenType }) } };
    },
    tokenizer: async ({ path }) => await tokenizerBeside(await localPath(path)),
  },
} satisfies BackboneKind<CheckpointBackboneDeclaration, CheckpointBackboneConfig>;
