/** The kernels, and the host, attend to retrieved chunks as double precision does, and so do their gradients. */
import { Graph, type Value } from "../../src/graph/graph.ts";
import { gradients } from "../../src/graph/gradients.ts";
import { mul } from "../../src/graph/ops/mul.ts";
import { reduceSum } from "../../src/graph/ops/reduce_sum.ts";
import {
  attendFunction,
  attendToChunks,
  type ChunkAttentionSettings,
  createChunkAttention,
} from "../../src/memory/chunk_attention.ts";
import { createHostAttention } from "../../src/memory/host_attention.ts";
import { emptyScore } from "../../src/memory/memory_graph.ts";
import { compile, type HostFunction } from "../../src/runtime/compile.ts";
import { packVectors, unpackVectors } from "../../src/memory/packed_vectors.ts";
import { storageTypes } from "../../src/memory/stored_range.ts";
import { createVectorTable } from "../../src/memory/vector_table.ts";
import type { Device } from "../../src/runtime/device.ts";
import type { WebGpuDevice } from "../../src/runtime/webgpu_device.ts";
import { Random } from "../../src/random.ts";
import { deviceTest } from "../graph/devices.ts";
import { assert, assertClose } from "../testing.ts";

/** Sizes: rows B, heads H, queries T, components D, chunks n of c tokens, rows R of each of some tables. */
interface Sizes {
  B: number;
  H: number;
  T: number;
  D: number;
  n: number;
  c: number;
  R: number;
  tables: number;
}

interface Inputs {
  q: Float64Array;
  ids: Int32Array<ArrayBuffer>;
  scores: Float32Array<ArrayBuffer>;
  keys: Float64Array;
  values: Float64Array;
}

type Settings = Pick<ChunkAttentionSettings, "masked" | "softCap">;

/** Output of one query [D]. */
function attendInDoubles(
  { D, n, c }: Sizes,
  inputs: Inputs,
  row: number,
  { masked, softCap: cap }: Settings,
) {
  const places = Array.from(
    { length: n * c },
    (_, k) => (inputs.ids[row * n + Math.floor(k / c)] * c + k % c) * D,
  );
  const scores = places.map((place, k) => {
    let score = 0;
    for (let d = 0; d < D; d++) score += inputs.q[row * D + d] * inputs.keys[place + d];
    if (cap !== undefined) score = cap * Math.tanh(score / cap);
    const isEmpty = inputs.scores[row * n + Math.floor(k / c)] < emptyScore / 2;
    return masked && isEmpty ? -Infinity : score;
  });
  const most = Math.max(...scores);
  const shares = scores.map((score) => Math.exp(score - most));
  const sum = shares.reduce((a, b) => a + b);
  return Float64Array.from(
    { length: D },
    (_, d) => shares.reduce((o, share, k) => o + share / sum * inputs.values[places[k] + d], 0),
  );
}

async function attendsInDoublePrecision(
  device: Device,
  open: (
    size: Sizes,
    inputs: Inputs,
    settings: Settings,
  ) => Promise<Record<string, HostFunction>> | Record<string, HostFunction>,
) {
  const cases: (Sizes & Settings)[] = [
    { B: 1, H: 1, T: 1, D: 1, n: 1, c: 1, R: 1, tables: 1, masked: false },
    { B: 2, H: 3, T: 5, D: 7, n: 3, c: 2, R: 11, tables: 1, masked: true },
    { B: 2, H: 3, T: 5, D: 7, n: 3, c: 2, R: 11, tables: 4, masked: false },
    { B: 1, H: 2, T: 3, D: 70, n: 17, c: 4, R: 40, tables: 2, masked: true },
    { B: 2, H: 3, T: 5, D: 7, n: 3, c: 2, R: 11, tables: 1, masked: true, softCap: 0.8 },
    { B: 1, H: 2, T: 3, D: 70, n: 17, c: 4, R: 40, tables: 2, masked: false, softCap: 1.5 },
    // More than a workgroup has memory for.
    { B: 1, H: 1, T: 2, D: 3, n: 827, c: 5, R: 900, tables: 2, masked: true, softCap: 1.2 },
    { B: 1, H: 1, T: 1, D: 1030, n: 3, c: 2, R: 9, tables: 1, masked: true },
  ];
  for (const { masked, softCap, ...size } of cases) {
    const settings = { masked, softCap };
    const { B, H, T, D, n, c, R, tables } = size, rows = B * H * T;
    const random = new Random(JSON.stringify(size));
    const normals = (length: number, scale = 1) =>
      Float64Array.from({ length }, () => Math.fround(scale * random.normal()));
    const tableOf = Array.from({ length: rows }, () => random.below(tables));
    const inputs: Inputs = {
      q: normals(rows * D, 2 / Math.sqrt(D)),
      ids: Int32Array.from(
        { length: rows * n },
        (_, i) => tableOf[Math.floor(i / n)] * R + random.below(R),
      ),
      // Some chunks are empty, never the first.
      scores: Float32Array.from(
        { length: rows * n },
        (_, i) => i % n > 0 && random.below(3) === 0 ? emptyScore + 5 : random.normal(),
      ),
      keys: normals(tables * R * c * D),
      values: normals(tables * R * c * D),
    };
    const dy = normals(rows * D);
    const graph = new Graph();
    const q = graph.input("q", [B, H, T, D]);
    const ids = graph.input("ids", [B, H, T, n], "int32");
    const scores = graph.input("scores", [B, H, T, n]);
    const seed = graph.input("dy", [B, H, T, D]);
    // Several blocks of queries, where there is more than one.
    const blockBytes = T > 3 ? 4 * H * n * c * 2 : undefined;
    let weights: Value | undefined;
    const note = (found: Value) => void (weights = found);
    const options = { chunkTokens: c, softCap, blockBytes, note };
    const o = attendToChunks(q, { ids, scores }, options);
    const [dq] = gradients(reduceSum(mul(o, seed)), [q]);
    graph.output("o", mul(o, graph.scalar(1)));
    graph.output("sums", reduceSum(mul(weights!, graph.scalar(1)), { axes: [-1] }));
    graph.output("dq", mul(dq!, graph.scalar(1)));

    const tensor = (data: Float64Array, shape: number[]) =>
      device.tensor(Float32Array.from(data), shape);
    const hostFunctions = await open(size, inputs, settings);
    const session = await compile(device, graph, { hostFunctions });
    const outputs = await session.run({
      q: tensor(inputs.q, [B, H, T, D]),
      ids: device.tensor(inputs.ids, [B, H, T, n]),
      scores: device.tensor(inputs.scores, [B, H, T, n]),
      dy: tensor(dy, [B, H, T, D]),
    });
    const name = JSON.stringify({ ...size, ...settings });
    const expected = (row: number) => attendInDoubles(size, inputs, row, settings);
    const found = await outputs.o.read() as Float32Array;
    const slopes = await outputs.dq.read() as Float32Array;
    const sums = await outputs.sums.read() as Float32Array;
    assertClose(sums, new Float32Array(rows).fill(1), { tolerance: 1e-5, name });
    for (let row = 0; row < rows; row++) {
      const tolerance = 2e-5, at = `${name} row ${row}`;
      assertClose(found.subarray(row * D, (row + 1) * D), expected(row), { tolerance, name: at });
      const differences = Float64Array.from({ length: D }, (_, d) => {
        const loss = () => expected(row).reduce((sum, x, i) => sum + x * dy[row * D + i], 0);
        const value = inputs.q[row * D + d];
        inputs.q[row * D + d] = value + 1e-5;
        const above = loss();
        inputs.q[row * D + d] = value - 1e-5;
        const slope = (above - loss()) / 2e-5;
        inputs.q[row * D + d] = value;
        return slope;
      });
      assertClose(slopes.subarray(row * D, (row + 1) * D), differences, { tolerance, name: at });
    }
    await session.close();
  }
}

for (const type of storageTypes) {
  deviceTest(
    `the kernels of attendToChunks() attend to ${type} in double precision`,
    (device) =>
      attendsInDoublePrecision(device, ({ D, n, c, R, ...size }, { keys, values }, settings) => {
        const split = (data: Float64Array) => {
          const words = packVectors(type, Float32Array.from(data), D);
          const stored = new Float32Array(data.length);
          unpackVectors(type, words, { first: 0, count: data.length / D, size: D }, stored, 0);
          data.set(stored); // what is expected to be read
          const all = new Int32Array(words.buffer), width = all.length / size.tables;
          return Array.from(
            { length: size.tables },
            (_, i) => device.tensor(all.slice(i * width, (i + 1) * width), [R, width / R]),
          );
        };
        const tables = { keys: split(keys), values: split(values), type };
        const options = { headDim: D, retrievedChunks: n, chunkTokens: c, ...settings };
        return createChunkAttention(device as WebGpuDevice, tables, options);
      }),
    { kinds: ["webgpu"] },
  );
}

deviceTest(
  "the host computes attendToChunks() in double precision",
  (device) =>
    attendsInDoublePrecision(device, ({ D, n, c, ...size }, { keys, values }, settings) => {
      const R = size.R * size.tables;
      const table = (data: Float64Array) => {
        const shape = { rows: R, vectors: c, size: D };
        const made = createVectorTable("float32", shape, (bytes) => new ArrayBuffer(bytes));
        for (let vector = 0; vector < R * c; vector++) made.store(vector, data, vector * D);
        return made;
      };
      const tables = { keys: table(keys), values: table(values) };
      const options = { headDim: D, retrievedChunks: n, chunkTokens: c, ...settings };
      return createHostAttention(device, tables, options);
    }),
);

deviceTest("a query that is no number leaves that before it alone", async (device) => {
  for (const D of [7, 1030]) {
    const words = packVectors("int8", new Float32Array(D).fill(1), D);
    const table = device.tensor(new Int32Array(words.buffer), [1, words.length]);
    const tables = { keys: [table], values: [table], type: "int8" } as const;
    const functions = await createChunkAttention(device as WebGpuDevice, tables, {
      ...{ headDim: D, retrievedChunks: 1, chunkTokens: 1, masked: false },
    });
    const queries = Float32Array.from({ length: 2 * D }, (_, i) => i < D ? 0.5 : NaN);
    const [, weights] = await functions[attendFunction]([
      device.tensor(queries, [1, 1, 2, D]),
      device.tensor(new Int32Array(2), [1, 1, 2, 1]),
      device.tensor(new Float32Array(2), [1, 1, 2, 1]),
    ]);
    assert.deepEqual(Array.from(await weights.read() as Float32Array), [1, NaN]);
  }
}, { kinds: ["webgpu"] });
