import { InputRangeError } from "../errors.ts";

/** Slots of a bank that holds chunks first in, first out: which are taken, in order of age. */
export class Ring {
  /** Slot of the oldest chunk. */
  first = 0;
  /** Chunks stored. */
  count = 0;

  constructor(readonly capacity: number) {}

  /**
   * Makes room for `added` chunks and takes their slots.
   *
   * @param options coarse: the official rule, which drops `coarseDrop` chunks as soon as the bank would become exactly full.
   * @returns Slots that became free, and slots of the new chunks; slot numbers wrap around at the capacity.
   */
  advance(
    added: number,
    { coarseDrop }: { coarseDrop?: number | undefined },
  ): { dropped: SlotRange; taken: SlotRange } {
    const overflow = this.count + added - this.capacity;
    const drop = overflow < 0 ? 0 : coarseDrop ?? overflow;
    if (drop > this.count || this.count - drop + added > this.capacity) {
      throw new InputRangeError(
        coarseDrop === undefined
          ? `Cannot cache ${added} chunks as they do not fit into a bank of ${this.capacity}`
          : `Cannot cache ${added} chunks as coarse eviction would drop two updates of this size, ${drop} chunks, ` +
            `from a bank of ${this.capacity}: current number is ${this.count}; smaller batches, a larger bank or a reset would help`,
      );
    }
    const dropped = { start: this.first, count: drop };
    this.first = (this.first + drop) % this.capacity;
    this.count -= drop;
    const taken = { start: (this.first + this.count) % this.capacity, count: added };
    this.count += added;
    return { dropped, taken };
  }

  /** Forgets all chunks. */
  clear(): SlotRange {
    const dropped = { start: this.first, count: this.count };
    this.first = 0;
    this.count = 0;
    return dropped;
  }
}

/** Consecutive slots, wrapping around at the capacity. */
export interface SlotRange {
  readonly start: number;
  readonly count: number;
}

/** A part of a range of slots that does not wrap around: from `slot`, the range's chunks from number `first` on. */
export interface SlotRun {
  readonly slot: number;
  readonly first: number;
  readonly count: number;
}

/** The one or two runs of a range, or none where it is empty. */
export function runsOf({ start, count }: SlotRange, capacity: number): SlotRun[] {
  const before = Math.min(count, capacity - start);
  return [
    { slot: start, first: 0, count: before },
    { slot: 0, first: before, count: count - before },
  ].filter(({ count }) => count > 0);
}

/** The slots of a range as numbers. */
export function slotsOf(range: SlotRange, capacity: number): Int32Array<ArrayBuffer> {
  return Int32Array.from({ length: range.count }, (_, i) => (range.start + i) % capacity);
}
