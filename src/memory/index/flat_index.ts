import { type ChunkIndex, countQueries } from "./chunk_index.ts";
import { InputRangeError } from "../../errors.ts";
import { firstNonFinite } from "../../tensor.ts";

/** Sizes of an index. */
export interface FlatIndexOptions {
  /** Size D of the head. */
  headDim: number;
  /** Capacity of the bank in chunks: slots are 0 to capacityChunks - 1. */
  capacityChunks: number;
}

/**
 * Exact search: every stored chunk is scored for every query, with sums in float64.
 * The slow truth that the other indexes are tested against. Equal scores: the lower slot comes first.
 */
export class FlatIndex implements ChunkIndex {
  /** Size D of the head. */
  readonly headDim: number;
  /** Number of slots. */
  readonly capacityChunks: number;
  /** [capacityChunks, D]: rows of free slots keep their former contents. */
  readonly #keys: Float32Array;
  readonly #isStored: Uint8Array;
  #size = 0;

  /**
   * An empty index.
   *
   * @throws {RangeError} Where a size is not a positive integer.
   */
  constructor({ headDim, capacityChunks }: FlatIndexOptions) {
    for (const [name, value] of Object.entries({ headDim, capacityChunks })) {
      if (!Number.isInteger(value) || value < 1) {
        throw new InputRangeError(
          `Cannot create chunk index as ${name} must be a positive integer: current value is ${value}`,
        );
      }
    }
    this.headDim = headDim;
    this.capacityChunks = capacityChunks;
    this.#keys = new Float32Array(capacityChunks * headDim);
    this.#isStored = new Uint8Array(capacityChunks);
  }

  get size(): number {
    return this.#size;
  }

  add(slots: Int32Array, keys: Float32Array): void {
    const N = slots.length;
    const D = this.headDim;
    if (keys.length !== N * D) {
      throw new InputRangeError(
        `Cannot add chunks as keys must be [${N}, ${D}]: current length is ${keys.length}, allowed is ${
          N * D
        }`,
      );
    }
    if (this.#size + N > this.capacityChunks) {
      throw new InputRangeError(
        `Cannot add chunks as the capacity would be exceeded: ` +
          `current values are ${this.#size} stored and ${N} new, allowed are ${this.capacityChunks} in all`,
      );
    }
    const bad = firstNonFinite(keys);
    if (bad !== undefined) {
      throw new InputRangeError(
        `Cannot add chunks as the key of slot ${slots[Math.floor(bad / D)]} must be finite: ` +
          `current value is ${keys[bad]} at dimension ${bad % D}`,
      );
    }
    const named = new Set<number>();
    for (const slot of slots) {
      this.#checkRange(slot, "add");
      if (this.#isStored[slot] || named.has(slot)) {
        throw new InputRangeError(
          `Cannot add chunks as a slot must be free: current value is ${slot}, which is taken`,
        );
      }
      named.add(slot);
    }
    slots.forEach((slot, i) => {
      this.#keys.set(keys.subarray(i * D, (i + 1) * D), slot * D);
      this.#isStored[slot] = 1;
    });
    this.#size += N;
  }

  remove(slots: Int32Array): void {
    const named = new Set<number>();
    for (const slot of slots) {
      this.#checkRange(slot, "remove");
      if (!this.#isStored[slot] || named.has(slot)) {
        throw new InputRangeError(
          `Cannot remove chunks as a slot must be stored: current value is ${slot}, which is free`,
        );
      }
      named.add(slot);
    }
    for (const slot of slots) this.#isStored[slot] = 0;
    this.#size -= slots.length;
  }

  search(queries: Float32Array, n: number, out: Int32Array): void {
    const D = this.headDim;
    const R = countQueries({ queries, n, out, headDim: D });
    const keys = this.#keys;
    const scores = new Float64Array(n); // of the best so far, best first
    for (let r = 0; r < R; r++) {
      const best = out.subarray(r * n, (r + 1) * n).fill(-1);
      let found = 0;
      for (let slot = 0; slot < this.capacityChunks; slot++) {
        if (!this.#isStored[slot]) continue;
        let score = 0;
        for (let d = 0; d < D; d++) score += queries[r * D + d] * keys[slot * D + d];
        if (found === n && !(score > scores[n - 1])) continue;
        // Insertion from behind: strictly better scores only move ahead, so ties stay in order of slots.
        let place = found < n ? found++ : n - 1;
        for (; place > 0 && score > scores[place - 1]; place--) {
          scores[place] = scores[place - 1];
          best[place] = best[place - 1];
        }
        scores[place] = score;
        best[place] = slot;
      }
    }
  }

  clear(): void {
    this.#isStored.fill(0);
    this.#size = 0;
  }

  /**
   * Mean key [D] of a stored chunk: a view, to be read before the index changes.
   *
   * @throws {RangeError} Where the slot is not stored.
   */
  key(slot: number): Float32Array {
    this.#checkRange(slot, "read");
    if (!this.#isStored[slot]) {
      throw new InputRangeError(
        `Cannot read key as a slot must be stored: current value is ${slot}, which is free`,
      );
    }
    return this.#keys.subarray(slot * this.headDim, (slot + 1) * this.headDim);
  }

  #checkRange(slot: number, action: string): void {
    if (slot >= 0 && slot < this.capacityChunks) return;
    throw new InputRangeError(
      `Cannot ${action} chunks as a slot must lie in the bank: ` +
        `current value is ${slot}, allowed are 0 to ${this.capacityChunks - 1}`,
    );
  }
}
