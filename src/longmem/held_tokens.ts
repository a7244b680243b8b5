import type { RowRange } from "./padding.ts";

/** A token's row of each table, and its id. */
interface HeldToken {
  readonly rows: readonly Float32Array[];
  readonly id: number;
}

/** Tokens that leave, of each row as many as `counts` says, padded to the most that any row has: [B*n]. */
export interface LeavingTokens {
  readonly counts: readonly number[];
  readonly ids: Int32Array<ArrayBuffer>;
  readonly tables: readonly Float32Array<ArrayBuffer>[];
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
   * @param tables Keys or values of the batch [B*T, Hkv D].
   * @param tokens Their ids [B*T].
   * @param ranges Tokens of each of the B rows that are new.
   * @returns undefined where none leaves.
   */
  push(
    tables: readonly Float32Array[],
    tokens: Int32Array,
    ranges: readonly RowRange[],
  ): LeavingTokens | undefined {
    const T = tokens.length / ranges.length;
    const leaving = ranges.map(({ start, count }, row) => {
      const held = this.#rows.get(row) ?? [];
      for (let n = row * T + start; n < row * T + start + count; n++) {
        const rows = tables.map((data) => {
          const width = data.length / tokens.length;
          return data.slice(n * width, (n + 1) * width);
        });
        held.push({ rows, id: tokens[n] });
      }
      if (held.length > 0) this.#rows.set(row, held);
      const chunks = Math.floor(Math.max(0, held.length - this.#most) / this.#chunkTokens);
      return held.splice(0, chunks * this.#chunkTokens);
    });
    const most = Math.max(...leaving.map(({ length }) => length));
    if (most === 0) return undefined;
    const ids = new Int32Array(leaving.length * most);
    leaving.forEach((row, b) => row.forEach(({ id }, i) => ids[b * most + i] = id));
    const joined = tables.map(({ length }, table) => {
      const width = length / tokens.length, data = new Float32Array(leaving.length * most * width);
      leaving.forEach((row, b) =>
        row.forEach(({ rows }, i) => data.set(rows[table], (b * most + i) * width))
      );
      return data;
    });
    return { counts: leaving.map(({ length }) => length), ids, tables: joined };
  }

  /** Drops the held tokens of some rows; of all by default. */
  clear(rows?: readonly number[]): void {
    if (rows === undefined) this.#rows.clear();
    else for (const row of rows) this.#rows.delete(row);
  }
}
