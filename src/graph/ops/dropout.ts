import type { Graph, Value } from "../graph.ts";
import { type AttentionBlock, takeQueries } from "../attention_block.ts";
import { add } from "./add.ts";
import { following } from "./following.ts";
import { floor } from "./floor.ts";
import { greaterOrEqual } from "./greater_or_equal.ts";
import { mul } from "./mul.ts";
import { slice } from "./slice.ts";
import { sub } from "./sub.ts";
import { where } from "./where.ts";

/**
 * A dropout mask over rows x columns from two short random vectors that the host feeds at every step:
 * element (i, j) is dropped where frac(a_i b_j + c_i) < p. With a, b integers below 2^12, a odd, divided by 2^12 where
 * they meet, every product is exact in float32, so all devices draw the same mask.
 */
export interface DropoutMask {
  /** Probability of dropping, in steps of 2^-12. */
  readonly p: number;
  /** a_i / 2^12, [..., 1]. */
  readonly rowFactors: Value;
  /** c_i, multiples of 2^-12 below 1, [..., 1]. */
  readonly rowOffsets: Value;
  /** b_j, [columns]. */
  readonly columns: Value;
}

/** Resolution of the masks. */
export const dropoutSteps = 4096;

/**
 * Declares the random inputs of a mask of `rowShape` x `columns`: `<name>.rowFactors`, `<name>.rowOffsets`,
 * `<name>.columns`; {@linkcode dropoutRandoms} draws their values.
 */
export function dropoutMask(
  graph: Graph,
  name: string,
  options: { p: number; rowShape: readonly number[]; columns: number },
): DropoutMask {
  const rows = [...options.rowShape, 1];
  return {
    p: Math.round(options.p * dropoutSteps) / dropoutSteps,
    rowFactors: graph.input(`${name}.rowFactors`, rows),
    rowOffsets: graph.input(`${name}.rowOffsets`, rows),
    columns: graph.input(`${name}.columns`, [options.columns]),
  };
}

/** Values for the inputs of a mask from a source of uniform 32-bit integers. */
export function dropoutRandoms(
  nextUint32: () => number,
  options: { rows: number; columns: number },
): Record<"rowFactors" | "rowOffsets" | "columns", Float32Array<ArrayBuffer>> {
  const draw = (count: number, value: (bits: number) => number) =>
    Float32Array.from({ length: count }, () => value(nextUint32() >>> 20));
  return {
    rowFactors: draw(options.rows, (bits) => (bits | 1) / dropoutSteps),
    rowOffsets: draw(options.rows, (bits) => bits / dropoutSteps),
    columns: shuffledSteps(nextUint32, options.columns),
  };
}

/** Integers below 2^12 in random order, over and over: no two of up to 2^12 columns are dropped alike. */
function shuffledSteps(nextUint32: () => number, count: number): Float32Array<ArrayBuffer> {
  const steps = Float32Array.from({ length: dropoutSteps }, (_, i) => i);
  for (let i = 0; i < Math.min(count, dropoutSteps - 1); i++) {
    const j = i + nextUint32() % (dropoutSteps - i);
    [steps[i], steps[j]] = [steps[j], steps[i]];
  }
  return Float32Array.from({ length: count }, (_, i) => steps[i % dropoutSteps]);
}

/** y = x m / (1 - p), m the mask over the last axis of x;  dx = dy m / (1 - p). */
export function dropout(x: Value, mask: DropoutMask | undefined): Value {
  if (!mask || mask.p === 0) return x;
  return mul(x, keptFactors(mask));
}

/**
 * The part of a mask over [B, H, T, T] that a block of attention sees.
 *
 * @param earlier [B, H, T, 1]: the mask is made after this, in a gradient, and not held since the forward pass; absent: at any time.
 */
export function maskedBy(
  x: Value,
  mask: DropoutMask | undefined,
  block: AttentionBlock,
  earlier?: Value,
): Value {
  if (!mask || mask.p === 0) return x;
  const rowFactors = takeQueries(mask.rowFactors, block);
  return mul(
    x,
    keptFactors({
      p: mask.p,
      rowFactors: earlier ? following(rowFactors, takeQueries(earlier, block)) : rowFactors,
      rowOffsets: takeQueries(mask.rowOffsets, block),
      columns: slice(mask.columns, { axis: 0, start: 0, end: block.t1 }),
    }),
  );
}

/** 0 where dropped, 1 / (1 - p) where kept. */
function keptFactors({ p, rowFactors, rowOffsets, columns }: DropoutMask): Value {
  const { graph } = columns;
  const product = add(mul(rowFactors, columns), rowOffsets);
  const uniform = sub(product, floor(product));
  return where(
    greaterOrEqual(uniform, graph.scalar(p)),
    graph.scalar(1 / (1 - p)),
    graph.scalar(0),
  );
}
