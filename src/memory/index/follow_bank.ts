import { dims } from "../../graph/graph.ts";
import type { HostFunction } from "../../runtime/compile.ts";
import type { DeviceTensor } from "../../runtime/device.ts";
import type { FollowedBank } from "../followed_bank.ts";
import { emptyScore } from "../memory_graph.ts";
import { slotsOf } from "../ring.ts";
import type { ChunkIndex, OutsideIndex } from "./chunk_index.ts";
import type { FlatIndexOptions } from "./flat_index.ts";
import type { IndexSurroundings } from "./index_kind.ts";

/**
 * Makes one index for each head of each bank, lets them follow the bank, and returns an index over all of them.
 *
 * @param create Makes the empty index of a head, counted over all banks.
 */
export async function followWithIndexes(
  { bank, device, retrievedChunks: n }: Omit<IndexSurroundings, "seed">,
  create: (head: number, sizes: FlatIndexOptions) => Promise<ChunkIndex & Partial<Disposable>>,
): Promise<OutsideIndex> {
  const { banks: G, heads: H, headDim: D, capacityChunks: P } = bank.shape;
  const indexes: (ChunkIndex & Partial<Disposable>)[] = [];
  for (let head = 0; head < G * H; head++) {
    indexes.push(await create(head, { headDim: D, capacityChunks: P }));
  }

  bank.observe({
    cleared(g, slots) {
      for (let h = 0; h < H; h++) indexes[g * H + h].remove(slotsOf(slots, P));
    },
    async written(g, slots) {
      const taken = slotsOf(slots, P), N = taken.length;
      if (N === 0) return;
      const read = await bank.storage.reader("meanKeys", g, slots);
      const keys = new Float32Array(N * D);
      for (let h = 0; h < H; h++) {
        for (let i = 0; i < N; i++) read(h, i, keys, i * D);
        indexes[g * H + h].add(taken, keys);
      }
    },
  });

  const search: HostFunction = async ([queries]) => {
    const { B, T } = dims(queries, "B H T D", { H, D });
    const data = await queries.read() as Float32Array;
    const ids = new Int32Array(B * H * T * n), scores = new Float32Array(B * H * T * n);
    for (let row = 0; row < B * H; row++) {
      const head = (G === 1 ? 0 : Math.floor(row / H)) * H + row % H;
      const found = ids.subarray(row * T * n, (row + 1) * T * n);
      indexes[head].search(data.subarray(row * T * D, (row + 1) * T * D), n, found);
      for (let i = 0; i < found.length; i++) {
        const missing = found[i] < 0;
        if (missing) scores[row * T * n + i] = emptyScore;
        found[i] = head * P + (missing ? emptySlot(bank, head) : found[i]);
      }
    }
    const shape = [B, H, T, n];
    return [device.tensor(ids, shape), device.tensor(scores, shape)] as DeviceTensor[];
  };
  return {
    search,
    dispose() {
      for (const index of indexes) index[Symbol.dispose]?.();
    },
  };
}

/** A slot without a chunk, which reads as zeros; where there is none (an approximate search found too few), any slot. */
function emptySlot(bank: FollowedBank, head: number): number {
  const { start, count } = bank.occupied[Math.floor(head / bank.shape.heads)];
  return (start + count) % bank.shape.capacityChunks;
}
