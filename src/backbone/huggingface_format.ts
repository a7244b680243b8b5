/**
 * How a repository of Hugging Face holds a model of an architecture: `config.json` and tensors of other names and layouts.
 */
import type { BackboneShape } from "./shape.ts";

/** Where a tensor of ours lies in a file. */
export interface TensorSource {
  /** Name of the file's tensor, without the prefix. */
  readonly name: string;
  /** How it becomes ours; absent: as it is. */
  readonly layout?: TensorLayout;
}

/**
 * Layouts of linear maps.
 *
 * - `transposed`: stored [in, out].
 * - `columns`: stored [in, 3 out], the queries' columns first, then the keys' and the values'; `part` of the three. A bias is [3 out].
 * - `heads`: stored [H 3 D, in], rows of the queries, keys and values of one head after the other. A bias is [H 3 D].
 */
export type TensorLayout =
  | { readonly kind: "transposed" }
  | { readonly kind: "columns"; readonly part: 0 | 1 | 2 }
  | { readonly kind: "heads"; readonly part: 0 | 1 | 2; readonly heads: number };

/** The format of one architecture. */
export interface HuggingFaceFormat {
  /** Values of `model_type` in `config.json`. */
  readonly modelTypes: readonly string[];
  /** Prefix of all names but the head's; files of the bare model lack it. */
  readonly prefix: string;
  /** Names that the head has, beside the bare model, in one file or another. Beside tied embeddings it may be there: a copy of them. */
  readonly heads: readonly string[];
  /** Sizes from `config.json`. */
  readShape(config: ConfigReader): BackboneShape;
  /** Where each tensor lies. */
  source(name: string, shape: BackboneShape): TensorSource;
  /** Whether a file's tensor, by its name without the prefix, is a buffer and no weight. */
  isUnused(name: string): boolean;
}

/**
 * Fields of `config.json`, each under any of its spellings. Methods throw errors that name the file and the field, also where
 * two spellings have different values.
 */
export interface ConfigReader {
  /** A positive integer. */
  size(...names: string[]): number;
  /** A number of blocks. */
  layers(...names: string[]): number;
  /** A positive integer; undefined where it is absent or null. */
  optionalSize(...names: string[]): number | undefined;
  /** An integer from 0; the default where it is absent or null. */
  count(name: string, absent: number): number;
  /** A positive number; the default where it is absent or null. */
  positiveNumber(name: string, absent: number): number;
  /** A positive number that must be there. */
  requiredPositiveNumber(name: string): number;
  /** true or false; the default where it is absent, and false where it is null, as the official code takes it. */
  flag(name: string, absent: boolean): boolean;
  /** A word; the default where it is absent or null. */
  word(name: string, absent: string): string;
  /** Whatever JSON value stands there; undefined where it is absent or null. */
  value(name: string): unknown;
  /** Whether the field is there, be it null. */
  has(name: string): boolean;
  /** Names of all fields that are there. */
  keys(): string[];
  /** The fields of an object that stands there. */
  part(name: string): ConfigReader;
  /** @throws TypeError: the setting is not supported; `allowed` says which values are. */
  refuse(name: string, allowed: string): never;
}
