import type { BackboneShape } from "../backbone/shape.ts";
import type { MemoryConfig } from "../memory/config.ts";
import type { MemoryDescription } from "../memory/memory_file.ts";
import type { DeviceDescription } from "../runtime/device.ts";
import type { Padding } from "./padding.ts";
import type { MemoryRange, MemoryReading } from "./explanation.ts";
import type { Network } from "./networks.ts";
import type { SaveMemoryOptions } from "./saved_memory.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import type { TokenWindow } from "./token_window.ts";

/**
 * A batch of segments. Padding is what `lengths` or `mask` says, whatever its ids; only of the official architecture id 1 is
 * padding, too, wherever it stands.
 */
export interface Batch extends Padding {
  /** Rows B; the tokens are [B, T], row by row. */
  batch?: number;
  /** Reads the memory but writes nothing to it. */
  readOnly?: boolean;
  /**
   * Tokens at the beginning of each row, padding included, that were written by passes before and are shown again, as by a sliding
   * window: those behind them alone are written (default 0).
   */
  beforeTokens?: number;
}

/** Chunks that queries retrieve from a memory. */
export interface RetrievedChunks {
  /** Ages of chunks [B, H, T, n], 0 the newest of the row's bank; -1 where there is no chunk left to retrieve. */
  readonly ages: Int32Array;
  /** Heads H. */
  readonly heads: number;
  /** Positions T of a row. */
  readonly positions: number;
  /** Chunks n of a query. */
  readonly chunks: number;
  /** Chunks that the memory of each row holds, from which they are [B]. */
  readonly stored: readonly number[];
  /** Score of each chunk [B, H, T, n]: the inner product of the query with its mean key; absent where that is not known. */
  readonly scores?: Float32Array;
}

/** The remembered states that are nearest to each of a batch. */
export interface Neighbours extends RetrievedChunks {
  /** (|q|^2 - |q - k|^2) / 2 of a state q and a remembered one k [B, 1, T, n]: the larger, the nearer. */
  readonly closeness: Float32Array;
}

/**
 * A model with a long memory. Every pass retrieves from the memory as the passes before left it, then writes its own keys
 * and values.
 */
export interface LongMemModel {
  /** Where it runs: which engine, on what, and why `auto` took it. */
  readonly device: DeviceDescription;
  /** Sizes of the backbone: its vocabulary, layers and widths. */
  readonly backboneShape: BackboneShape;
  /** The memory, with every field that was left to the SideNet, the protocol or the paper. */
  readonly memory: MemoryConfig;
  /**
   * Logits [B, T, V] of every position of token ids [B, T], row by row.
   *
   * @throws RangeError for ids outside the vocabulary or a number of tokens that B does not divide.
   */
  forward(
    tokens: Int32Array,
    options?: Batch & { network?: Network },
  ): Promise<{ logits: Float32Array }>;
  /**
   * Negative log-likelihoods [B, T], in nats, of the target that follows each token; or [B, n], where there are fewer
   * targets, of those that follow the last n tokens of each row.
   */
  score(
    tokens: Int32Array,
    targets: Int32Array,
    options?: Batch & { network?: Network },
  ): Promise<Float32Array>;
  /** Scores, and says which token is most likely to follow each (the first of equally likely ones): ids [B, T]. */
  choose(
    tokens: Int32Array,
    targets: Int32Array,
    options?: Batch & { network?: Network },
  ): Promise<{ nll: Float32Array; choices: Int32Array }>;
  /**
   * Returns each position's reads from the memory (which chunks, with which weights, and the gates of the heads), and
   * how likely its targets are with the memory, without it, and without parts of it. Nothing is written.
   *
   * @param tokens Token ids [T], one row.
   * @param targets The tokens that follow the last n of them [n].
   * @param options `hidden`: parts of the memory, or lists of parts; each costs a row of the pass.
   */
  explain(
    tokens: Int32Array,
    targets: Int32Array,
    options?: { readonly hidden?: readonly (MemoryRange | readonly MemoryRange[])[] },
  ): Promise<MemoryReading>;
  /**
   * Opens an empty window of at most `contextTokens` tokens, for text that grows token by token; a token costs a pass of itself
   * until the window slides, and from then on a pass over the window.
   *
   * @throws RangeError where `contextTokens` is not a positive integer.
   */
  openWindow(options: { contextTokens: number; network?: Network }): TokenWindow;
  /**
   * Which chunks the queries of a segment [B, T] retrieve from the memory, best first; nothing is written.
   *
   * @throws TypeError where there is no SideNet with a memory.
   */
  retrieved(tokens: Int32Array, options?: { batch?: number }): Promise<RetrievedChunks>;
  /** Writes segments [B, T] to the memory without computing anything else. */
  remember(tokens: Int32Array, options?: Omit<Batch, "readOnly">): Promise<void>;
  /** Chunks stored in each bank; empty before the first pass. */
  readonly memoryFillChunks: number[];
  /** Clears the memory: all of it, or that of some rows where each has a bank of its own. */
  resetMemory(rows?: readonly number[]): Promise<void>;
  /** Tokens that each bank has been given since it was emptied, those included that have left it or filled no chunk. */
  readonly rememberedTokens: number[];
  /**
   * Token ids of a part of one row's memory, in order: of `range` among all tokens that it has been given since it was
   * emptied. Chunks that reach into the range are whole; those that have left the memory are missing.
   */
  rememberedIds(range: MemoryRange): Int32Array<ArrayBuffer>;
  /**
   * Writes the memory to a safetensors file, atomically. The file records which backbone, block and memory
   * wrote it, and of which texts, and carries the hash of its bytes.
   *
   * @throws InputError where nothing has been written to the memory yet, or the file cannot be written.
   */
  saveMemory(path: string, options?: SaveMemoryOptions): Promise<MemoryDescription>;
  /** The bytes that `saveMemory` would write, to be kept or sent otherwise. */
  memoryBytes(options?: SaveMemoryOptions): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * Replaces the memory's contents by those that `saveMemory` wrote: of this model or of another with the same backbone, block and
   * form of chunks. It is read in slices, once to check its hash and once more into the memory; later passes append to it.
   *
   * @param file Path of the file, or its bytes.
   * @param options `tokenizer`: that of the ids that the model is given, which must be the writer's where the file names one.
   * @returns The description in the file.
   * @throws InputError where another model wrote it, with everything that differs, or where it is damaged: the memory stays as it was.
   */
  restoreMemory(
    file: string | Uint8Array,
    options?: { readonly tokenizer?: Pick<Tokenizer, "hash"> },
  ): Promise<MemoryDescription>;
  /**
   * The same model with a memory of its own, which shares weights and compiled graphs with this one: of any number of them one
   * pass runs at a time. To be closed for its memory; closing this model ends all of them.
   *
   * @param options `copied`: the memory begins as a copy of this one's; absent: it is empty.
   */
  withOwnMemory(options?: { copied?: boolean }): Promise<LongMemModel>;
  /** Frees the model and its device, once the calls before it have ended. Every later call fails, except another `close`. */
  close(): Promise<void>;
  /** Closes the model where an `await using` declaration ends. */
  [Symbol.asyncDispose](): Promise<void>;
}
