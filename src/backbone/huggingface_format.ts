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

/** How a tensor of ours lies in one of the file; a bias as the rows of its linear map do. */
export interface TensorLayout {
  /** Whether the file has a matrix as [in, out]. */
  readonly transposed?: boolean;
  /** Whether each of its numbers is stored less 1; then nothing else differs. */
  readonly lessOne?: boolean;
  /** Its rows among those of the file; absent: they are the same. */
  readonly rows?: FileRows;
}

/** Rows of a file's tensor that are ours: those of a fused one, or ours in another order. */
export interface FileRows {
  /** All that the file has. */
  readonly count: number;
  /** Where a row of ours lies among them. */
  readonly at: (row: number) => number;
}

/** The format of one architecture. */
export interface HuggingFaceFormat {
  /** Values of `model_type` in `config.json`. */
  readonly modelTypes: readonly string[];
  /** Prefix of all names but the head's; files of the bare model lack it. */
  readonly prefix: string;
  /** Prefixes that stand in its place in some files; absent: there are none. */
  readonly otherPrefixes?: readonly string[];
  /** Names that the head's weight has, beside the bare model, in one file or another. Beside tied embeddings it may be there: a copy of them. */
  readonly heads: readonly string[];
  /** Sizes from `config.json`. */
  readShape(config: ConfigReader): BackboneShape;
  /** Where each tensor lies. */
  source(name: string, shape: BackboneShape): TensorSource;
  /** Whether a file's tensor, by its name without the prefix, is a buffer and no weight. */
  isUnused(name: string): boolean;
}

/** Whether a file's tensor is of the head: its weight or bias. */
export function isOfHead({ heads }: HuggingFaceFormat, name: string): boolean {
  return heads.includes(name.replace(/\.bias$/, ".weight"));
}
