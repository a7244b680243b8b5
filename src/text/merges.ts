/** Byte-pair encoding of symbols that are ids, whatever they stand for. */

/** Above any number of merges and any number of ids: packs two of them into one exact integer. */
const packing = 2 ** 26;

/** A merge of two neighbouring symbols to one, all of them ids. */
export interface Merge {
  readonly left: number;
  readonly right: number;
  readonly merged: number;
}

/** Merges in the order in which they were learnt. */
export class Merges {
  /** Rank of the merge of a pair, by left * packing + right. */
  readonly #ranks = new Map<number, number>();
  /** Id that the merge of a rank results in. */
  readonly #merged: Int32Array;

  constructor(merges: readonly Merge[]) {
    merges.forEach(({ left, right }, rank) => this.#ranks.set(left * packing + right, rank));
    this.#merged = Int32Array.from(merges, ({ merged }) => merged);
  }

  /**
   * Joins the symbols of one pre-token: always the pair of lowest rank, the leftmost of equals. Symbols are linked by position,
   * candidates wait in a heap: n log n also for pre-tokens of a megabyte.
   *
   * @param symbols Changed on the way.
   */
  join(symbols: number[]): number[] {
    const n = symbols.length;
    if (n < 2) return symbols;
    const next = Int32Array.from(symbols, (_, i) => i + 1), previous = next.map((i) => i - 2);
    const candidates: number[] = [];
    const rankAt = (left: number): number | undefined => {
      const right = next[left];
      return right < n ? this.#ranks.get(symbols[left] * packing + symbols[right]) : undefined;
    };
    const propose = (left: number) => {
      const rank = rankAt(left);
      if (rank !== undefined) pushNumber(candidates, rank * packing + left);
    };
    for (let i = 0; i + 1 < n; i++) propose(i);
    while (candidates.length > 0) {
      const candidate = popNumber(candidates);
      const left = candidate % packing, rank = (candidate - left) / packing;
      // Stale where an earlier merge has consumed (-1, in no pair) or changed one of the two symbols.
      if (rankAt(left) !== rank) continue;
      const right = next[left];
      symbols[left] = this.#merged[rank];
      symbols[right] = -1;
      next[left] = next[right];
      if (next[left] < n) previous[next[left]] = left;
      if (previous[left] >= 0) propose(previous[left]);
      propose(left);
    }
    return symbols.filter((symbol) => symbol >= 0);
  }
}

/** Adds a number to a binary heap whose root is the smallest. */
function pushNumber(heap: number[], value: number): void {
  let i = heap.length;
  heap.push(value);
  while (i > 0) {
    const parent = (i - 1) >> 1;
    if (heap[parent] <= value) break;
    heap[i] = heap[parent];
    i = parent;
  }
  heap[i] = value;
}

/** Takes the smallest number out of a heap, which is not empty. */
function popNumber(heap: number[]): number {
  const smallest = heap[0], value = heap.pop()!;
  const n = heap.length;
  let i = 0;
  while (n > 0) {
    let child = 2 * i + 1;
    if (child >= n) break;
    if (child + 1 < n && heap[child + 1] < heap[child]) child++;
    if (heap[child] >= value) break;
    heap[i] = heap[child];
    i = child;
  }
  if (n > 0) heap[i] = value;
  return smallest;
}
