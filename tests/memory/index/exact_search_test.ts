/** The kernels retrieve what the graph retrieves on the CPU: the same ids in the same order, and the same scores. */
import {
  createExactSearch,
  hasExactSearch,
  searchBlocks,
  type SharedSizes,
  sharedSizes,
} from "../../../src/memory/index/exact_search.ts";
import { emptyScore } from "../../../src/memory/memory_graph.ts";
import type { Device, DeviceTensor } from "../../../src/runtime/device.ts";
import type { WebGpuDevice } from "../../../src/runtime/webgpu_device.ts";
import { Random } from "../../../src/random.ts";
import { deviceTest, testedDevice } from "../../graph/devices.ts";
import { assert, test } from "../../testing.ts";
import { type Found, runSearch, searchGraph, type SearchSizes } from "../search_graph.ts";

const gpuOnly = { kinds: ["webgpu"] } as const;

/** Largest size of a block of scores: several blocks of queries, or of heads. */
const blockBytes = 100_000;

deviceTest("exact search finds what the graph finds, in odd sizes", async (device) => {
  const sizes: SearchSizes[] = [
    { G: 1, B: 1, H: 1, T: 1, D: 1, P: 1, n: 1 },
    { G: 1, B: 3, H: 2, T: 5, D: 3, P: 63, n: 63 },
    { G: 2, B: 2, H: 3, T: 65, D: 16, P: 64, n: 4 },
    { G: 3, B: 3, H: 2, T: 130, D: 17, P: 65, n: 16 },
    { G: 1, B: 1, H: 3, T: 33, D: 64, P: 2049, n: 16 },
    { G: 1, B: 2, H: 1, T: 7, D: 65, P: 1000, n: 512 },
  ];
  for (const size of sizes) {
    const random = new Random(JSON.stringify(size));
    // Sums of these are exact in any order, so that no two devices differ; of those of every second head many are equal.
    const draw = (head: number) => {
      const steps = head % 2 === 0 ? 256 : 2;
      return (random.below(2 * steps + 1) - steps) / 64;
    };
    const { B, H, T, D } = size;
    const queries = array(B * H * T * D, (i) => draw(Math.floor(i / (T * D)) % H));
    await agrees(device, size, { queries, meanKeys: meanKeys(size, ({ head }) => draw(head)) });
  }
}, gpuOnly);

deviceTest("exact search fills up with empty slots, the lowest first", async (device) => {
  const filled = [0, 1, 19, 20, 21, 699]; // of each row's bank
  const B = filled.length, H = 2, T = 9, P = 700, n = 20;
  const size: SearchSizes = { G: B, B, H, T, D: 5, P, n };
  const random = new Random("fill");
  const draw = () => (random.below(65) - 32) / 16;
  // A ring that wraps around: slots 695.. and 0..
  const isStored = (bank: number, slot: number) => (slot + 5) % P < filled[bank];
  const { ids } = await agrees(device, size, {
    queries: array(B * H * T * size.D, draw),
    meanKeys: meanKeys(size, draw, isStored),
  });
  filled.forEach((count, bank) => {
    const firstId = bank * H * P;
    const ofQuery = Array.from(ids.subarray(bank * H * T * n).subarray(0, n), (id) => id - firstId);
    const slots = Array.from({ length: P }, (_, slot) => slot);
    assert.deepEqual(
      ofQuery.filter((slot) => !isStored(bank, slot)),
      slots.filter((slot) => !isStored(bank, slot)).slice(0, Math.max(0, n - count)),
    );
  });
}, gpuOnly);

deviceTest("exact search takes the lowest slots where all scores are equal", async (device) => {
  // Places of so many slots differ in both of their digits.
  const size: SearchSizes = { G: 1, B: 1, H: 2, T: 3, D: 2, P: 5000, n: 33 };
  const { ids } = await agrees(device, size, {
    queries: new Float32Array(2 * 3 * 2), // every score is 0 or -0
    meanKeys: meanKeys(size, ({ slot }) => slot % 3 - 1),
  });
  ids.forEach((id, i) => assert.equal(id, Math.floor(i / (3 * 33)) * 5000 + i % 33));
}, gpuOnly);

deviceTest("exact search tells neighbouring numbers apart", async (device) => {
  const size: SearchSizes = { G: 1, B: 1, H: 1, T: 4, D: 1, P: 3000, n: 100 };
  const random = new Random("neighbours");
  // Each of 600 consecutive numbers about five times: the last of the n is one of several that are equal.
  const bits = Uint32Array.from({ length: size.P }, () => 0x3f800000 + random.below(600));
  const keys = new Float32Array(bits.buffer);
  await agrees(device, size, {
    queries: Float32Array.of(1, -1, 2, -0.5),
    meanKeys: meanKeys(size, ({ slot }) => keys[slot]),
  });
}, gpuOnly);

deviceTest("exact search orders infinities, tiny numbers and what is no number", async (device) => {
  const tiny = 2 ** -126; // the smallest normal number
  // deno-fmt-ignore
  const keys = [
    -Infinity, 0.5, 3.4e38, -3.4e38, -0, Infinity, tiny, -tiny, 0, -Infinity, 1, -1, emptyScore, 2 * emptyScore,
  ];
  const P = keys.length;
  const size: SearchSizes = { G: 1, B: 1, H: 1, T: 1, D: 1, P, n: P };
  const queries = Float32Array.of(1);
  const { ids } = await agrees(device, size, {
    queries,
    meanKeys: meanKeys(size, ({ slot }) => keys[slot]),
  });
  assert.deepEqual(Array.from(ids), [5, 2, 10, 1, 6, 4, 8, 7, 11, 12, 13, 3, 0, 9]);
}, gpuOnly);

deviceTest(
  "exact search takes numbers below float32's normal ones for 0, no numbers for the last",
  async (device) => {
    // By their bits, as engines make JavaScript take such numbers for 0, too.
    const bits = Uint32Array.of(
      0xffc00000,
      1,
      0x80000001,
      0x7fc00000,
      0x007fffff,
      0xff800000,
      0x00800000,
    );
    const P = bits.length;
    const size: SearchSizes = { G: 1, B: 1, H: 1, T: 1, D: 1, P, n: P };
    const table = new Uint32Array(2 * P);
    table.set(bits);
    const found = await search(device, size, {
      queries: Float32Array.of(1),
      meanKeys: new Float32Array(table.buffer),
    });
    assert.deepEqual(Array.from(found.ids), [6, 1, 2, 4, 5, 0, 3]);
    assert.deepEqual(Array.from(found.scores), [2 ** -126, 0, 0, 0, -Infinity, NaN, NaN]);
  },
  gpuOnly,
);

deviceTest("exact search answers short calls and long ones", async (device) => {
  const H = 2, D = 3, P = 100, n = 4, longest = 70;
  const size: SearchSizes = { G: 1, B: 1, H, T: longest, D, P, n };
  const random = new Random("calls");
  const draw = () => (random.below(17) - 8) / 8;
  const keys = meanKeys(size, draw);
  const { index, dispose } = await open(device, size, keys);
  const { live, restore } = scoreBuffers((device as WebGpuDevice).gpu);
  for (const T of [3, longest, 5]) {
    const queries = array(H * T * D, draw);
    const tensor = device.tensor(queries, [1, H, T, D]);
    const [ids, scores] = await index.search([tensor]);
    const expected = await searchInGraph({ ...size, T }, { queries, meanKeys: keys });
    assert.deepEqual(await ids.read(), expected.ids);
    for (const each of [tensor, ids, scores]) each.dispose();
    assert.equal(live.size, 1);
  }
  dispose();
  assert.equal(live.size, 0);
  restore();
}, gpuOnly);

deviceTest("exact search refuses what the GPU cannot bind at once", async (device) => {
  const size: SearchSizes = { G: 1, B: 1, H: 2, T: 1, D: 4, P: 8, n: 5 };
  const { bindingBytes } = device as WebGpuDevice;
  const { index, dispose } = await open(device, size, new Float32Array(2 * 5 * 8));
  const T = bindingBytes / 32; // with 5 ids a query, more than that
  assert.throws(() => index.search([{ shape: [1, 2, T, 4] } as unknown as DeviceTensor]), {
    name: "RangeError",
    message:
      `Cannot retrieve for 1 x ${T} tokens on this GPU as queries or ids take ${40 * T} bytes: ` +
      `allowed are ${bindingBytes}; smaller batches or device cpu would help`,
  });
  dispose();
}, gpuOnly);

test("hasExactSearch() is false beyond what the kernels have room for", () => {
  const has = (capacityChunks: number, retrievedChunks: number, tables = 1) =>
    hasExactSearch(
      { banks: 2, heads: 5, headDim: 1, chunkTokens: 4, capacityChunks },
      { retrievedChunks, tables },
    );
  assert.deepEqual([has(1000, 512), has(1000, 513)], [true, false]);
  assert.deepEqual([has(2 ** 24, 1), has(2 ** 24 + 1, 1)], [true, false]);
  assert.ok(has(1000, 512, 3));
  // 4 of 10 heads lie in a buffer, which would have the chunks of all of them if they were 400 each.
  assert.throws(() => has(1000, 513, 3), {
    name: "RangeError",
    message:
      "Cannot retrieve 513 of 1000 chunks on this GPU as a graph would, and the memory takes 3 buffers: " +
      "allowed are 512 of 16777216 chunks, thus a memory.retrievedTokens of up to 2048 and " +
      "a memory.capacityTokens of up to 67108864, or of up to 1600 in one buffer",
  });
});

deviceTest("exact search reaches the last of four million slots of each head", async (device) => {
  const P = 2 ** 22 + 3, H = 2, n = 5;
  const size: SearchSizes = { G: 1, B: 1, H, T: 1, D: 1, P, n };
  // The best of the heads, on both sides of where a dispatch of workgroups along one axis ends.
  const best = [[P - 1, 5, 65_535 * 64], [65_535 * 64 - 1, P - 2, 0]];
  const keys = new Float32Array(H * 2 * P);
  best.forEach((slots, h) => slots.forEach((slot, i) => keys[h * 2 * P + slot] = n - i));
  const data = { queries: Float32Array.of(1, 1), meanKeys: keys };
  const found = await search(device, size, data, {
    blockBytes: 4 * H * P, // both heads at once
    // More threads, as Mesa's software adapter leaves a shader after 65,535 iterations of all of its loops.
    shared: { ...sharedSizes.large, threads: 1024 },
  });
  // Of the others, which are all alike, the lowest come first.
  const others = [[0, 1], [1, 2]];
  const slots = best.map((first, h) => [...first, ...others[h]]);
  assert.deepEqual(Array.from(found.ids), slots.flatMap((slots, h) => slots.map((s) => h * P + s)));
  assert.deepEqual(Array.from(found.scores), [5, 4, 3, 0, 0, 5, 4, 3, 0, 0]);
}, gpuOnly);

test("searchBlocks() covers every query once, in blocks of bounded size", () => {
  const MiB = 2 ** 20;
  for (
    const options of [
      { heads: 16, contextTokens: 1024, chunks: 16_384, blockBytes: 128 * MiB },
      { heads: 512, contextTokens: 1000, chunks: 16_384, blockBytes: 64 * MiB },
      { heads: 3, contextTokens: 100, chunks: 1_000_000, blockBytes: 64 * MiB },
      { heads: 2, contextTokens: 3, chunks: 1_000_000, blockBytes: MiB },
      { heads: 70_000, contextTokens: 1, chunks: 1, blockBytes: 64 * MiB },
      { heads: 1, contextTokens: 70_000, chunks: 1, blockBytes: 64 * MiB },
    ]
  ) {
    const { heads, contextTokens: T, chunks } = options;
    const times = new Uint8Array(heads * T);
    for (const block of searchBlocks(options)) {
      const rows = block.heads * block.queries;
      assert.ok(rows === 1 || 4 * rows * chunks <= options.blockBytes);
      assert.ok(block.heads <= 65_535 && block.queries <= 65_535);
      assert.ok(block.firstHead + block.heads <= heads);
      for (let head = block.firstHead; head < block.firstHead + block.heads; head++) {
        times.subarray(head * T)
          .subarray(block.firstQuery, block.firstQuery + block.queries)
          .forEach((count, i, part) => part[i] = count + 1);
      }
    }
    assert.ok(times.every((count) => count === 1), JSON.stringify(options));
  }
  // 2,048 scores of 16,384 chunks fit: 128 queries of all heads, not 2,048 queries of one.
  const [block, ...others] = searchBlocks({
    heads: 16,
    contextTokens: 1024,
    chunks: 16_384,
    blockBytes: 128 * MiB,
  });
  assert.deepEqual(block, { firstHead: 0, heads: 16, firstQuery: 0, queries: 128 });
  assert.equal(others.length, 7);
  // 167 queries fit, and blocks are whole tiles of 64.
  const sizes = { heads: 1, contextTokens: 300, chunks: 100_000, blockBytes: 64 * MiB };
  assert.deepEqual(searchBlocks(sizes).map(({ queries }) => queries), [128, 128, 44]);
});

/** Mean keys [G, H, D+1, P] of stored chunks; those of empty slots are 0. */
function meanKeys(
  { G, H, D, P }: SearchSizes,
  draw: (place: { head: number; slot: number }) => number,
  isStored: (bank: number, slot: number) => boolean = () => true,
): Float32Array<ArrayBuffer> {
  return array(G * H * (D + 1) * P, (i) => {
    const slot = i % P, d = Math.floor(i / P) % (D + 1);
    const head = Math.floor(i / (P * (D + 1))) % H, bank = Math.floor(i / (P * (D + 1) * H));
    if (!isStored(bank, slot)) return d === D ? emptyScore : 0;
    return d === D ? 0 : draw({ head, slot });
  });
}

function array(length: number, value: (i: number) => number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length }, (_, i) => value(i));
}

async function open(
  device: Device,
  size: SearchSizes,
  keys: Float32Array<ArrayBuffer>,
  { tables = 1, ...options }: SearchOptions = {},
) {
  const { G, H, D, P, n } = size, tableHeads = Math.ceil(G * H / tables);
  const bank = { banks: G, heads: H, headDim: D, capacityChunks: P, chunkTokens: 1 };
  const tensors = Array.from({ length: tables }, (_, i) => {
    const table = keys.slice(...[i, i + 1].map((end) => end * tableHeads * (D + 1) * P));
    return device.tensor(table, [table.length / ((D + 1) * P), D + 1, P]);
  });
  const index = await createExactSearch(device as WebGpuDevice, bank, {
    meanKeys: tensors,
    retrievedChunks: n,
    blockBytes,
    shared: sharedSizes.large,
    ...options,
  });
  return {
    index,
    dispose() {
      index.dispose();
      for (const tensor of tensors) tensor.dispose();
    },
  };
}

interface SearchOptions {
  shared?: SharedSizes;
  blockBytes?: number;
  tables?: number;
}

async function search(
  device: Device,
  size: SearchSizes,
  data: { queries: Float32Array<ArrayBuffer>; meanKeys: Float32Array<ArrayBuffer> },
  options?: SearchOptions,
): Promise<Found> {
  const { index, dispose } = await open(device, size, data.meanKeys, options);
  const queries = device.tensor(data.queries, [size.B, size.H, size.T, size.D]);
  const tensors = await index.search([queries]);
  const [ids, scores] = await Promise.all(tensors.map((tensor) => tensor.read()));
  for (const tensor of [queries, ...tensors]) tensor.dispose();
  dispose();
  return { ids: ids as Int32Array, scores: scores as Float32Array };
}

/** Watches the buffers of scores that are made, and not yet destroyed. */
function scoreBuffers(gpu: GPUDevice): { live: Set<GPUBuffer>; restore: () => void } {
  const live = new Set<GPUBuffer>();
  const { createBuffer } = gpu;
  gpu.createBuffer = (descriptor) => {
    const buffer = createBuffer.call(gpu, descriptor);
    if (descriptor.label !== "ranks") return buffer;
    live.add(buffer);
    const { destroy } = buffer;
    buffer.destroy = () => {
      live.delete(buffer);
      return destroy.call(buffer);
    };
    return buffer;
  };
  return { live, restore: () => gpu.createBuffer = createBuffer };
}

/** What nodes of a graph find on the CPU. */
async function searchInGraph(
  sizes: SearchSizes,
  data: { queries: Float32Array<ArrayBuffer>; meanKeys: Float32Array<ArrayBuffer> },
): Promise<Found> {
  const device = await testedDevice("cpu");
  return await runSearch(device, searchGraph(device, sizes), sizes, data);
}

/** Asserts that the kernels, of both sizes of shared memory, find what the graph finds, in one table and in several. */
async function agrees(
  device: Device,
  size: SearchSizes,
  data: { queries: Float32Array<ArrayBuffer>; meanKeys: Float32Array<ArrayBuffer> },
): Promise<Found> {
  const expected = await searchInGraph(size, data);
  const found = await search(device, size, data);
  const heads = size.G * size.H;
  const others: SearchOptions[] = [
    { shared: sharedSizes.small },
    ...heads > 1 ? [{ tables: 2 }, { tables: heads }] : [],
  ];
  const results = [found];
  for (const options of others) results.push(await search(device, size, data, options));
  for (const [i, { ids, scores }] of results.entries()) {
    const name = JSON.stringify({ ...size, ...others[i - 1] });
    assert.deepEqual(ids, expected.ids, name);
    // Not deepEqual, for which 0 and -0 differ.
    assert.ok(scores.every((score, i) => score === expected.scores[i]), name);
  }
  return found;
}
