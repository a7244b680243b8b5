import { InputRangeError, InputTypeError } from "../errors.ts";

/** Tokens of a batch [B, T] that are not padding: of each row, those from `start` on. */
export interface RowRange {
  /** First token in its row. */
  readonly start: number;
  /** Tokens; 0: the row is empty. */
  readonly count: number;
}

/** Padding of a whole batch. */
export interface Padding {
  /** Tokens of each row that are not padding: the first so many. The rest of the row is padding. */
  readonly lengths?: ArrayLike<number>;
  /** 1 for each token [B, T], 0 for padding, which may stand before or after a row's tokens, but not among them. */
  readonly mask?: ArrayLike<number>;
}

/**
 * Returns the tokens of each row of a batch that are not padding, as the caller declares them.
 *
 * @returns undefined where the caller declares no padding.
 * @throws TypeError where both are given; RangeError where one does not fit the batch.
 */
export function rowRanges(
  { lengths, mask }: Padding,
  { rows: B, contextTokens: T }: { rows: number; contextTokens: number },
): RowRange[] | undefined {
  if (lengths !== undefined && mask !== undefined) {
    throw new InputTypeError("Cannot run as lengths and mask must not both be given");
  }
  if (lengths !== undefined) {
    const sound = lengths.length === B &&
      Array.from(lengths).every((count) => Number.isSafeInteger(count) && count >= 0 && count <= T);
    if (!sound) {
      throw new InputRangeError(
        `Cannot run as lengths must be ${B} integers from 0 to ${T}: current value is ${
          Array.from(lengths).slice(0, 16).join(", ")
        }`,
      );
    }
    return Array.from(lengths, (count) => ({ start: 0, count }));
  }
  if (mask === undefined) return undefined;
  const other = Array.from(mask).find((value) => value !== 0 && value !== 1);
  if (mask.length !== B * T || other !== undefined) {
    const current = mask.length === B * T ? `value is ${other}` : `length is ${mask.length}`;
    throw new InputRangeError(
      `Cannot run as mask must be 0 or 1 for each of ${B * T} tokens: current ${current}`,
    );
  }
  return Array.from({ length: B }, (_, b) => {
    const row = Array.from(mask).slice(b * T, (b + 1) * T).map(Number);
    const start = Math.max(0, row.indexOf(1)), count = row.filter((value) => value === 1).length;
    if (row.slice(start, start + count).includes(0)) {
      throw new InputRangeError(
        `Cannot run as mask must not have padding among the tokens of a row: row ${b} has`,
      );
    }
    return { start, count };
  });
}

/**
 * Returns the part of each row behind its first `beforeTokens` tokens, without padding.
 *
 * @param rows Tokens of each row that are not padding, or the sizes of a batch without any.
 */
export function rangesBehind(
  beforeTokens: number,
  rows: readonly RowRange[] | { readonly rows: number; readonly contextTokens: number },
): RowRange[] {
  const ranges = "rows" in rows
    ? Array.from({ length: rows.rows }, () => ({ start: 0, count: rows.contextTokens }))
    : rows;
  return ranges.map(({ start, count }) => {
    const first = Math.max(start, beforeTokens);
    return { start: first, count: Math.max(0, start + count - first) };
  });
}

/**
 * 1 for each token [B, T], 0 for padding.
 *
 * @param padId Id that is padding wherever it stands, if the architecture has one.
 * @param ranges The caller's declaration for each row.
 */
export function paddingMask(
  tokens: Int32Array,
  padId: number | undefined,
  ranges?: readonly RowRange[],
): Uint8Array {
  const mask = new Uint8Array(tokens.length).fill(ranges ? 0 : 1);
  ranges?.forEach(({ start, count }, b) => {
    const first = b * tokens.length / ranges.length + start;
    mask.fill(1, first, first + count);
  });
  if (padId !== undefined) tokens.forEach((id, i) => id === padId && (mask[i] = 0));
  return mask;
}

/**
 * The tokens T that a window is padded to at its end, in steps, so that few shapes have to be compiled; and how many of the last
 * are scored, the window's own last among them.
 */
export function paddedWindow(
  tokens: number,
  contextTokens: number,
): { T: number; scoredTokens: number } {
  const step = 32, T = Math.min(Math.ceil(tokens / step) * step, contextTokens);
  return { T, scoredTokens: Math.min(T, step) };
}

/** Whether padding stands before another token of its row: then it changes positions and must be hidden. */
export function hasInnerPadding(mask: Uint8Array, rows: number): boolean {
  const T = mask.length / rows;
  for (let b = 0; b < rows; b++) {
    let seen = false;
    for (let i = b * T; i < (b + 1) * T; i++) {
      if (mask[i] === 0) seen = true;
      else if (seen) return true;
    }
  }
  return false;
}
