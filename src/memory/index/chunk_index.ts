/**
 * The role of a nearest-neighbour index over the chunks of one head: sections 5 to 7 of the specification.
 */
import type { HostFunction } from "../../runtime/compile.ts";
import { InputRangeError } from "../../errors.ts";
import { firstNonFinite } from "../../tensor.ts";

/**
 * Finds, for one head of one bank, the stored chunks whose mean key has the largest inner product with a query.
 * D is the size of the head; a slot is a chunk's place in the bank, from 0 to the bank's capacity in chunks less 1.
 * Slots never shift: a chunk is found under the slot it was stored in until that slot is removed.
 */
export interface ChunkIndex {
  /** Number of stored chunks. */
  readonly size: number;
  /**
   * Stores the mean keys [N, D] of chunks under their bank slots [N]; a slot must be free.
   * Keys and slots are copied. Nothing is stored where one of them is refused.
   *
   * @throws {RangeError} Where the shapes disagree, the capacity is exceeded, a slot is taken or outside the bank,
   * or a key is not finite.
   */
  add(slots: Int32Array, keys: Float32Array): void;
  /**
   * Forgets slots (the oldest chunks leave first, but any set is allowed). Nothing is forgotten where one is refused.
   *
   * @throws {RangeError} Where a slot is not stored.
   */
  remove(slots: Int32Array): void;
  /**
   * Slots of the n best chunks of each query [R, D], best first, into out [R, n]; -1 where fewer than n are stored.
   *
   * @throws {RangeError} Where the shapes disagree or a query is not finite.
   */
  search(queries: Float32Array, n: number, out: Int32Array): void;
  /** Forgets all chunks. */
  clear(): void;
}

/** Retrieval from all heads of a bank outside the graph. */
export interface OutsideIndex {
  /** Rows of the bank's keys and values for queries [B, H, T, D], and their scores: both [B, H, T, n], as in the graph. */
  readonly search: HostFunction;
  /** Frees memory whose size the garbage collector does not see. */
  dispose(): void;
}

/**
 * Number of queries R of a search for the n best of queries [R, D] into out [R, n].
 *
 * @throws {RangeError} Where n is not a count, the shapes disagree or a query is not finite.
 */
export function countQueries(
  { queries, n, out, headDim }: {
    queries: Float32Array;
    n: number;
    out: Int32Array;
    headDim: number;
  },
): number {
  if (!Number.isInteger(n) || n < 1) {
    throw new InputRangeError(
      `Cannot search chunks as n must be a positive integer: current value is ${n}`,
    );
  }
  if (queries.length % headDim !== 0) {
    throw new InputRangeError(
      `Cannot search chunks as queries must be [R, ${headDim}]: ` +
        `current length is ${queries.length}, allowed are multiples of ${headDim}`,
    );
  }
  const R = queries.length / headDim;
  if (out.length !== R * n) {
    throw new InputRangeError(
      `Cannot search chunks as out must be [${R}, ${n}]: ` +
        `current length is ${out.length}, allowed is ${R * n}`,
    );
  }
  const bad = firstNonFinite(queries);
  if (bad !== undefined) {
    throw new InputRangeError(
      `Cannot search chunks as query ${Math.floor(bad / headDim)} must be finite: ` +
        `current value is ${queries[bad]} at dimension ${bad % headDim}`,
    );
  }
  return R;
}
