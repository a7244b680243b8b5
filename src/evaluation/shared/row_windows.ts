import { padId } from "../../backbone/shape.ts";
import type { Batch } from "../../longmem/longmem_model.ts";
import { concatenate } from "../../text/segments.ts";
import { type SegmentRows, tokensOfRow } from "./language_model.ts";

/** The part of a row's text that a language model sees. */
export interface WindowOptions {
  /** Tokens T of a segment: the stride of the window. */
  readonly contextTokens: number;
  /** Tokens W of the window: a segment is scored after the W - T tokens before it; at least T. */
  readonly windowTokens: number;
  /** Whether all rows are asked about the text that row 0 has read. */
  readonly shared: boolean;
}

/** Rows of tokens without the fields that windows do not use. */
export type ReadRows = Pick<SegmentRows, "tokens" | "rows" | "lengths">;

/** The last tokens that each row has read. */
export class RowTexts {
  readonly #mostTokens: number;
  readonly #shared: boolean;
  readonly #read = new Map<number, Int32Array>();

  /** Holds at most so many tokens of a row; `shared`: row 0 alone reads, for all. */
  constructor(mostTokens: number, { shared }: Pick<WindowOptions, "shared">) {
    this.#mostTokens = mostTokens;
    this.#shared = shared;
  }

  /** The text of a row. */
  of(row: number): Int32Array {
    return this.#read.get(this.#shared ? 0 : row) ?? new Int32Array();
  }

  /** Forgets the text of a row. */
  forget(row: number): void {
    this.#read.delete(row);
  }

  /** Adds a segment to the text of its rows. */
  add(segment: ReadRows): void {
    for (let row = 0; row < segment.rows; row++) {
      const all = concatenate([this.of(row), tokensOfRow(segment, row)]);
      this.#read.set(row, all.subarray(Math.max(0, all.length - this.#mostTokens)));
    }
  }
}

/**
 * The last tokens that the rows have read, and segments after them. At the beginning of a document the window grows, then it slides.
 *
 * The tokens before are padded on the left, hidden from attention, to T times a power of two: rows that hold unlike numbers
 * of tokens run together, and few lengths have to be compiled.
 */
export class RowWindows extends RowTexts {
  readonly #options: WindowOptions;

  constructor(options: WindowOptions) {
    super(options.windowTokens - options.contextTokens, options);
    this.#options = options;
  }

  /**
   * The tokens of a segment behind those that its rows have read.
   *
   * @returns Tokens [B, P + T], and as what they are passed: 1 for each that is not padding, and P.
   */
  show({ tokens, rows, lengths }: ReadRows): { tokens: Int32Array; batch: Batch } {
    const { contextTokens, windowTokens } = this.#options, T = tokens.length / rows;
    const before = Array.from({ length: rows }, (_, row) => this.of(row));
    const longest = Math.max(...before.map(({ length }) => length));
    const P = paddedLength(longest, contextTokens, windowTokens - contextTokens);
    const all = new Int32Array(rows * (P + T)).fill(padId);
    const mask = new Uint8Array(all.length);
    before.forEach((read, row) => {
      const start = row * (P + T) + P;
      all.set(read, start - read.length);
      all.set(tokens.subarray(row * T, (row + 1) * T), start);
      mask.fill(1, start - read.length, start + (lengths?.[row] ?? T));
    });
    return { tokens: all, batch: { batch: rows, mask, beforeTokens: P } };
  }
}

/** The tokens of a segment behind those that its rows have read; without windows the segment alone. */
export function showRows(
  windows: RowWindows | undefined,
  segment: ReadRows,
): ReturnType<RowWindows["show"]> {
  return windows?.show(segment) ?? { tokens: segment.tokens, batch: { batch: segment.rows } };
}

/** The smallest of 0, T, 2T, 4T, ..., `most` that holds so many tokens. */
function paddedLength(tokens: number, contextTokens: number, most: number): number {
  if (tokens === 0) return 0;
  let length = contextTokens;
  while (length < tokens) length *= 2;
  return Math.min(length, most);
}
