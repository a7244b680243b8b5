import { dims, type Value } from "../graph/graph.ts";
import { hostDomain } from "../graph/onnx.ts";
import type { HostFunction } from "../runtime/compile.ts";
import { takeQueries } from "../graph/attention_block.ts";
import { joinBlocks } from "../graph/ops/attention.ts";
import { queryBlocks } from "../graph/ops/memory_attention.ts";
import { slice } from "../graph/ops/slice.ts";
import { compileKernels, runKernels } from "../runtime/gpu_kernels.ts";
import type { WebGpuDevice } from "../runtime/webgpu_device.ts";
import type { GpuTables } from "./bank_storage.ts";
import code from "./chunk_attention.wgsl" with { type: "text" };
import { emptyScore, type Retrieved } from "./memory_graph.ts";
import { wordsOfVector } from "./packed_vectors.ts";
import { storageTypes } from "./stored_range.ts";

/** Names of the host functions; the last takes the biases of a caller for the scores of retrieval. */
export const attendFunction = "AttendToChunks",
  attendBackwardFunction = "AttendToChunksBackward",
  attendToVisibleFunction = "AttendToVisibleChunks";

/** Most retrieved tokens of a query, and most components, that the kernels have workgroup memory for at once. */
const tileTokens = 2048, mostShared = 1024;

/** How the keys and values of chunks are attended to. */
export interface ChunkAttentionSettings {
  readonly headDim: number;
  readonly retrievedChunks: number;
  readonly chunkTokens: number;
  /** Whether empty slots do not count; else they have keys and values of zeros. */
  readonly masked: boolean;
  /** Soft cap of the scores of tokens; absent: they have none. */
  readonly softCap?: number | undefined;
}

/** What {@linkcode attendToChunks} reads, and how. */
export interface ChunkAttentionOptions {
  /** Tokens c of a chunk. */
  readonly chunkTokens: number;
  /** Added to the scores of every token of a chunk [B, H, T, n], `emptyScore` or less where it does not count; absent: as the memory has it. */
  readonly chunkBias?: Value | undefined;
  /** Soft cap of the scores of tokens, before the bias: that of the functions which compute it. */
  readonly softCap?: number | undefined;
  /** Largest size of the weights of a block of queries, in bytes; absent: there is one block. */
  readonly blockBytes?: number | undefined;
  /** Takes note of the weights p of the tokens [B, H, T, K], where they are asked for. */
  readonly note?: ((weights: Value) => void) | undefined;
}

/**
 * Attention of every query over the tokens that it has retrieved, outside the graph, as `memoryAttention` does it in the graph:
 * o = values^T softmax(keys q) for the K = n c tokens of a query. Keys, values and ids take no gradient. Beside the weights [B, H, T, K]
 * of a query lie, of scores with a soft cap, its slopes: [B, H, T, 2 K].
 *
 * @param q Queries [B, H, T, D], already scaled.
 * @returns [B, H, T, D]
 */
export function attendToChunks(
  q: Value,
  { ids, scores }: Retrieved,
  { chunkTokens, chunkBias, softCap, blockBytes, note }: ChunkAttentionOptions,
): Value {
  const { graph } = q;
  const { B, H, T, D } = dims(q, "B H T D");
  const { n } = dims(ids, "B H T n", { B, H, T });
  const K = n * chunkTokens, width = softCap === undefined ? K : 2 * K;
  const queryBytes = 4 * H * width;
  const blocks = queryBlocks({ B, T, queryBytes, blockBytes: blockBytes ?? Infinity });
  const attended = blocks.map((block) => {
    const part = takeQueries(q, block), partIds = takeQueries(ids, block);
    const [rows, , queries] = part.shape;
    const [o, weights] = graph.nodeWithOutputs({
      op: chunkBias ? attendToVisibleFunction : attendFunction,
      domain: hostDomain,
      inputs: [part, partIds, takeQueries(chunkBias ?? scores, block)],
      outputs: [
        { shape: [rows, H, queries, D], type: "float32" },
        { shape: [rows, H, queries, width], type: "float32" },
      ],
    });
    return { block, partIds, o, weights };
  });
  const o = joinBlocks(blocks, attended.map((one) => one.o));
  note?.(joinBlocks(
    blocks,
    attended.map(({ weights }) => slice(weights, { axis: 3, start: 0, end: K })),
  ));
  graph.derive([q], [o], ({ dy }) => [
    joinBlocks(
      blocks,
      attended.map(({ block, partIds, o, weights }) =>
        graph.node({
          op: attendBackwardFunction,
          domain: hostDomain,
          inputs: [takeQueries(dy, block), partIds, weights],
          outputs: [{ shape: o.shape, type: "float32" }],
        })
      ),
    ),
  ]);
  return o;
}

/**
 * The kernels of {@linkcode attendToChunks}. The graph's own operators copy keys and values of every query, [B, H, T, K, D] each, and
 * multiply as many small matrices.
 *
 * @param tables Keys and values on the GPU, read at every call.
 * @throws Error with the driver's message where the kernels do not compile.
 */
export async function createChunkAttention(
  device: WebGpuDevice,
  { keys, values, type }: GpuTables,
  options: ChunkAttentionSettings,
): Promise<Record<string, HostFunction>> {
  const { gpu } = device;
  const { headDim: D, retrievedChunks: n, chunkTokens: c, masked, softCap } = options;
  const width = (softCap === undefined ? 1 : 2) * n * c; // of the weights of a query
  const sizes = {
    ...{ D, N: n, C: c, K: n * c, WIDTH: width },
    ...{
      TYPE: storageTypes.indexOf(type),
      W: wordsOfVector(type, D),
      QUERY: D > mostShared ? 0 : 4 * Math.ceil(D / 4),
      TILE: Math.min(n * c, tileTokens),
    },
  };
  const module = { file: "chunk_attention.wgsl", code };
  /** The kernel for each table. */
  const compileFor = (entryPoint: "attend" | "backward", constants: Record<string, number> = {}) =>
    Promise.all(keys.map(async (_, table) => {
      const FIRST_ROW = table * keys[0].shape[0];
      const all = { [entryPoint]: { ...sizes, ...constants, FIRST_ROW } };
      return (await compileKernels(gpu, module, all))[entryPoint];
    }));
  const compileAttend = (masked: boolean) =>
    compileFor("attend", { MASKED: masked ? 1 : 0, EMPTY: emptyScore, CAP: softCap ?? 0 });
  const attend = await compileAttend(masked);

  const attendBy = (kernels: GPUComputePipeline[]): HostFunction => ([q, ids, scores]) => {
    const { B, H, T } = dims(q, "B H T D", { D });
    const o = device.zeros([B, H, T, D]), weights = device.zeros([B, H, T, width]);
    const bindings = { 0: q, 1: ids, 2: scores, 5: o, 6: weights };
    const ofTable = (i: number) => ({ ...bindings, 3: keys[i], 4: values[i] });
    runKernels(
      device,
      kernels.map((kernel, i) => ({ kernel, bindings: ofTable(i), groups: B * H * T })),
    );
    return Promise.resolve([o, weights]);
  };
  // The others are compiled when they are needed: by passes that explain themselves, and by trainings.
  return {
    [attendFunction]: attendBy(attend),
    [attendToVisibleFunction]: async (inputs) => {
      return attendBy(await compileAttend(true))(inputs);
    },
    [attendBackwardFunction]: async ([dy, ids, weights]) => {
      const { B, H, T } = dims(dy, "B H T D", { D });
      const dq = device.zeros([B, H, T, D]), bindings = { 0: dy, 1: ids, 5: dq, 7: weights };
      const ofTable = (i: number) => ({ ...bindings, 3: values[i], 4: keys[i] });
      const kernels = await compileFor("backward");
      runKernels(
        device,
        kernels.map((kernel, i) => ({ kernel, bindings: ofTable(i), groups: B * H * T })),
      );
      return [dq];
    },
  };
}
