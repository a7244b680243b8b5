import type { RowRange } from "./padding.ts";

/** Keys and values of a token, of each bank, and its id. */
interface HeldToken {
  readonly keys: readonly Float32Array[];
  readonly values: readonly Float32Array[];
  readonly id: number;
}

/** Keys and values [N, Hkv D] of a batch, for a bank. */
export interface BankUpdate {
  readonly keys: Float32Array;
  readonly values: Float32Array;
}

/** Tokens that leave, of each row as many as `counts` says, padded to the most that any row has: [B*n]. */
export interface LeavingTokens {
  readonly counts: readonly number[];
  readonly ids: Int32Array<ArrayBuffer>;
  readonly banks: readonly { keys: Float32Array<ArrayBuffer>; values: Float32Array<ArrayBuffer> }[];
}

/**
 * Tokens whose keys and values are known, and which a sliding window still shows: they enter the memory once so many others
 * follow them. Only whole chunks enter, so that no token is lost between window and memory.
 */
export class HeldTokens {
  readonly #most: number;
  readonly #chunkTokens: number;
  readonly #rows = new Map<number, HeldToken[]>();

  /**
   * @param tokens Tokens of each row, the last, that are held back.
   * @param chunkTokens Tokens of a chunk of the memory.
   */
  constructor(tokens: number, { chunkTokens }: { chunkTokens: number }) {
    this.#most = tokens;
    this.#chunkTokens = chunkTokens;
  }

  /** Whether there are none. */
  get isEmpty(): boolean {
    return this.#rows.size === 0;
  }

  /**
   * Holds the tokens of a batch back, and lets go of those that enough others follow.
   *
   * @param banks Keys and values of the batch [B*T, Hkv D], for each bank.
   * @param tokens Their ids [B*T].
   * @param ranges Tokens of each of the B rows that are new.
   * @returns undefined where none leaves.
   */
  push(
    banks: readonly BankUpdate[],
    tokens: Int32Array,
    ranges: readonly RowRange[],
  ): LeavingTokens | undefined {
    const T = tokens.length / ranges.length;
    const leaving = ranges.map(({ start, count }, row) => {
      const held = this.#rows.get(row) ?? [];
      for (let n = row * T + start; n < row * T + start + count; n++) {
        const rowOf = (data: Float32Array) => {
          const width = data.length / tokens.length;
          return data.slice(n * width, (n + 1) * width);
        };
        held.push({
          keys: banks.map(({ keys }) => rowOf(keys)),
          values: banks.map(({ values }) => rowOf(values)),
          id: tokens[n],
        });
      }
      if (held.length > 0) this.#rows.set(row, held);
      const chunks = Math.floor(Math.max(0, held.length - this.#most) / this.#chunkTokens);
      return held.splice(0, chunks * this.#chunkTokens);
    });
    const most = Math.max(...leaving.map(({ length }) => length));
    if (most === 0) return undefined;
    const ids = new Int32Array(leaving.length * most);
    leaving.forEach((row, b) => row.forEach(({ id }, i) => ids[b * most + i] = id));
    const joined = (size: number, of: (token: HeldToken) => Float32Array) => {
      const width = size / tokens.length, data = new Float32Array(leaving.length * most * width);
      leaving.forEach((row, b) =>
        row.forEach((token, i) => data.set(of(token), (b * most + i) * width))
      );
      return data;
    };
    return {
      counts: leaving.map(({ length }) => length),
      ids,
      banks: banks.map(({ keys, values }, bank) => ({
        keys: joined(keys.length, (token) => token.keys[bank]),
        values: joined(values.length, (token) => token.values[bank]),
      })),
    };
  }

  /** Drops the held tokens of some rows; of all by default. */
  clear(rows?: readonly number[]): void {
    if (rows === undefined) this.#rows.clear();
    else for (const row of rows) this.#rows.delete(row);
  }
}
