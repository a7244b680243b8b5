/** Keys that encode their own identity: whatever happens to a bank, a value stays with its key. */
import { type MemoryConfig, memoryProtocols } from "../../src/memory/config.ts";
import { MemoryBank } from "../../src/memory/memory_bank.ts";
import { bankInputNames, emptyScore } from "../../src/memory/memory_graph.ts";
import type { Device } from "../../src/runtime/device.ts";
import type { WebGpuDevice } from "../../src/runtime/webgpu_device.ts";
import { Random } from "../../src/random.ts";
import { packVectors, unpackVectors, wordsOfVector } from "../../src/memory/packed_vectors.ts";
import { type StorageType, storageTypes } from "../../src/memory/stored_range.ts";
import { deviceTest, testedDevice } from "../graph/devices.ts";
import { countGpuTraffic } from "../runtime/gpu_traffic.ts";
import { assert } from "../testing.ts";

const H = 2, D = 3, E = H * D;
const config: MemoryConfig = {
  capacityTokens: 22,
  chunkTokens: 2,
  retrievedTokens: 4,
  index: { kind: "exact" },
  ...memoryProtocols.strict,
};

deviceTest(
  "MemoryBank keeps values with their keys through evictions and resets",
  async (device) => {
    for (const bank of ["per-row", "shared"] as const) {
      for (const eviction of ["exact", "coarse"] as const) {
        const rows = 2, memory = open(device, { bank, eviction }, rows);
        const lists: number[][] = Array.from({ length: bank === "shared" ? 1 : rows }, () => []);
        const random = new Random(`${bank} ${eviction}`);
        let token = 1;
        const passes = device.kind === "webgpu" ? 12 : 40;
        for (let pass = 0; pass < passes; pass++) {
          if (pass % 9 === 8) {
            const forgotten = random.below(rows);
            memory.reset([forgotten]);
            lists[bank === "shared" ? 0 : forgotten].length = 0;
          }
          const T = eviction === "coarse" ? 4 : 2 + random.below(4), tokens = rows * T;
          await write(device, memory, token, tokens);
          lists.forEach((list, b) => {
            const written = tokens / lists.length, added = Math.floor(written / 2);
            const capacity = 11;
            const drop = eviction === "coarse"
              ? list.length + added >= capacity ? written : 0
              : Math.max(0, list.length + added - capacity);
            list.splice(0, drop);
            for (let i = 0; i < added; i++) list.push(token + b * written + 2 * i);
          });
          token += tokens;
          await checkContents(memory, lists);
        }
        assert.ok(token > 3 * 22, "the banks were filled several times");
        memory.dispose();
      }
    }
  },
);

deviceTest("MemoryBank rounds what it stores, but not the means, to float16", async (device) => {
  const memory = open(device, { storage: "float16" }, 1);
  // Halves between two float16 numbers go to the even one; 70000 is beyond them.
  const keys = Float32Array.of(...[1 / 3, 2049, 2051, -1e-7, 6e-5, 65504], ...[1, 2, 3, 4, 5, 6]);
  const tensor = device.tensor(keys, [2, E]);
  await memory.write(tensor, tensor);
  const { tensors: { keys: stored, meanKeys } } = await memory.save();
  const P = 11;
  for (let h = 0; h < H; h++) {
    for (let d = 0; d < D; d++) {
      for (let j = 0; j < 2; j++) {
        const found = stored.data[(h * P * 2 + j) * D + d], wanted = keys[j * E + h * D + d];
        assert.equal(found, Math.f16round(wanted), `${wanted} is stored as ${found}`);
      }
      const mean = Math.fround((keys[h * D + d] + keys[E + h * D + d]) / 2);
      assert.ok(Math.abs(meanKeys.data[(h * (D + 1) + d) * P] - mean) <= 1e-6 * Math.abs(mean));
    }
  }
  memory.dispose();
});

deviceTest(
  "MemoryBank keeps multiples of a scale for each key and value in int8",
  async (device) => {
    const memory = open(device, { storage: "int8" }, 1);
    const keys = Float32Array.of(...[127, 63.4, -0.6], ...[0, 0, 0], ...[-1e30, 1e29, 1], ...[
      1,
      2,
      3,
    ]);
    const values = keys.map((x) => -2 * x);
    await memory.write(device.tensor(keys, [2, E]), device.tensor(values, [2, E]));
    await memory.verify();
    const saved = await memory.save(), P = 11;
    const stored = (what: "keys" | "values", h: number, j: number) => {
      const first = (h * P * 2 + j) * D;
      return saved.tensors[what].data.subarray(first, first + D);
    };
    assert.deepEqual([...stored("keys", 0, 0)], [127, 63, -1]);
    assert.deepEqual([...stored("values", 0, 0)], [-254, -126, 2]);
    for (const [what, given] of [["keys", keys], ["values", values]] as const) {
      for (const [h, j] of [[1, 0], [0, 1], [1, 1]]) {
        const vector = given.subarray(j * E + h * D, j * E + h * D + D);
        const step = Math.max(...vector.map(Math.abs)) / 127;
        stored(what, h, j).forEach((x, d) => {
          assert.ok(Math.abs(x - vector[d]) <= 0.50001 * step, `${vector} is stored as ${x}`);
          const steps = x / (step || 1);
          assert.ok(Math.abs(steps - Math.round(steps)) < 0.005, `${steps} of ${vector}`);
        });
      }
    }
    const mean = saved.tensors.meanKeys.data[P]; // of head 0, dimension 1
    assert.ok(Math.abs(mean - (63.4 + 1e29) / 2) <= 1e23, `${mean}`);
    await memory.restore(saved);
    assert.deepEqual(await memory.save(), saved);
    memory.dispose();
  },
);

/** Bits of float32 numbers at which roundings of a type differ, `D` to a vector: odd numbers of them fill no word. */
function hardNumbers(type: StorageType, D: number, count: number): Float32Array<ArrayBuffer> {
  const random = new Random(`${type} ${D}`), numbers = new Float32Array(count * D);
  const bits = new Uint32Array(numbers.buffer);
  for (let i = 0; i < count; i++) {
    const vector = numbers.subarray(i * D, (i + 1) * D);
    // Of any size that the type holds.
    const size = 2 ** (type === "float16" ? random.below(44) - 29 : random.below(240) - 130);
    vector.forEach((_, d) => vector[d] = Math.fround(size * random.normal()));
    const stored = new Float32Array(D);
    unpackVectors(type, packVectors(type, vector, D), { first: 0, count: 1, size: D }, stored, 0);
    const most = Math.max(...vector.map(Math.abs));
    vector.forEach((x, d) => {
      if (Math.abs(x) === most) return; // the scale is its own
      // Halfway between two stored numbers, or one of float32's numbers beside that.
      const step = type === "int8"
        ? Math.max(...stored.map(Math.abs)) / 127
        : Math.max(2 ** -24, 2 ** (Math.floor(Math.log2(Math.abs(x))) - 10));
      if (step === 0) return; // all of them are stored as 0
      vector[d] = (Math.floor(x / step) + 0.5) * step;
      bits[i * D + d] += random.below(3) - 1;
    });
    if (i % 5 === 0) vector[random.below(D)] = i % 2 === 0 ? -0 : 2 ** -149;
  }
  return numbers;
}

for (const storage of storageTypes) {
  deviceTest(`a bank of ${storage} has the bits of one on the host`, async (device) => {
    const host = await testedDevice("cpu");
    for (const headDim of [1, 7, 8]) {
      const heads = 2, tokens = 600, c = 2;
      const fields = { ...config, storage, capacityTokens: 2 * 250, retrievedTokens: 2 };
      const sizes = { rows: 1, heads, headDim };
      const banks = [
        new MemoryBank(host, fields, sizes),
        new MemoryBank(device, fields, sizes),
        new MemoryBank(device, fields, { ...sizes, readByGraphs: true }),
      ];
      const numbers = hardNumbers(storage, headDim, 2 * heads * tokens);
      const half = numbers.length / 2, shape = [tokens / 2, heads * headDim];
      const given = [0, 1, 2, 3].map((i) => numbers.slice(i * half / 2, (i + 1) * half / 2));
      for (const bank of banks) {
        // The second update takes the place of a part of the first.
        for (const [keys, values] of [given.slice(0, 2), given.slice(2)]) {
          const on = bank === banks[0] ? host : device;
          await bank.write(on.tensor(keys, shape), on.tensor(values, shape));
        }
        await bank.verify();
      }
      const bitsOf = async (bank: MemoryBank) => {
        const { tensors: { keys, values } } = await bank.save();
        return [keys, values].map(({ data }) => new Uint32Array(data.buffer));
      };
      const expected = await bitsOf(banks[0]);
      assert.ok(expected[0].some((bits) => bits !== 0));
      for (const bank of banks.slice(1)) {
        assert.deepEqual(await bitsOf(bank), expected, `heads of ${headDim}`);
      }
      // Read chunk by chunk, put back chunk by chunk and as a whole, from numbers that are not rounded yet.
      const saved = await banks[0].save(), P = 250;
      const whole = new MemoryBank(device, fields, sizes);
      const chunk = new Float32Array(c * headDim), slots = { start: P - 2, count: 4 };
      const { result: read, traffic: { readBytes } } = await countGpuTraffic(() =>
        banks[1].storage.reader("values", 0, slots)
      );
      // No more than these chunks.
      assert.equal(readBytes, 4 * wordsOfVector(storage, headDim) * heads * 4 * c);
      for (const row of [0, P - 1, P, 2 * P - 1]) {
        read(Math.floor(row / P), (row + 2) % P, chunk, 0);
        const range = [row * c * headDim, (row + 1) * c * headDim] as const;
        assert.deepEqual(new Uint32Array(chunk.buffer), expected[1].slice(...range));
      }
      const chunks = (data: Float32Array) => data.slice(0, 40 * heads * c * headDim);
      const meanKeys = new Float32Array(40 * heads * headDim);
      for (const bank of banks) {
        bank.storage.put(0, { start: P - 20, count: 40 }, {
          keys: chunks(numbers.subarray(half)),
          values: chunks(numbers),
          meanKeys,
        });
      }
      const put = await bitsOf(banks[0]);
      assert.notDeepEqual(put, expected);
      for (const bank of banks.slice(1)) assert.deepEqual(await bitsOf(bank), put);
      await whole.restore(saved);
      assert.deepEqual(await bitsOf(whole), expected);
      for (const bank of [...banks, whole]) bank.dispose();
    }
  }, { kinds: ["webgpu"] });
}

deviceTest("a bank on a GPU takes the bytes of its storage", async (device) => {
  const fields = { ...config, capacityTokens: 4000, chunkTokens: 4, retrievedTokens: 4 };
  const bytesOf = async (storage: StorageType, headDim: number, readByGraphs: boolean) => {
    const sizes = { rows: 1, heads: 1, headDim, readByGraphs };
    const { traffic: { heldBytes } } = await countGpuTraffic(() => {
      new MemoryBank(device, { ...fields, storage }, sizes);
      return Promise.resolve();
    });
    return Math.floor(heldBytes / 4000); // a few more are those of no token
  };
  const bytes: Record<string, number[]> = {};
  for (const storage of storageTypes) {
    bytes[storage] = [await bytesOf(storage, 32, false), await bytesOf(storage, 32, true)];
  }
  assert.deepEqual(bytes, { float32: [289, 289], float16: [161, 289], int8: [105, 289] });
}, { kinds: ["webgpu"] });

deviceTest("MemoryBank.inputs() says which rows have anything to retrieve", async (device) => {
  const active = async (memory: MemoryBank, rows: number) => [
    ...await memory.inputs(rows)[bankInputNames.active].read() as Float32Array,
  ];
  const perRow = open(device, {}, 3);
  assert.deepEqual(await active(perRow, 3), [0, 0, 0]);
  await write(device, perRow, 1, 12);
  assert.deepEqual(await active(perRow, 3), [1, 1, 1]);
  const filled = perRow.inputs(3)[bankInputNames.active];
  perRow.reset([1]);
  assert.deepEqual(await active(perRow, 3), [1, 0, 1]);
  await write(device, perRow, 13, 12);
  // No pass has a tensor of its own, which nobody would free.
  assert.equal(perRow.inputs(3)[bankInputNames.active], filled);
  perRow.reset([1]);
  perRow.reset([]);
  assert.deepEqual(perRow.fillChunks, [4, 0, 4]);
  perRow.dispose();

  const shared = open(device, { bank: "shared" }, 3);
  await write(device, shared, 1, 4);
  assert.deepEqual(await active(shared, 1), [1]);
  assert.deepEqual(await active(shared, 3), [1, 1, 1]);
  shared.reset();
  assert.deepEqual(await active(shared, 2), [0, 0]);
  shared.dispose();
});

deviceTest(
  "MemoryBank.restore() puts back what save() returned, and observers follow",
  async (device) => {
    const memory = open(device, {}, 2);
    for (const [first, tokens] of [[1, 16], [17, 12], [29, 4]]) {
      await write(device, memory, first, tokens);
    }
    memory.reset([0]);
    await write(device, memory, 33, 4);
    const saved = await memory.save();

    const other = open(device, {}, 2);
    const stored = [new Set<number>(), new Set<number>()];
    other.observe({
      cleared(bank, { start, count }) {
        for (let i = 0; i < count; i++) assert.ok(stored[bank].delete((start + i) % 11));
      },
      written(bank, { start, count }) {
        for (let i = 0; i < count; i++) stored[bank].add((start + i) % 11);
        return Promise.resolve();
      },
    });
    await write(device, other, 100, 20);
    await other.restore(saved);
    assert.deepEqual(await other.save(), saved);
    assert.deepEqual(stored.map((slots) => slots.size), other.fillChunks);
    for (const [bank, { start, count }] of other.occupied.entries()) {
      for (let i = 0; i < count; i++) assert.ok(stored[bank].has((start + i) % 11));
    }
    // Both go on alike.
    for (const bank of [memory, other]) await write(device, bank, 200, 14);
    assert.deepEqual(await other.save(), await memory.save());

    await assert.rejects(open(device, {}, 3).restore(saved), {
      name: "RangeError",
      message: "Cannot restore a memory of 2 banks: current number is 3",
    });
    await assert.rejects(open(device, { capacityTokens: 24 }, 2).restore(saved), {
      name: "RangeError",
      message: /Cannot restore a memory of \d+ elements: current size is \d+/,
    });
    memory.dispose();
    other.dispose();
  },
);

deviceTest("MemoryBank refuses a size that no kernel of the GPU can bind", (device) => {
  const { bindingBytes: allowed } = device as WebGpuDevice;
  const sizes = { rows: 1, heads: H, headDim: 64 };
  // Four tokens of 64, 32 and 17 words, for each head; their mean key has 65.
  const fitting = (words: number) => 4 * Math.floor(allowed / (4 * 4 * words));
  const [most, ofFloat16, ofInt8] = [64, 32, 17].map(fitting);
  const open = (fields: Partial<MemoryConfig>, readByGraphs = false) => () =>
    new MemoryBank(device, { ...config, chunkTokens: 4, ...fields }, { ...sizes, readByGraphs });
  const capacityTokens = most + 4;
  assert.throws(open({ capacityTokens }), {
    name: "RangeError",
    message:
      `Cannot make a memory of 1 x ${capacityTokens} tokens on this GPU as a buffer of its keys takes ${
        4 * 64 * capacityTokens
      } bytes: allowed are ${allowed}, thus a memory.capacityTokens of up to ${most} with memory.storage "float32", ` +
      `${ofFloat16} with memory.storage "float16", ${ofInt8} with memory.storage "int8"; device cpu takes more`,
  });
  assert.throws(open({ capacityTokens: ofInt8 + 4, storage: "int8" }), {
    message: /up to \d+ with memory.storage "int8"; device cpu/,
  });
  // Graphs read all heads as float32, in one buffer.
  assert.throws(open({ capacityTokens, storage: "float16" }, true), {
    message: new RegExp(
      `${4 * H * 64 * capacityTokens} bytes: .* up to ${
        most / H
      } with memory.storage "float16"; device cpu`,
    ),
  });
  return Promise.resolve();
}, { kinds: ["webgpu"] });

function open(
  device: Device,
  fields: Partial<MemoryConfig>,
  rows: number,
  options: { block?: number } = {},
): MemoryBank {
  const sizes = { rows, heads: H, headDim: D, ...options };
  return new MemoryBank(device, { ...config, ...fields }, sizes);
}

/** Component e of the key of a token; its value is the negative. */
function keyOf(token: number, e: number): number {
  return token + e / 16;
}

/** Writes tokens first, first + 1, ... */
async function write(device: Device, memory: MemoryBank, first: number, tokens: number) {
  const keys = Float32Array.from(
    { length: tokens * E },
    (_, i) => keyOf(first + Math.floor(i / E), i % E),
  );
  await memory.write(
    device.tensor(keys, [tokens, E]),
    device.tensor(keys.map((key) => -key), [tokens, E]),
  );
}

/** Every bank holds the chunks that begin with the listed tokens, the oldest first, and nothing else. */
async function checkContents(memory: MemoryBank, lists: readonly number[][]): Promise<void> {
  const { rings, tensors: { keys, values, meanKeys } } = await memory.save();
  const P = memory.shape.capacityChunks, c = 2;
  assert.deepEqual(memory.fillChunks, lists.map((list) => list.length));
  lists.forEach((list, bank) => {
    for (let age = 0; age < P; age++) {
      const slot = (rings[bank].first + age) % P;
      for (let h = 0; h < H; h++) {
        const head = bank * H + h;
        const mean = (d: number) => meanKeys.data[(head * (D + 1) + d) * P + slot];
        assert.equal(mean(D), age < list.length ? 0 : Math.fround(emptyScore));
        for (let d = 0; d < D; d++) {
          for (let j = 0; j < c; j++) {
            const i = ((head * P + slot) * c + j) * D + d;
            const key = age < list.length ? keyOf(list[age] + j, h * D + d) : 0;
            assert.equal(keys.data[i], key);
            assert.equal(values.data[i] + key, 0);
          }
          assert.equal(mean(d), age < list.length ? keyOf(list[age] + 0.5, h * D + d) : 0);
        }
      }
    }
  });
}

/** Keys and values of two tokens, all 1, but for one number. */
function oneOff(what: "key" | "value", number: number) {
  const ordinary = new Float32Array(2 * E).fill(1);
  const off = ordinary.slice();
  off[E + 1 * D + 2] = number; // token 1, head 1, dimension 2
  return what === "key" ? [off, ordinary] : [ordinary, off];
}

deviceTest(
  "MemoryBank refuses what float16 rounds to infinity, and in any storage what is not finite",
  async (device) => {
    const cases = [
      { storage: "float16", number: 65519, allowed: true },
      { storage: "float16", number: 65520, allowed: false },
      { storage: "float16", number: -1e6, allowed: false },
      { storage: "float16", number: NaN, allowed: false },
      { storage: "float32", number: 1e6, allowed: true },
      { storage: "int8", number: 1e6, allowed: true },
      { storage: "int8", number: Infinity, allowed: false },
      { storage: "int8", number: NaN, allowed: false },
      { storage: "float32", number: Infinity, allowed: false },
      { storage: "float32", number: NaN, allowed: false },
    ] as const;
    for (const { storage, number, allowed } of cases) {
      for (const what of ["key", "value"] as const) {
        const memory = open(device, { storage }, 1, { block: 5 });
        await write(device, memory, 1, 2);
        const [keys, values] = oneOff(what, number).map((data) => device.tensor(data, [2, E]));
        const name = `${what} ${number} in ${storage}`;
        const pass = async () => {
          await memory.write(keys, values);
          await memory.verify();
        };
        if (allowed) {
          await pass();
          const { tensors } = await memory.save();
          const expected = storage === "float16" ? Math.sign(number) * 65504 : number;
          const stored = tensors[what === "key" ? "keys" : "values"].data;
          const isClose = (x: number) => Math.abs(x - expected) <= 1e-4 * Math.abs(expected);
          assert.ok(stored.some(isClose), `${name}: [${stored.filter((x) => x !== 1)}]`);
        } else {
          const isFinite = Number.isFinite(number);
          const message = isFinite
            ? new RegExp(
              `^Cannot cache ${what}s in the memory as float16 does not hold them: the largest is ${
                Math.abs(number)
              } in size, .*the first such ${what} is at block 5, head 1, dimension 2, token 1 of .*memory.storage "float32"`,
            )
            : new RegExp(
              `^Cannot cache ${what}s .* must be finite: current value is ${number}; .* ${what} is at block 5, head 1, dimension 2, token 1 of`,
            );
          await assert.rejects(pass(), { message }, name);
          // A reset ends it.
          memory.reset();
          await write(device, memory, 3, 4);
          await memory.verify();
          if (storage === "int8") assert.deepEqual(memory.fillChunks, [2]);
          else await checkContents(memory, [[3, 5]]);
        }
        memory.dispose();
      }
    }
  },
);

deviceTest("MemoryBank refuses mean keys that are not finite", async (device) => {
  const memory = open(device, {}, 1);
  const large = device.tensor(new Float32Array(2 * E).fill(3e38), [2, E]);
  const pass = async () => {
    await memory.write(large, large);
    await memory.verify();
  };
  // On the host the sum of two such keys is a float64, and their mean is in range.
  if (device.kind === "webgpu") {
    await assert.rejects(
      pass(),
      /Cannot cache mean keys .* finite: .* head 0, dimension 0, token 0/,
    );
  } else {
    await pass();
    const { tensors: { meanKeys } } = await memory.save();
    assert.equal(meanKeys.data[0], Math.fround(3e38));
  }
  memory.dispose();
});

deviceTest("MemoryBank.restore() refuses what its storage cannot hold", async (device) => {
  const exact = open(device, {}, 1);
  const [keys, values] = oneOff("key", 1e6).map((data) => device.tensor(data, [2, E]));
  await exact.write(keys, values);
  const saved = await exact.save();
  const rounded = open(device, { storage: "float16" }, 1);
  await assert.rejects(rounded.restore(saved), /float16 does not hold element \d+ .* is 1000000$/);
  saved.tensors.values.data[0] = NaN;
  await assert.rejects(exact.restore(saved), /must not have element 0 .* is NaN$/);
  for (const memory of [exact, rounded]) memory.dispose();
});
