import { padId } from "../backbone/shape.ts";
import {
  type PromptedModel,
  readingModel,
  type ScoredLongMem,
  type SegmentRows,
  tokensOfRow,
} from "./shared/language_model.ts";

/** What a language model sees of what a row has read. */
export interface WindowOptions {
  /** Tokens T of a segment. */
  readonly contextTokens: number;
  /** Tokens W of the window: a segment is scored after the W - T tokens before it; at least T. */
  readonly windowTokens: number;
  /** Whether what row 0 has read is what all rows are asked about. */
  readonly shared: boolean;
}

/**
 * The frozen backbone alone with a window longer than a segment: what it was trained on is extrapolated by ALiBi. Every
 * segment, and every prompt, is read together with the tokens before it, of its document only, and these again for every
 * segment: nothing is cached. At the beginning of a document the window grows, then it slides.
 *
 * The tokens before are padded on the left, hidden from attention, to T times a power of two: rows that hold unlike numbers
 * of tokens run together, and few lengths have to be compiled.
 *
 * @param model Asked for its network `backbone` only.
 */
export function slidingWindowModel(
  name: string,
  model: Pick<ScoredLongMem, "score" | "choose">,
  options: WindowOptions,
): PromptedModel {
  const { contextTokens, shared } = options;
  const mostBefore = options.windowTokens - contextTokens;
  const read = new Map<number, Int32Array>();
  const before = (row: number) => read.get(shared ? 0 : row) ?? new Int32Array();

  /** The tokens of every row behind those that it has read [B, P + T], and how a model takes them. */
  const inWindow = ({ tokens, rows }: Pick<SegmentRows, "tokens" | "rows">) => {
    const T = tokens.length / rows;
    const longest = Math.max(...Array.from({ length: rows }, (_, row) => before(row).length));
    const P = paddedLength(longest, contextTokens, mostBefore);
    const all = new Int32Array(rows * (P + T)).fill(padId);
    const mask = new Uint8Array(all.length).fill(1);
    for (let row = 0; row < rows; row++) {
      const start = row * (P + T) + P;
      const read = before(row);
      all.set(read, start - read.length);
      mask.fill(0, start - P, start - read.length);
      all.set(tokens.subarray(row * T, (row + 1) * T), start);
    }
    return { tokens: all, options: { batch: rows, network: "backbone", mask } as const };
  };
  const remember = (segment: Pick<SegmentRows, "tokens" | "rows" | "lengths">) => {
    for (let row = 0; row < segment.rows; row++) {
      const all = Int32Array.of(...before(row), ...tokensOfRow(segment, row));
      read.set(row, all.subarray(Math.max(0, all.length - mostBefore)));
    }
  };
  const score = (segment: SegmentRows) => {
    const { tokens, options } = inWindow(segment);
    return model.score(tokens, segment.targets, options);
  };
  const choose = (segment: SegmentRows) => {
    const { tokens, options } = inWindow(segment);
    return model.choose(tokens, segment.targets, options);
  };
  return readingModel(name, { forget: (row) => read.delete(row), remember, score, choose });
}

/** The smallest of 0, T, 2T, 4T, ..., `most` that holds so many tokens. */
function paddedLength(tokens: number, contextTokens: number, most: number): number {
  if (tokens === 0) return 0;
  let length = contextTokens;
  while (length < tokens) length *= 2;
  return Math.min(length, most);
}
