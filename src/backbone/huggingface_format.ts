/**
 * How a repository of Hugging Face holds a model of an architecture: `config.json` and tensors of other names and layouts.
 */
import type { ConfigReader } from "./config_reader.ts";
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
  | { readonly kind: "columns" | "heads"; readonly part: 0 | 1 | 2; readonly heads: number };

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
