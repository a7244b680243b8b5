import type { ChunkIndex } from "../../../src/memory/index/chunk_index.ts";
import { FlatIndex } from "../../../src/memory/index/flat_index.ts";
import { createHnswIndex } from "../../../src/memory/index/hnsw_index.ts";
import { recallAt } from "./recall.ts";
import { Random } from "../../../src/random.ts";
import { assert, repositoryPath, test } from "../../testing.ts";
import { keySource, ringSlots } from "./keys.ts";

function search(index: ChunkIndex, queries: Float32Array, R: number, n: number): Int32Array {
  const found = new Int32Array(R * n);
  index.search(queries, n, found);
  return found;
}

// Retrieval of the released model asks for 16 chunks of a query: 64 tokens in chunks of 4.
const n = 16, R = 64;

for (
  const { kind, D, chunks } of [
    { kind: "gaussian", D: 32, chunks: 4000 },
    { kind: "gaussian", D: 64, chunks: 2000 },
    { kind: "clustered", D: 32, chunks: 4000 },
    { kind: "clustered", D: 64, chunks: 8000 },
  ] as const
) {
  test(`HnswIndex finds 0.95 of what FlatIndex finds among ${chunks} ${kind} keys of ${D}`, async () => {
    const draw = keySource(kind, D, new Random(`${kind} ${D}`));
    const flat = new FlatIndex({ headDim: D, capacityChunks: chunks });
    using hnsw = await createHnswIndex({ headDim: D, capacityChunks: chunks, seed: 1 });
    const slots = ringSlots(0, chunks, chunks), keys = draw(chunks);
    flat.add(slots, keys);
    hnsw.add(slots, keys);
    const queries = draw(R);
    const recall = recallAt(n, search(hnsw, queries, R, n), search(flat, queries, R, n));
    assert.ok(recall >= 0.95, `recall@${n} is ${recall}`);
  });
}

for (const kind of ["gaussian", "clustered"] as const) {
  test(`HnswIndex keeps its recall and its memory while half of the ${kind} chunks leave again and again`, async () => {
    const D = 32, capacityChunks = 1024, half = capacityChunks / 2;
    const random = new Random(`${kind} rounds`);
    const flat = new FlatIndex({ headDim: D, capacityChunks });
    using hnsw = await createHnswIndex({ headDim: D, capacityChunks, seed: 1 });
    let heapBytes = 0;
    for (let round = 0; round < 14; round++) {
      // Another document: its clusters lie elsewhere.
      const draw = keySource(kind, D, random);
      const slots = ringSlots(round * half, half, capacityChunks), keys = draw(half);
      for (const index of [flat, hnsw]) {
        if (round >= 2) index.remove(slots);
        index.add(slots, keys);
      }
      const queries = draw(R);
      const found = search(hnsw, queries, R, n);
      const recall = recallAt(n, found, search(flat, queries, R, n));
      assert.ok(recall >= 0.95, `round ${round}: recall@${n} is ${recall}`);
      // By now the graph was built anew at least once, and all allocations have been made.
      if (round === 5) heapBytes = hnsw.wasmHeapBytes;
    }
    assert.equal(hnsw.wasmHeapBytes, heapBytes);
  });
}

test("HnswIndex gives equal results for equal seeds and equal calls, also after rebuilds", async () => {
  const D = 16, capacityChunks = 400, step = 100;
  const run = async (seed: number) => {
    // So few candidates that the results depend on the graph.
    using index = await createHnswIndex({
      headDim: D,
      capacityChunks,
      m: 3,
      efConstruction: 4,
      efSearch: 4,
      seed,
    });
    const draw = keySource("gaussian", D, new Random("determinism"));
    const found: number[] = [];
    for (let round = 0; round < 12; round++) {
      const slots = ringSlots(round * step, step, capacityChunks);
      if (round >= 4) index.remove(slots);
      index.add(slots, draw(step));
      found.push(...search(index, draw(8), 8, 4));
    }
    return found;
  };
  const first = await run(7);
  assert.deepEqual(await run(7), first);
  assert.notDeepEqual(await run(8), first);
});

test("HnswIndex starts from the seed again once it is emptied, by clear() or by remove()", async () => {
  const D = 16, chunks = 300;
  using index = await createHnswIndex({
    headDim: D,
    capacityChunks: 2 * chunks, // room for a second filling without a rebuild
    m: 3,
    efConstruction: 4,
    efSearch: 4,
    seed: 3,
  });
  const draw = keySource("gaussian", D, new Random("clear"));
  const keys = draw(chunks), queries = draw(R), slots = ringSlots(0, chunks, chunks);
  index.add(slots, keys);
  const first = search(index, queries, R, 4);
  for (const empty of [() => index.clear(), () => index.remove(slots)]) {
    empty();
    index.add(slots, keys);
    assert.deepEqual(search(index, queries, R, 4), first);
  }
});

test("HnswIndex gets more recall from more candidates, and never keeps fewer than n", async () => {
  const D = 32, chunks = 1500;
  const draw = keySource("gaussian", D, new Random("candidates"));
  const keys = draw(chunks), queries = draw(R), slots = ringSlots(0, chunks, chunks);
  const flat = new FlatIndex({ headDim: D, capacityChunks: chunks });
  flat.add(slots, keys);
  const recalls: number[] = [];
  for (const efSearch of [1, 16, 256]) {
    using index = await createHnswIndex({ headDim: D, capacityChunks: chunks, efSearch, seed: 1 });
    index.add(slots, keys);
    const found = search(index, queries, R, n);
    assert.ok(found.every((slot) => slot >= 0));
    recalls.push(recallAt(n, found, search(flat, queries, R, n)));
  }
  assert.equal(recalls[0], recalls[1], "n candidates are kept where efSearch is below n");
  assert.ok(recalls[2] > recalls[1] + 0.05, `recalls are ${recalls}`);
});

test("HnswIndex answers in full where its graph falls apart", async () => {
  const D = 8, chunks = 500, many = 400;
  // The fewest links there can be, between far clusters: most chunks cannot be reached.
  const draw = keySource("clustered", D, new Random("apart"));
  const flat = new FlatIndex({ headDim: D, capacityChunks: chunks });
  using index = await createHnswIndex({
    headDim: D,
    capacityChunks: chunks,
    m: 2,
    efConstruction: 1,
    seed: 1,
  });
  const keys = draw(chunks), queries = draw(4), slots = ringSlots(0, chunks, chunks);
  flat.add(slots, keys);
  index.add(slots, keys);
  assert.deepEqual(search(index, queries, 4, many), search(flat, queries, 4, many));
});

test("HnswIndex gives its memory back when disposed of", async () => {
  const options = { headDim: 64, seed: 1 };
  // The memory that holds this one has room for 7 of the others at once.
  using held = await createHnswIndex({ ...options, capacityChunks: 50_000 });
  const heapBytes: number[] = [];
  for (let i = 0; i < 12; i++) {
    using index = await createHnswIndex({ ...options, capacityChunks: 200_000 });
    index.add(Int32Array.of(i), new Float32Array(64).fill(1));
    heapBytes.push(index.wasmHeapBytes);
  }
  assert.ok(heapBytes[0] > 2e8);
  assert.deepEqual(heapBytes.slice(2), new Array(10).fill(heapBytes[2]));
  assert.equal(held.wasmHeapBytes, heapBytes[2]);
});

test("HnswIndex lies in another WebAssembly memory where one is full", async () => {
  const options = { headDim: 64, capacityChunks: 1_000_000, seed: 1 };
  using first = await createHnswIndex(options);
  using second = await createHnswIndex(options);
  for (const index of [first, second]) {
    index.add(Int32Array.of(5, 6), keySource("gaussian", 64, new Random("full"))(2));
    assert.ok(index.wasmHeapBytes > 8e8 && index.wasmHeapBytes < 1.6e9);
  }
});

test("createHnswIndex() leaves no window behind, by which others would take this for a browser", async () => {
  using _index = await createHnswIndex({ headDim: 2, capacityChunks: 4, seed: 1 });
  assert.ok(!("window" in globalThis));
});

test("createHnswIndex() rejects sizes out of range", async () => {
  const sizes = { headDim: 4, capacityChunks: 8, seed: 1 };
  for (
    const [options, message] of [
      [{ headDim: 0 }, /headDim must be a positive integer: current value is 0/],
      [{ capacityChunks: 3_000_000 }, /graph is too large: capacityChunks 3000000, headDim 4/],
    ] as const
  ) {
    await assert.rejects(createHnswIndex({ ...sizes, ...options }), {
      name: "RangeError",
      message,
    });
  }
});

test("HnswIndex leaves the library's memory to others once the garbage collector has found it", async () => {
  const program = `
    import { createHnswIndex } from "./src/memory/index/hnsw_index.ts";
    const heaps = [];
    async function open() {
      const index = await createHnswIndex({ headDim: 64, capacityChunks: 50_000, seed: 1 });
      heaps.push(index.wasmHeapBytes);
    }
    for (let i = 0; i < 4; i++) {
      await open();
      await new Promise((resolve) => setTimeout(resolve));
      gc();
      await new Promise((resolve) => setTimeout(resolve));
    }
    console.log(new Set(heaps).size);`;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-check", "--v8-flags=--expose-gc", "--ext=ts", program],
    cwd: repositoryPath("."),
  });
  const { stdout, stderr } = await child.output();
  assert.equal(new TextDecoder().decode(stdout), "1\n", new TextDecoder().decode(stderr));
});
