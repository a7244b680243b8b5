import { dims, type Value } from "../graph/graph.ts";
import { hostDomain } from "../graph/onnx.ts";
import type { Device } from "../runtime/device.ts";
import type { BankShape } from "./bank_shape.ts";
import { type MemoryConfig, retrievedChunks } from "./config.ts";
import type { OutsideIndex } from "./index/chunk_index.ts";
import { indexes } from "./index/indexes.ts";
import type { MemoryBank } from "./memory_bank.ts";
import { type Retrieved, retrieveExactly } from "./memory_graph.ts";

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
  const n = retrievedChunks(config);
  if (options.outside) return hostRetrieve(queries, n);
  const { kind } = config.index;
  if (!indexes.get(kind).isExact) {
    throw new TypeError(
      `Cannot retrieve in a graph by an index of kind "${kind}", which is not exact`,
    );
  }
  return retrieveExactly(queries, bank, { ...options, retrievedChunks: n });
}

function hostRetrieve(queries: Value, n: number): Retrieved {
  const { B, H, T } = dims(queries, "B H T D");
  const [ids, scores] = queries.graph.nodeWithOutputs({
    op: retrieveFunction,
    domain: hostDomain,
    inputs: [queries],
    outputs: [{ shape: [B, H, T, n], type: "int32" }, { shape: [B, H, T, n], type: "float32" }],
  });
  return { ids, scores };
}

/** Opens retrieval from a bank outside the graph; undefined where the graph does it. */
export async function followBank(
  bank: MemoryBank,
  device: Device,
  { seed }: { seed: number },
): Promise<OutsideIndex | undefined> {
  const { index } = bank.config;
  const surroundings = { bank, device, seed, retrievedChunks: retrievedChunks(bank.config) };
  return await indexes.get(index.kind).open(index, surroundings);
}
