import type { Graph, Value } from "../graph/graph.ts";
import { dims } from "../graph/graph.ts";
import { hostDomain } from "../graph/onnx.ts";
import type { HostFunction } from "../runtime/compile.ts";
import type { Device, DeviceTensor } from "../runtime/device.ts";
import type { WebGpuDevice } from "../runtime/webgpu_device.ts";
import { type BankShape, type IndexConfig, type MemoryConfig, retrievedChunks } from "./config.ts";
import type { ChunkIndex, OutsideIndex } from "./index/chunk_index.ts";
import { createExactSearch, hasExactSearch } from "./index/exact_search.ts";
import { createHnswIndex } from "./index/hnsw_index.ts";
import type { MemoryBank } from "./memory_bank.ts";
import { emptyScore, type Retrieved, retrieveExactly } from "./memory_graph.ts";
import { slotsOf } from "./ring.ts";

/** Name of the host function that searches an index outside the graph. */
export const retrieveFunction = "Retrieve";

/**
 * Retrieval for queries [B, H, T, D]: nodes of the graph, or a host node where the index lies outside the graph.
 * The mean keys are inputs of the graph only where it searches them.
 *
 * @param options `outside`: whether {@linkcode followBank} returned an index, which the host node asks.
 */
export function retrieve(
  queries: Value,
  bank: BankShape,
  config: Pick<MemoryConfig, "index" | "retrievedTokens" | "chunkTokens">,
  options: { outside: boolean; blockBytes: number; prefix?: string },
): Retrieved {
  const n = config.retrievedTokens / config.chunkTokens;
  if (options.outside) return hostRetrieve(queries.graph, queries, n);
  if (config.index.kind !== "exact") {
    throw new TypeError(
      `Cannot retrieve in a graph by an index of kind "${config.index.kind}": allowed is "exact"`,
    );
  }
  return retrieveExactly(queries, bank, { ...options, retrievedChunks: n });
}

function hostRetrieve(graph: Graph, queries: Value, n: number): Retrieved {
  const { B, H, T } = dims(queries, "B H T D");
  const [ids, scores] = graph.nodeWithOutputs({
    op: retrieveFunction,
    domain: hostDomain,
    inputs: [queries],
    outputs: [{ shape: [B, H, T, n], type: "int32" }, { shape: [B, H, T, n], type: "float32" }],
  });
  return { ids, scores };
}

/**
 * Opens what retrieves from a bank outside of the graph; undefined where the graph does it: exact retrieval, but on a GPU,
 * whose kernels ({@linkcode createExactSearch}) are faster.
 */
export async function followBank(
  bank: MemoryBank,
  device: Device,
  options: { seed: number },
): Promise<OutsideIndex | undefined> {
  const { index } = bank.config;
  switch (index.kind) {
    case "exact": {
      const sizes = { retrievedChunks: retrievedChunks(bank.config) };
      if (device.kind !== "webgpu" || !hasExactSearch(bank.shape, sizes)) return undefined;
      const { meanKeys } = bank.storage.tensors;
      const { blockBytes } = device;
      return await createExactSearch(device as WebGpuDevice, bank.shape, {
        ...sizes,
        meanKeys,
        blockBytes,
      });
    }
    case "hnsw":
      return await followWithGraphs(bank, device, { ...options, index });
    default:
      return index satisfies never;
  }
}

/** Makes one index for each head of each bank, lets them follow the bank, and returns what retrieves from them. */
async function followWithGraphs(
  bank: MemoryBank,
  device: Device,
  { seed, index }: { seed: number; index: Extract<IndexConfig, { kind: "hnsw" }> },
): Promise<OutsideIndex> {
  const { banks: G, heads: H, headDim: D, capacityChunks: P } = bank.shape;
  const indexes: (ChunkIndex & Disposable)[] = [];
  for (let i = 0; i < G * H; i++) {
    indexes.push(
      await createHnswIndex({ ...index, headDim: D, capacityChunks: P, seed: seed + i }),
    );
  }

  bank.observe({
    cleared(g, slots) {
      for (let h = 0; h < H; h++) indexes[g * H + h].remove(slotsOf(slots, P));
    },
    async written(g, slots) {
      const meanKeys = await bank.storage.tensors.meanKeys.read() as Float32Array; // [G, H, D+1, P]
      const taken = slotsOf(slots, P);
      const keys = new Float32Array(taken.length * D);
      for (let h = 0; h < H; h++) {
        const head = g * H + h;
        taken.forEach((slot, i) => {
          for (let d = 0; d < D; d++) keys[i * D + d] = meanKeys[(head * (D + 1) + d) * P + slot];
        });
        indexes[head].add(taken, keys);
      }
    },
  });

  const n = retrievedChunks(bank.config);
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
      for (const index of indexes) index[Symbol.dispose]();
    },
  };
}

/** A slot without a chunk, which reads as zeros; where there is none (an approximate search found too few), any slot. */
function emptySlot(bank: MemoryBank, head: number): number {
  const { start, count } = bank.occupied[Math.floor(head / bank.shape.heads)];
  return (start + count) % bank.shape.capacityChunks;
}
