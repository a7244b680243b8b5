import { Graph } from "../../src/graph/graph.ts";
import { add } from "../../src/graph/ops/add.ts";
import { type MemoryConfig, memoryProtocols } from "../../src/memory/config.ts";
import type { IndexConfig } from "../../src/memory/index/indexes.ts";
import { createHnswIndex } from "../../src/memory/index/hnsw_index.ts";
import { MemoryBank } from "../../src/memory/memory_bank.ts";
import { emptyScore } from "../../src/memory/memory_graph.ts";
import { followBank, retrieve, retrieveFunction } from "../../src/memory/retriever.ts";
import { compile } from "../../src/runtime/compile.ts";
import { Random } from "../../src/random.ts";
import { deviceTest } from "../graph/devices.ts";
import { assert, test } from "../testing.ts";

const B = 2, H = 3, T = 5, D = 4, c = 2, P = 9, n = 4;
const hnsw: IndexConfig = { kind: "hnsw", m: 8, efConstruction: 100, efSearch: 100 };

/** Where chunks are looked for: an index outside of the graph, if there is one, or nodes of the graph. */
const ways = [
  { name: "exact", index: { kind: "exact" }, kinds: ["cpu", "webgpu"] },
  { name: "exact, in the graph", index: { kind: "exact" }, inGraph: true, kinds: ["webgpu"] },
  { name: "hnsw", index: hnsw, kinds: ["cpu", "webgpu"] },
] as const;

for (const { name, index, kinds, ...way } of ways) {
  for (const bank of ["per-row", "shared"] as const) {
    deviceTest(`retrieve() finds what every score says: ${name}, ${bank}`, async (device) => {
      const config: MemoryConfig = {
        capacityTokens: P * c,
        chunkTokens: c,
        retrievedTokens: n * c,
        ...memoryProtocols.strict,
        bank,
        index,
      };
      const memory = new MemoryBank(device, config, { rows: B, heads: H, headDim: D });
      const seed = 0xffff_ffff; // the largest that declarations may have; each head has one of its own
      const outside = "inGraph" in way ? undefined : await followBank(memory, device, { seed });
      const graph = new Graph();
      const doubled = add(graph.input("half", [B, H, T, D]), graph.inputs.get("half")!);
      const { ids, scores } = retrieve(doubled, memory.shape, config, {
        outside: outside !== undefined,
        blockBytes: 512, // several blocks
      });
      assert.equal(ids.node!.op === retrieveFunction, outside !== undefined);
      graph.output("ids", ids);
      graph.output("scores", scores);
      const session = await compile(
        device,
        graph,
        outside ? { hostFunctions: { [retrieveFunction]: outside.search } } : {},
      );
      const random = new Random(`${index.kind} ${bank}`);
      let missing = 0;
      for (let pass = 0; pass < 9; pass++) {
        if (pass === 2) memory.reset([1]);
        if (pass === 6) memory.reset();
        const queries = normal(random, B * H * T * D);
        const found = await session.run({
          ...memory.inputs(B),
          half: device.tensor(queries.map((x) => x / 2), [B, H, T, D]),
        });
        missing += await check(memory, queries, {
          ids: await found.ids.read() as Int32Array,
          scores: await found.scores.read() as Float32Array,
        });
        const [keys, values] = [0, 1].map(() =>
          device.tensor(normal(random, B * 4 * H * D), [B * 4, H * D])
        );
        await memory.write(keys, values);
      }
      assert.ok(missing > 0, "banks that hold fewer chunks than asked for were searched");
      await session.close();
      outside?.dispose();
      memory.dispose();
    }, { kinds });
  }
}

deviceTest("followBank() leaves exact retrieval to the graph except on a GPU", async (device) => {
  const opens = async (retrievedTokens: number) => {
    const sizes = { capacityTokens: 1000, chunkTokens: 1, retrievedTokens };
    const config: MemoryConfig = { ...memoryProtocols.strict, ...sizes, index: { kind: "exact" } };
    const memory = new MemoryBank(device, config, { rows: 1, heads: 1, headDim: 1 });
    const outside = await followBank(memory, device, { seed: 1 });
    outside?.dispose();
    memory.dispose();
    return outside !== undefined;
  };
  assert.deepEqual([await opens(512), await opens(513)], [device.kind === "webgpu", false]);
});

test("retrieve() refuses an index that no graph can search", () => {
  const bank = { banks: 1, heads: 1, headDim: 1, capacityChunks: 9, chunkTokens: 1 };
  const config = { chunkTokens: 1, retrievedTokens: 1, index: hnsw };
  assert.throws(
    () =>
      retrieve(new Graph().input("queries", [1, 1, 1, 1]), bank, config, {
        outside: false,
        blockBytes: 512,
      }),
    {
      name: "TypeError",
      message: 'Cannot retrieve in a graph by an index of kind "hnsw", which is not exact',
    },
  );
});

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
