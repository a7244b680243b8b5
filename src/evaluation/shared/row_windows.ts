import { padId } from "../../backbone/shape.ts";
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

/**
 * The last tokens that the rows have read, and segments after them. At the beginning of a document the window grows, then it slides.
 *
 * The tokens before are padded on the left, hidden from attention, to T times a power of two: rows that hold unlike numbers
 * of tokens run together, and few lengths have to be compiled.
 */
export class RowWindows {
  readonly #options: WindowOptions;
  readonly #read = new Map<number, Int32Array>();

  constructor(options: WindowOptions) {
    this.#options = options;
  }

  /** Forgets the text of a row. */
  forget(row: number): void {
    this.#read.delete(row);
  }

  /** Adds a segment to the text of its rows. */
  add(segment: ReadRows): void {
    const most = this.#mostBefore;
    for (let row = 0; row < segment.rows; row++) {
      const all = Int32Array.of(...this.#before(row), ...tokensOfRow(segment, row));
      this.#read.set(row, all.subarray(Math.max(0, all.length - most)));
    }
  }

  /**
   * The tokens of a segment behind those that its rows have read.
   *
   * @returns Tokens [B, P + T], 1 for each that is not padding, and P.
   */
  show({ tokens, rows, lengths }: ReadRows): {
    tokens: Int32Array<ArrayBuffer>;
    mask: Uint8Array<ArrayBuffer>;
    beforeTokens: number;
  } {
    const T = tokens.length / rows;
    const before = Array.from({ length: rows }, (_, row) => this.#before(row));
    const longest = Math.max(...before.map(({ length }) => length));
    const P = paddedLength(longest, this.#options.contextTokens, this.#mostBefore);
    const all = new Int32Array(rows * (P + T)).fill(padId);
    const mask = new Uint8Array(all.length);
    before.forEach((read, row) => {
      const start = row * (P + T) + P;
      all.set(read, start - read.length);
      all.set(tokens.subarray(row * T, (row + 1) * T), start);
      mask.fill(1, start - read.length, start + (lengths?.[row] ?? T));
    });
    return { tokens: all, mask, beforeTokens: P };
  }

  get #mostBefore(): number {
    return this.#options.windowTokens - this.#options.contextTokens;
  }

  #before(row: number): Int32Array {
    return this.#read.get(this.#options.shared ? 0 : row) ?? new Int32Array();
  }
}

/** The smallest of 0, T, 2T, 4T, ..., `most` that holds so many tokens. */
function paddedLength(tokens: number, contextTokens: number, most: number): number {
  if (tokens === 0) return 0;
  let length = contextTokens;
  while (length < tokens) length *= 2;
  return Math.min(length, most);
}
