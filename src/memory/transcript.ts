import { type SlotRange, slotsOf } from "./ring.ts";

/** The tokens of one bank on the host. */
export interface SavedTranscript {
  /** Token ids of the chunks, slot by slot [P, c]. */
  readonly ids: Int32Array<ArrayBuffer>;
  /** Tokens that the bank had been given before each chunk's first, since it was emptied [P]. */
  readonly positions: Float64Array<ArrayBuffer>;
  /** Tokens that the bank has been given since it was emptied: also those that have left it, or filled no chunk. */
  readonly tokens: number;
}

/** Token ids of the chunks in a bank, and the position of each in everything that was written to it. */
export class Transcript {
  readonly #chunkTokens: number;
  /** [P, c] */
  readonly #ids: Int32Array<ArrayBuffer>;
  /** [P] */
  readonly #positions: Float64Array<ArrayBuffer>;
  /** Tokens that the bank has been given since it was emptied. */
  tokens = 0;

  constructor({ capacityChunks, chunkTokens }: { capacityChunks: number; chunkTokens: number }) {
    this.#chunkTokens = chunkTokens;
    this.#ids = new Int32Array(capacityChunks * chunkTokens);
    this.#positions = new Float64Array(capacityChunks);
  }

  /** Notes the tokens of an update, of which the first ones fill the chunks in `slots`. */
  write(slots: SlotRange, ids: Int32Array): void {
    const c = this.#chunkTokens;
    slotsOf(slots, this.#positions.length).forEach((slot, i) =>
      this.put(slot, { ids: ids.subarray(i * c, (i + 1) * c), position: this.tokens + i * c })
    );
    this.tokens += ids.length;
  }

  /** Begins again: the bank has been emptied. */
  clear(): void {
    this.tokens = 0;
  }

  /** Token ids [c] of the chunk in a slot: a view. */
  idsOf(slot: number): Int32Array<ArrayBuffer> {
    return this.#ids.subarray(slot * this.#chunkTokens, (slot + 1) * this.#chunkTokens);
  }

  /** Position of the chunk in a slot. */
  positionOf(slot: number): number {
    return this.#positions[slot];
  }

  /** Puts a chunk in a slot. */
  put(slot: number, { ids, position }: { ids: Int32Array; position: number }): void {
    this.#ids.set(ids, slot * this.#chunkTokens);
    this.#positions[slot] = position;
  }

  /** A copy of everything. */
  save(): SavedTranscript {
    return { ids: this.#ids.slice(), positions: this.#positions.slice(), tokens: this.tokens };
  }

  /** Puts back what {@linkcode save} returned. */
  restore({ ids, positions, tokens }: SavedTranscript): void {
    this.#ids.set(ids);
    this.#positions.set(positions);
    this.tokens = tokens;
  }
}
