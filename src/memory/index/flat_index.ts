import { type ChunkIndex, countQueries } from "./chunk_index.ts";
import { InputRangeError } from "../../errors.ts";
import { StoredSlots } from "./stored_slots.ts";

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
  readonly #stored: StoredSlots;

  /**
   * An empty index.
   *
   * @throws {RangeError} Where a size is not a positive integer.
   */
  constructor({ headDim, capacityChunks }: FlatIndexOptions) {
    this.#stored = new StoredSlots({ headDim, capacityChunks });
    this.headDim = headDim;
    this.capacityChunks = capacityChunks;
    this.#keys = new Float32Array(capacityChunks * headDim);
  }

  get size(): number {
    return this.#stored.size;
  }

  add(slots: Int32Array, keys: Float32Array): void {
    const D = this.headDim;
    this.#stored.add(slots, keys);
    slots.forEach((slot, i) => this.#keys.set(keys.subarray(i * D, (i + 1) * D), slot * D));
  }

  remove(slots: Int32Array): void {
    this.#stored.remove(slots);
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
        if (!this.#stored.has(slot)) continue;
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
    this.#stored.clear();
  }

  /**
   * Mean key [D] of a stored chunk: a view, to be read before the index changes.
   *
   * @throws {RangeError} Where the slot is not stored.
   */
  key(slot: number): Float32Array {
    this.#stored.checkRange(slot, "read");
    if (!this.#stored.has(slot)) {
      throw new InputRangeError(
        `Cannot read key as a slot must be stored: current value is ${slot}, which is free`,
      );
    }
    return this.#keys.subarray(slot * this.headDim, (slot + 1) * this.headDim);
  }
}
