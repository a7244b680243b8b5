import { InputRangeError } from "../../errors.ts";
import { firstNonFinite } from "../../tensor.ts";

/** Which slots of a bank an index has, and the checks of what is added to it or removed from it. */
export class StoredSlots {
  /** Size D of the head. */
  readonly headDim: number;
  /** Number of slots. */
  readonly capacityChunks: number;
  readonly #isStored: Uint8Array;
  #size = 0;

  /** @throws {RangeError} Where a size is not a positive integer. */
  constructor({ headDim, capacityChunks }: { headDim: number; capacityChunks: number }) {
    for (const [name, value] of Object.entries({ headDim, capacityChunks })) {
      if (!Number.isInteger(value) || value < 1) {
        throw new InputRangeError(
          `Cannot create chunk index as ${name} must be a positive integer: current value is ${value}`,
        );
      }
    }
    this.headDim = headDim;
    this.capacityChunks = capacityChunks;
    this.#isStored = new Uint8Array(capacityChunks);
  }

  /** Number of stored chunks. */
  get size(): number {
    return this.#size;
  }

  /** Whether a slot has a chunk. */
  has(slot: number): boolean {
    return this.#isStored[slot] === 1;
  }

  /** The slots with chunks, in their order. */
  slots(): Int32Array {
    const slots = new Int32Array(this.#size);
    let count = 0;
    this.#isStored.forEach((stored, slot) => {
      if (stored) slots[count++] = slot;
    });
    return slots;
  }

  /** Takes slots [N] for keys [N, D]; errors as for `ChunkIndex.add`. */
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
      this.checkRange(slot, "add");
      if (this.#isStored[slot] || named.has(slot)) {
        throw new InputRangeError(
          `Cannot add chunks as a slot must be free: current value is ${slot}, which is taken`,
        );
      }
      named.add(slot);
    }
    for (const slot of slots) this.#isStored[slot] = 1;
    this.#size += N;
  }

  /** Frees slots; errors as for `ChunkIndex.remove`. */
  remove(slots: Int32Array): void {
    const named = new Set<number>();
    for (const slot of slots) {
      this.checkRange(slot, "remove");
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

  /** Frees all slots. */
  clear(): void {
    this.#isStored.fill(0);
    this.#size = 0;
  }

  /** @throws {RangeError} Where a slot is outside the bank. */
  checkRange(slot: number, action: string): void {
    if (slot >= 0 && slot < this.capacityChunks) return;
    throw new InputRangeError(
      `Cannot ${action} chunks as a slot must lie in the bank: ` +
        `current value is ${slot}, allowed are 0 to ${this.capacityChunks - 1}`,
    );
  }
}
