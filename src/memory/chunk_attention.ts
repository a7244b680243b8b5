import { dims, type Value } from "../graph/graph.ts";
import { hostDomain } from "../graph/onnx.ts";
import type { HostFunction } from "../runtime/compile.ts";
import type { DeviceTensor } from "../runtime/device.ts";
import { compileKernels, dispatchGroups } from "../runtime/gpu_kernels.ts";
import { bufferOf, type WebGpuDevice } from "../runtime/webgpu_device.ts";
import code from "./chunk_attention.wgsl" with { type: "text" };
import { emptyScore, type Retrieved } from "./memory_graph.ts";

/** Names of the host functions. */
export const attendFunction = "AttendToChunks", attendBackwardFunction = "AttendToChunksBackward";

/** Most retrieved tokens of a query that the kernels have workgroup memory for. */
const mostTokens = 2048;

/** Whether {@linkcode createChunkAttention} is made for these sizes. */
export function hasChunkAttention(
  sizes: { headDim: number; retrievedChunks: number; chunkTokens: number },
): boolean {
  return sizes.retrievedChunks * sizes.chunkTokens <= mostTokens && sizes.headDim <= 1024;
}

/**
 * Attention of every query over the tokens that it has retrieved, outside the graph, as `memoryAttention` does it in the graph:
 * o = values^T softmax(keys q) for the K = n c tokens of a query. Keys, values and ids take no gradient.
 *
 * @param q Queries [B, H, T, D], already scaled.
 * @param chunkTokens Tokens c of a chunk.
 * @returns [B, H, T, D]
 */
export function attendToChunks(
  q: Value,
  { ids, scores }: Retrieved,
  { chunkTokens }: { chunkTokens: number },
): Value {
  const { graph } = q;
  const { B, H, T, D } = dims(q, "B H T D");
  const { n } = dims(ids, "B H T n", { B, H, T });
  const [o, weights] = graph.nodeWithOutputs({
    op: attendFunction,
    domain: hostDomain,
    inputs: [q, ids, scores],
    outputs: [
      { shape: [B, H, T, D], type: "float32" },
      { shape: [B, H, T, n * chunkTokens], type: "float32" },
    ],
  });
  graph.derive([q], [o], ({ dy }) => [
    graph.node({
      op: attendBackwardFunction,
      domain: hostDomain,
      inputs: [dy, ids, weights],
      outputs: [{ shape: [B, H, T, D], type: "float32" }],
    }),
  ]);
  return o;
}

/**
 * The kernels of {@linkcode attendToChunks}. The graph's own operators copy keys and values of every query, [B, H, T, K, D] each, and
 * multiply as many small matrices.
 *
 * @param tables Keys and values [R, c*D] on the GPU, read at every call.
 * @param options `masked`: empty slots do not count, else they have keys and values of zeros.
 * @throws Error with the driver's message where the kernels do not compile.
 */
export async function createChunkAttention(
  device: WebGpuDevice,
  tables: { keys: DeviceTensor; values: DeviceTensor },
  options: { headDim: number; retrievedChunks: number; chunkTokens: number; masked: boolean },
): Promise<Record<string, HostFunction>> {
  const { gpu } = device;
  const { headDim: D, retrievedChunks: n, chunkTokens: c, masked } = options;
  const sizes = { D, N: n, C: c, K: n * c };
  const constants = {
    attend: { ...sizes, MASKED: masked ? 1 : 0, EMPTY: emptyScore },
    backward: sizes,
  };
  const pipelines = await compileKernels(gpu, { file: "chunk_attention.wgsl", code }, constants);

  function dispatch(
    pipeline: GPUComputePipeline,
    rows: number,
    tensors: Readonly<Record<number, DeviceTensor>>,
  ): void {
    const entries = Object.entries(tensors).map(([binding, tensor]) => ({
      binding: Number(binding),
      resource: { buffer: bufferOf(tensor), size: 4 * tensor.shape.reduce((a, b) => a * b, 1) },
    }));
    const encoder = gpu.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, gpu.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
    dispatchGroups(pass, rows);
    pass.end();
    gpu.queue.submit([encoder.finish()]);
    device.checkErrors();
  }

  const { keys, values } = tables;
  return {
    [attendFunction]: ([q, ids, scores]) => {
      const { B, H, T } = dims(q, "B H T D", { D });
      const o = device.zeros([B, H, T, D]), weights = device.zeros([B, H, T, n * c]);
      const tensors = { 0: q, 1: ids, 3: keys, 4: values, 5: o, 6: weights };
      dispatch(pipelines.attend, B * H * T, { ...tensors, 2: scores });
      return Promise.resolve([o, weights]);
    },
    [attendBackwardFunction]: ([dy, ids, weights]) => {
      const { B, H, T } = dims(dy, "B H T D", { D });
      const dq = device.zeros([B, H, T, D]);
      const tensors = { 0: dy, 1: ids, 3: keys, 4: values, 5: dq, 7: weights };
      dispatch(pipelines.backward, B * H * T, tensors);
      return Promise.resolve([dq]);
    },
  };
}
