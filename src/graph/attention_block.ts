import type { Value } from "./graph.ts";
import { slice } from "./ops/slice.ts";

/** A rectangle of the attention matrix: rows b0..b1 of the batch, queries t0..t1, keys 0..t1. */
export interface AttentionBlock {
  readonly b0: number;
  readonly b1: number;
  readonly t0: number;
  readonly t1: number;
}

/** A block's part of values of rows [B, ..]. */
export function takeRows(x: Value, { b0, b1 }: AttentionBlock): Value {
  return slice(x, { axis: 0, start: b0, end: b1 });
}

/** A block's part of values of queries [B, H, T, ..]. */
export function takeQueries(x: Value, block: AttentionBlock): Value {
  return slice(takeRows(x, block), { axis: 2, start: block.t0, end: block.t1 });
}

/** A block's part of values of keys, which an axis counts. */
export function takeKeys(x: Value, block: AttentionBlock, axis: number): Value {
  return slice(takeRows(x, block), { axis, start: 0, end: block.t1 });
}
