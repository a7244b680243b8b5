import { Graph } from "../../src/graph/graph.ts";
import { type IndexConfig, type MemoryConfig, memoryProtocols } from "../../src/memory/config.ts";
import { createHnswIndex } from "../../src/memory/index/hnsw_index.ts";
import { MemoryBank } from "../../src/memory/memory_bank.ts";
import { emptyScore } from "../../src/memory/memory_graph.ts";
import { followBank, retrieve, retrieveFunction } from "../../src/memory/retriever.ts";
import { compile } from "../../src/runtime/compile.ts";
import type { Device } from "../../src/runtime/device.ts";
import { Random } from "../../src/text/random.ts";
import { deviceTest } from "../graph/devices.ts";
import { assert } from "../testing.ts";

const B = 2, H = 3, T = 5, D = 4, c = 2, P = 9, n = 4;
const hnsw: IndexConfig = { kind: "hnsw", m: 8, efConstruction: 100, efSearch: 100 };

for (const index of [{ kind: "exact" } as const, hnsw]) {
  for (const bank of ["per-row", "shared"] as const) {
    deviceTest(`retrieve() finds what every score says: ${index.kind}, ${bank}`, async (device) => {
      const config: MemoryConfig = {
        capacityTokens: P * c,
        chunkTokens: c,
        retrievedTokens: n * c,
        ...memoryProtocols.strict,
        bank,
        index,
      };
      const memory = new MemoryBank(device, config, { rows: B, heads: H, headDim: D });
      const outside = await followBank(memory, device, { seed: 1 });
      const random = new Random(`${index.kind} ${bank}`);
      let missing = 0;
      for (let pass = 0; pass < 9; pass++) {
        if (pass === 2) memory.reset([1]);
        if (pass === 6) memory.reset();
        const queries = normal(random, B * H * T * D);
        const found = await search(device, memory, config, { queries, outside });
        missing += await check(memory, queries, found);
        const [keys, values] = [0, 1].map(() =>
          device.tensor(normal(random, B * 4 * H * D), [B * 4, H * D])
        );
        await memory.write(keys, values);
      }
      assert.ok(missing > 0, "banks that hold fewer chunks than asked for were searched");
      memory.dispose();
    }, { kinds: ["cpu"] });
  }
}

async function search(
  device: Device,
  memory: MemoryBank,
  config: MemoryConfig,
  { queries, outside }: {
    queries: Float32Array<ArrayBuffer>;
    outside: Awaited<ReturnType<typeof followBank>>;
  },
): Promise<{ ids: Int32Array; scores: Float32Array }> {
  const graph = new Graph();
  const found = retrieve(graph.input("queries", [B, H, T, D]), memory.shape, config, {
    blockBytes: 512, // several blocks
  });
  if (!outside) {
    graph.output("ids", found.ids);
    graph.output("scores", found.scores);
    const session = await compile(device, graph);
    const feeds = { ...memory.inputs(B), queries: device.tensor(queries, [B, H, T, D]) };
    const { ids, scores } = await session.run(feeds);
    const read = { ids: await ids.read(), scores: await scores.read() };
    await session.close();
    return read as { ids: Int32Array; scores: Float32Array };
  }
  assert.equal(found.ids.node!.op, retrieveFunction);
  const [ids, scores] = await outside.search([device.tensor(queries, [B, H, T, D])]);
  return { ids: await ids.read() as Int32Array, scores: await scores.read() as Float32Array };
}

/** Checks ids against all scores computed one by one; returns how many were missing. */
async function check(
  memory: MemoryBank,
  queries: Float32Array,
  { ids, scores }: { ids: Int32Array; scores: Float32Array },
): Promise<number> {
  const { rings, tensors: { keys, meanKeys } } = await memory.save();
  let missing = 0;
  for (let i = 0; i < B * H * T; i++) {
    const b = Math.floor(i / (H * T)), h = Math.floor(i / T) % H;
    const bank = memory.shape.banks === 1 ? 0 : b, head = bank * H + h;
    const { first, count } = rings[bank];
    const stored = Array.from({ length: count }, (_, age) => (first + age) % P);
    const score = (slot: number) => {
      let sum = 0;
      for (let d = 0; d < D; d++) {
        sum += queries[i * D + d] * meanKeys.data[(head * (D + 1) + d) * P + slot];
      }
      return sum;
    };
    const best = stored.sort((x, y) => score(y) - score(x)).slice(0, n);
    const found = [...ids.subarray(i * n, (i + 1) * n)];
    assert.deepEqual(found.slice(0, best.length), best.map((slot) => head * P + slot));
    for (let j = best.length; j < n; j++, missing++) {
      const slot = found[j] - head * P;
      assert.ok(slot >= 0 && slot < P && !stored.includes(slot), "an empty slot of the same head");
      const row = keys.data.subarray(found[j] * c * D, (found[j] + 1) * c * D);
      assert.ok(row.every((x) => x === 0));
    }
    for (let j = 0; j < n; j++) {
      assert.equal(scores[i * n + j] <= emptyScore / 2, j >= best.length);
    }
  }
  return missing;
}

deviceTest("followBank() gives back the memory that its indexes take", async (device) => {
  const sizes = { capacityTokens: 10_000, chunkTokens: 1, retrievedTokens: 1 };
  const index = { kind: "hnsw", m: 64, efConstruction: 2, efSearch: 1 } as const;
  const config: MemoryConfig = { ...memoryProtocols["released-code"], ...sizes, index };
  const heads = 4, headDim = 2;
  const heapBytes: number[] = [];
  for (let i = 0; i < 5; i++) {
    const memory = new MemoryBank(device, config, { rows: 1, heads, headDim }); // graphs of 38 MB
    const outside = await followBank(memory, device, { seed: 1 });
    using other = await createHnswIndex({ headDim, capacityChunks: 8, seed: 1 });
    heapBytes.push(other.wasmHeapBytes);
    outside!.dispose();
    memory.dispose();
  }
  assert.deepEqual(heapBytes, Array(5).fill(heapBytes[0]));
}, { kinds: ["cpu"] });

function normal(random: Random, count: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: count }, () => random.normal());
}
