/** A part of an axis: from `start` up to, but without, `end`. */
export interface AxisRange {
  readonly start: number;
  readonly end: number;
}

/**
 * Cuts an axis into as few ranges as have at most `largest` elements each; their sizes differ by one at the most, so
 * that no range is a sliver.
 */
export function evenRanges(length: number, largest: number): AxisRange[] {
  const count = Math.ceil(length / largest);
  return Array.from({ length: count }, (_, i) => ({
    start: Math.floor(i * length / count),
    end: Math.floor((i + 1) * length / count),
  }));
}
