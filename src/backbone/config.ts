/**
 * The fields of a backbone's sizes, and of a backbone that is read from a file.
 */
import { z } from "zod";
import { oneOf, positiveInteger, text } from "../declaration/fields.ts";
import type { Accepts, Assert, Part } from "../declaration/part.ts";
import { type Problem, wrong } from "../declaration/problem.ts";
import type { BackboneShape } from "./shape.ts";

/**
 * Names of model sizes; what each stands for is in `modelSizes` of `src/backbone/config.ts`, and for the SideNet beside it in
 * `sidenetSizes` of `src/longmem/config.ts`.
 *
 * - `tiny`: 4 blocks of width 64, seconds of training; that of `experiments/novels/language_modeling_small.ts`.
 * - `mini`: 4 blocks of width 128; that of the chronicle's backbone.
 * - `small`: 6 blocks of width 128, an hour on a processor core; that of `experiments/novels/`.
 * - `gpt2-medium`: 24 blocks of width 1024; the paper's and the released model's, whose SideNet caches block 17.
 */
export type ModelSize = "tiny" | "mini" | "small" | "gpt2-medium";

/** A size that is named; each field beside it that is declared, too, counts more. */
export interface NamedSize {
  /** The size whose fields are the defaults of those beside it; absent: they are to be declared. */
  readonly size?: ModelSize;
}

/** The named sizes; {@linkcode ModelSize} says whose they are. */
export const modelSizes: Readonly<
  Record<ModelSize, Pick<BackboneShape, "layers" | "hiddenDim" | "heads">>
> = {
  tiny: { layers: 4, hiddenDim: 64, heads: 4 },
  mini: { layers: 4, hiddenDim: 128, heads: 4 },
  small: { layers: 6, hiddenDim: 128, heads: 4 },
  "gpt2-medium": { layers: 24, hiddenDim: 1024, heads: 16 }, // specification section 1
};

/** The form of a named size. */
export const size = oneOf("tiny", "mini", "small", "gpt2-medium");

/** Forms of the sizes of a backbone, each of which may be left to a named size or to the others. */
export const backboneSizeFields = {
  size: size.exactOptional(),
  layers: positiveInteger.exactOptional(),
  hiddenDim: positiveInteger.exactOptional(),
  heads: positiveInteger.exactOptional(),
  feedForwardDim: positiveInteger.exactOptional(),
};

/** Sizes that a backbone needs, with the values that each may have. */
const neededSizes = {
  layers: "positive integers",
  hiddenDim: "positive integers",
  heads: "positive integers",
};

/** Sizes that are neither declared nor those of a named size, or the name of one that decides nothing. */
export function missingSizes(
  declared: NamedSize,
  path: string,
  needed: Readonly<Record<string, string>> = neededSizes,
): Problem[] {
  const missing = Object.entries(needed).filter(([field]) => !(field in declared));
  if (declared.size === undefined) {
    return missing.map(([field, allowed]) => ({
      path: `${path}.${field}`,
      message: `is missing, as no size is named: allowed are ${allowed}`,
    }));
  }
  return missing.length > 0 ? [] : [{
    path: `${path}.size`,
    message: `must not be named beside ${
      Object.keys(needed).join(", ")
    }, as it would decide nothing`,
  }];
}

/** The sizes of a backbone as far as they are declared or named, and what follows from them. */
export function fillSizes(
  { size, ...given }: NamedSize & Partial<BackboneShape>,
): Partial<BackboneShape> {
  const sizes = { ...(size && modelSizes[size]), ...given };
  const { hiddenDim } = sizes;
  return size === undefined || hiddenDim === undefined
    ? sizes
    : { feedForwardDim: 4 * hiddenDim, ...sizes };
}

/** Heads that do not divide the width. */
export function headProblems(
  { hiddenDim, heads }: Partial<BackboneShape>,
  path: string,
): Problem[] {
  if (hiddenDim === undefined || heads === undefined || hiddenDim % heads === 0) return [];
  return [wrong(
    `${path}.hiddenDim`,
    `must be a multiple of ${path}.heads`,
    hiddenDim,
    `multiples of ${heads}`,
  )];
}

/** Where a backbone comes from: a kind of backbone that declarations may name. */
export interface BackboneKind<Declaration, Config, From = unknown>
  extends Part<Declaration, Config, From> {
  /** Sizes as far as the declaration says them, and the path of the field that has them. */
  shapeOf(config: Config, path: string): DeclaredShape;
}

/** Sizes as far as a declaration says them. */
export interface DeclaredShape {
  readonly shape: Partial<BackboneShape>;
  /** Path of the field whose fields the sizes are. */
  readonly path: string;
}

/** Weights from a file. */
export interface CheckpointBackboneConfig {
  /** Weights from a file: official fairseq `.pt`, `.safetensors`, or our own folder. */
  readonly kind: "checkpoint";
  /** The file or folder, relative to the folder in which the command runs. */
  readonly path: string;
  /**
   * Sizes that the checkpoint must have. With all of them costs can be told before there is a file; a bare safetensors
   * file does not say its `heads`.
   */
  readonly shape?: Partial<BackboneShape>;
}

/** Weights from a file, as declared. */
export type CheckpointBackboneDeclaration =
  & Omit<CheckpointBackboneConfig, "shape">
  & { readonly shape?: NamedSize & Partial<BackboneShape> };

const checkpointSchema = z.strictObject({
  kind: z.literal("checkpoint"),
  path: text,
  shape: z.strictObject({ ...backboneSizeFields, vocabSize: positiveInteger.exactOptional() })
    .exactOptional(),
});
type _CheckpointAccepted = Assert<Accepts<typeof checkpointSchema, CheckpointBackboneDeclaration>>;

/** A backbone from a file, as a part of declarations. */
export const checkpointBackbone: BackboneKind<
  CheckpointBackboneDeclaration,
  CheckpointBackboneConfig
> = {
  schema: checkpointSchema,
  fill: ({ shape, ...fields }) => ({ ...fields, ...(shape && { shape: fillSizes(shape) }) }),
  check: ({ shape = {} }, path) => headProblems(shape, `${path}.shape`),
  shapeOf: ({ shape = {} }, path) => ({ shape, path: `${path}.shape` }),
};

/** The size that a backbone names, where it does. */
export function sizeOf(
  backbone: CheckpointBackboneDeclaration | (NamedSize & { readonly kind: string }),
): ModelSize | undefined {
  return "shape" in backbone
    ? backbone.shape?.size
    : "size" in backbone
    ? backbone.size
    : undefined;
}
