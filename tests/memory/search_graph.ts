/** Exact search as a graph. */
import { Graph } from "../../src/graph/graph.ts";
import { bankInputNames, retrieveExactly } from "../../src/memory/memory_graph.ts";
import { compile } from "../../src/runtime/compile.ts";
import type { Device } from "../../src/runtime/device.ts";

/** Banks, rows, heads, queries of a row, size of a head, chunks of a bank, chunks to find. */
export interface SearchSizes {
  readonly G: number;
  readonly B: number;
  readonly H: number;
  readonly T: number;
  readonly D: number;
  readonly P: number;
  readonly n: number;
}

/** Ids and scores [B, H, T, n] of what queries find. */
export interface Found {
  ids: Int32Array;
  scores: Float32Array;
}

/** The graph of a search, with inputs "queries" [B, H, T, D] and mean keys [G, H, D+1, P], outputs "ids" and "scores" [B, H, T, n]. */
export function searchGraph(device: Device, { G, B, H, T, D, P, n }: SearchSizes): Graph {
  const graph = new Graph();
  const bank = { banks: G, heads: H, headDim: D, capacityChunks: P, chunkTokens: 1 };
  const { ids, scores } = retrieveExactly(graph.input("queries", [B, H, T, D]), bank, {
    retrievedChunks: n,
    blockBytes: device.blockBytes,
  });
  graph.output("ids", ids);
  graph.output("scores", scores);
  return graph;
}

/** What a graph of these sizes finds. */
export async function runSearch(
  device: Device,
  graph: Graph,
  { G, B, H, T, D, P }: SearchSizes,
  data: { queries: Float32Array<ArrayBuffer>; meanKeys: Float32Array<ArrayBuffer> },
): Promise<Found> {
  const session = await compile(device, graph);
  const { ids, scores } = await session.run({
    queries: device.tensor(data.queries, [B, H, T, D]),
    [bankInputNames.meanKeys]: device.tensor(data.meanKeys, [G, H, D + 1, P]),
  });
  await session.close();
  return { ids: await ids.read() as Int32Array, scores: await scores.read() as Float32Array };
}
