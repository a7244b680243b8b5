import { dims } from "../graph/graph.ts";
import type { HostFunction } from "../runtime/compile.ts";
import type { Device } from "../runtime/device.ts";
import {
  attendBackwardFunction,
  attendFunction,
  attendToVisibleFunction,
  type ChunkAttentionSettings,
} from "./chunk_attention.ts";
import { emptyScore } from "./memory_graph.ts";
import type { VectorTable } from "./vector_table.ts";

/**
 * The functions of `attendToChunks` on the host, for keys and values that lie there and not on the device: what a query has retrieved is
 * read where it lies, and only queries, weights and results cross. Sums are float64.
 *
 * @param tables Keys and values of the chunks, read at every call.
 */
export function createHostAttention(
  device: Device,
  tables: { keys: VectorTable; values: VectorTable },
  options: ChunkAttentionSettings,
): Record<string, HostFunction> {
  const { headDim: D, retrievedChunks: n, chunkTokens: c, masked, softCap } = options;
  const K = n * c, width = softCap === undefined ? K : 2 * K; // of the weights of a query
  const vectors = new Float32Array(K * D), products = new Float64Array(K);

  /** Reads the keys or values [K, D] of a query's chunks. */
  function load(table: VectorTable, ids: Int32Array, row: number): void {
    for (let i = 0; i < n; i++) table.read(ids[row * n + i] * c, c, vectors, i * c * D);
  }

  /** products[k] = vectors[k] x[row] */
  function multiply(x: Float32Array, row: number): void {
    for (let k = 0; k < K; k++) {
      let sum = 0;
      for (let d = 0; d < D; d++) sum += vectors[k * D + d] * x[row * D + d];
      products[k] = sum;
    }
  }

  /** out[row] = sum of products[k] vectors[k] */
  function combine(out: Float32Array, row: number): void {
    for (let d = 0; d < D; d++) {
      let sum = 0;
      for (let k = 0; k < K; k++) sum += products[k] * vectors[k * D + d];
      out[row * D + d] = sum;
    }
  }

  const attendBy = (masked: boolean): HostFunction => async ([queries, chunks, found]) => {
    const { B, H, T } = dims(queries, "B H T D", { D }), rows = B * H * T;
    const read = await device.readAll([queries, chunks, found]);
    const [q, ids, scores] = read as [Float32Array, Int32Array, Float32Array];
    const o = new Float32Array(rows * D), weights = new Float32Array(rows * width);
    for (let row = 0; row < rows; row++) {
      load(tables.keys, ids, row);
      multiply(q, row);
      if (softCap !== undefined) {
        for (let k = 0; k < K; k++) {
          const share = Math.tanh(products[k] / softCap);
          products[k] = softCap * share;
          weights[row * width + K + k] = 1 - share ** 2;
        }
      }
      let most = -Infinity, total = 0;
      for (let k = 0; k < K; k++) {
        const isEmpty = masked && scores[row * n + Math.floor(k / c)] < emptyScore / 2;
        if (isEmpty) products[k] += emptyScore;
        most = Math.max(most, products[k]);
      }
      for (let k = 0; k < K; k++) total += products[k] = Math.exp(products[k] - most);
      for (let k = 0; k < K; k++) weights[row * width + k] = products[k] /= total;
      load(tables.values, ids, row);
      combine(o, row);
    }
    return [device.tensor(o, [B, H, T, D]), device.tensor(weights, [B, H, T, width])];
  };

  return {
    [attendFunction]: attendBy(masked),
    [attendToVisibleFunction]: attendBy(true),
    [attendBackwardFunction]: async ([slopes, chunks, shares]) => {
      const { B, H, T } = dims(slopes, "B H T D", { D }), rows = B * H * T;
      const read = await device.readAll([slopes, chunks, shares]);
      const [dy, ids, weights] = read as [Float32Array, Int32Array, Float32Array];
      const dq = new Float32Array(rows * D);
      for (let row = 0; row < rows; row++) {
        load(tables.values, ids, row);
        multiply(dy, row);
        let delta = 0;
        for (let k = 0; k < K; k++) delta += weights[row * width + k] * products[k];
        for (let k = 0; k < K; k++) {
          const slope = softCap === undefined ? 1 : weights[row * width + K + k];
          products[k] = weights[row * width + k] * (products[k] - delta) * slope;
        }
        load(tables.keys, ids, row);
        combine(dq, row);
      }
      return [device.tensor(dq, [B, H, T, D])];
    },
  };
}
