/**
 * The fields of a backbone's sizes, and a kind of backbone.
 */
import { z } from "zod";
import { oneOf, positiveInteger } from "../declaration/fields.ts";
import type { NamedPath, Part } from "../declaration/part.ts";
import { type Problem, wrong } from "../declaration/problem.ts";
import { introducedAt } from "../declaration/identity.ts";
import { allowedWords } from "../did_you_mean.ts";
import {
  anySettings,
  architectureOf,
  architectures,
  defaultArchitecture,
} from "./architectures.ts";
import type { BackboneCheckpoint, BackboneShape } from "./shape.ts";
import type { TensorMap } from "../tensor.ts";
import type { TokenizerSource } from "../text/tokenizers/tokenizers.ts";

/**
 * Names of model sizes; their values are in `modelSizes` of `src/backbone/config.ts`, and for the SideNet beside it in
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
export const backboneSizeFields = () => ({
  architecture: introducedAt(
    z.enum(architectureNames()).describe(architectureNames().join(", ")),
    defaultArchitecture.name,
  ).exactOptional(),
  settings: anySettings().exactOptional(),
  size: size.exactOptional(),
  layers: positiveInteger.exactOptional(),
  hiddenDim: positiveInteger.exactOptional(),
  heads: positiveInteger.exactOptional(),
  feedForwardDim: positiveInteger.exactOptional(),
});

function architectureNames(): [string, ...string[]] {
  return architectures().map(({ name }) => name) as [string, ...string[]];
}

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

/** Fills in the sizes of a backbone that follow from those declared or named. */
export function fillSizes(
  { size, ...given }: NamedSize & Partial<BackboneShape>,
): Partial<BackboneShape> {
  const sizes = fillArchitecture({ ...(size && modelSizes[size]), ...given });
  const { hiddenDim } = sizes;
  return size === undefined || hiddenDim === undefined
    ? sizes
    : { feedForwardDim: 4 * hiddenDim, ...sizes };
}

/** Leaves the default architecture out, and fills in the settings of another. */
function fillArchitecture(
  { architecture: name, settings, ...sizes }: Partial<BackboneShape>,
): Partial<BackboneShape> {
  const given = settings && Object.keys(settings).length > 0 ? { settings } : {};
  if (name === undefined || name === defaultArchitecture.name) return { ...sizes, ...given };
  // Settings that do not go together are reported with the other problems.
  const filled = architectureOf({ architecture: name }).settings?.safeParse(settings ?? {});
  const complete = filled?.success ? { settings: filled.data } : given;
  return { ...sizes, architecture: name, ...complete };
}

/** Sizes and settings that do not go together. */
export function shapeProblems(shape: Partial<BackboneShape>, path: string): Problem[] {
  const { architecture: name, settings, ...sizes } = shape;
  const architecture = architectureOf(shape);
  const known = Object.keys(architecture.settings?.shape ?? {});
  const foreign = Object.keys(settings ?? {}).filter((field) => !known.includes(field));
  if (foreign.length > 0) {
    return foreign.map((field) => ({
      path: `${path}.settings.${field}`,
      message: `is not a setting of architecture "${architecture.name}": ` +
        (known.length > 0 ? allowedWords(field, known) : "it has none"),
    }));
  }
  const { hiddenDim, heads } = sizes;
  if (hiddenDim === undefined || heads === undefined) return [];
  if (name === undefined) {
    if (hiddenDim % heads === 0) return [];
    const rule = `must be a multiple of ${path}.heads`;
    return [wrong(`${path}.hiddenDim`, rule, hiddenDim, `multiples of ${heads}`)];
  }
  // The sizes filled in here do not matter for this check.
  const complete = { layers: 1, feedForwardDim: 1, vocabSize: 1, ...shape, hiddenDim, heads };
  const problem = architecture.problem(complete);
  return problem === undefined ? [] : [{ path, message: `is no ${name}: ${problem}` }];
}

/** Where a backbone comes from: a kind of backbone that declarations may name, whose weights are read or trained here. */
export type BackboneKind<Declaration, Config, From = unknown, Training = unknown> =
  & Part<Declaration, Config, From>
  & {
    /** Sizes as far as the declaration says them, and the path of the field that has them. */
    shapeOf(config: Config, path: string): DeclaredShape;
    /** Files and folders that it reads, the weights' first; of a model of the Hub that was not fetched whole, its name. */
    files(config: Config, path: string): Promise<NamedPath[]>;
  }
  & (
    | { readonly stored: StoredWeights<Config>; readonly trained?: undefined }
    | { readonly trained: TrainedWeights<Config, Training>; readonly stored?: undefined }
  );

/** How the weights of a kind of backbone are read. */
export interface StoredWeights<Config> {
  /**
   * Reads the weights; `commit`: of a model of the Hub.
   *
   * @throws {MissingDataError} Where a model of the Hub was not fetched, with the command that does.
   */
  read(config: Config): Promise<{ backbone: BackboneCheckpoint; commit?: string }>;
  /**
   * The tokenizer that lies beside the weights.
   *
   * @throws {TypeError} Where none does.
   */
  tokenizer(config: Config): Promise<TokenizerSource>;
}

/** How the weights of a kind of backbone are trained. */
export interface TrainedWeights<Config, Training> {
  training(config: Config): Training;
  /** Its shape without the vocabulary: the tokenizer's, or that of the checkpoint which it starts from. */
  sizes(config: Config): Omit<BackboneShape, "vocabSize">;
  /**
   * The shape and the weights that it starts from.
   *
   * @param vocabSize Tokens of the tokenizer; the embeddings of a checkpoint may be padded beyond them.
   * @throws {RangeError} Where a checkpoint is of another architecture or other sizes.
   */
  start(
    config: Config,
    vocabSize: number,
    seed: number,
  ): Promise<{ shape: BackboneShape; weights: TensorMap }>;
}

/** Sizes as far as a declaration says them. */
export interface DeclaredShape {
  readonly shape: Partial<BackboneShape>;
  /** Path of the field whose fields the sizes are. */
  readonly path: string;
}

/** The form of the type in which the device holds the matrices of a frozen model. */
export const frozenWeightsField = introducedAt(oneOf("float32", "float16"), "float32")
  .exactOptional();

/** The size that a backbone names, where it does. */
export function sizeOf(
  backbone: NamedSize & { readonly shape?: NamedSize & Partial<BackboneShape> },
): ModelSize | undefined {
  return (backbone.shape ?? backbone).size;
}
