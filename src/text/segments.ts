/**
 * Segments: T consecutive tokens and, for each, the token that follows it.
 */
import type { TokenizedDocument } from "./document_tokens.ts";
import { InputRangeError } from "../errors.ts";

/** A batch of consecutive segments: row b continues row b of the batch before, unless `starts[b]`. */
export interface SegmentBatch {
  /** Token ids [B, T]. */
  readonly tokens: Int32Array<ArrayBuffer>;
  /** The id that follows each token [B, T]; `<pad>` where the loss is to ignore it. */
  readonly targets: Int32Array<ArrayBuffer>;
  /** Targets of each row that count [B]: the first so many; absent: all. Those of the backbone's padding id never do. */
  readonly targetTokens?: readonly number[];
  /** Whether row b begins a document, or the stream [B]. */
  readonly starts: readonly boolean[];
  /** Epoch of the batch, from 0. */
  readonly epoch: number;
  /** Whether the batch is the last of its epoch. */
  readonly endsEpoch: boolean;
}

/** An endless stream of batches whose rows read on where they stopped, as a memory needs it. */
export interface SegmentStream {
  /** Rows B of a batch. */
  readonly batchSize: number;
  /** Tokens T of a segment. */
  readonly contextTokens: number;
  /** Batches of an epoch. */
  readonly stepsPerEpoch: number;
  next(): SegmentBatch;
  /** Where the stream stands: a JSON value for `seek`. */
  position(): unknown;
  /**
   * Goes to a position, so that the batches are those that followed it.
   *
   * @throws {RangeError} If the position is not of a stream like this one.
   */
  seek(position: unknown): void;
}

export interface Segment {
  /** Token ids [T]; `<pad>` after the document's end. */
  readonly tokens: Int32Array<ArrayBuffer>;
  /** The id that follows each token [T]; `<pad>` after the document's end. */
  readonly targets: Int32Array<ArrayBuffer>;
  /** Targets that are not `<pad>`: the first so many. */
  readonly targetTokens: number;
}

/** A document cut for evaluation. */
export interface DocumentSegments {
  readonly name: string;
  /** Segments in order; they do not overlap, and every token but the first `<s>` is a target once. */
  readonly segments: readonly Segment[];
  /** Targets of all segments: the tokens of the document less one. */
  readonly targetTokens: number;
  readonly words: number;
}

/**
 * Cuts one document into segments for evaluation; the last is padded on the right.
 *
 * @throws {RangeError} If the document has fewer than two tokens.
 */
export function cutDocument(
  document: TokenizedDocument,
  options: { readonly contextTokens: number; readonly pad: number },
): DocumentSegments {
  const { contextTokens: T, pad } = options;
  const targetTokens = countTargets(document);
  const segments: Segment[] = [];
  for (let start = 0; start < targetTokens; start += T) {
    const end = Math.min(start + T, targetTokens);
    const tokens = new Int32Array(T).fill(pad), targets = new Int32Array(T).fill(pad);
    tokens.set(document.tokens.subarray(start, end));
    targets.set(document.tokens.subarray(start + 1, end + 1));
    segments.push({ tokens, targets, targetTokens: end - start });
  }
  return { name: document.name, segments, targetTokens, words: document.words };
}

/** Joins token ids. */
export function concatenate(parts: readonly Int32Array[]): Int32Array<ArrayBuffer> {
  const all = new Int32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}

/** Whether a value counts something: an integer from 0 that JavaScript holds exactly. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && value as number >= 0;
}

/** Cuts tokens into consecutive segments of `contextTokens` each, of which the last may be shorter. */
export function cutSegments(
  tokens: ArrayLike<number>,
  contextTokens: number,
): Int32Array<ArrayBuffer>[] {
  const all = Int32Array.from(tokens);
  return Array.from(
    { length: Math.ceil(all.length / contextTokens) },
    (_, i) => all.slice(i * contextTokens, (i + 1) * contextTokens),
  );
}

/**
 * Number of tokens of a document that have a token before them.
 *
 * @throws {RangeError} If there are none.
 */
export function countTargets(document: TokenizedDocument): number {
  if (document.tokens.length < 2) {
    throw new InputRangeError(
      `Cannot cut document "${document.name}" into segments as it must have two tokens or more: ` +
        `current value is ${document.tokens.length}`,
    );
  }
  return document.tokens.length - 1;
}
