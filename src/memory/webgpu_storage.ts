import type { DeviceTensor, ElementCopy } from "../runtime/device.ts";
import { compileOnce, runKernels } from "../runtime/gpu_kernels.ts";
import { bufferOf, type WebGpuDevice } from "../runtime/webgpu_device.ts";
import type { BankShape } from "./bank_shape.ts";
import { checkChunks, checkSaved } from "./host_storage.ts";
import type { BankStorage, StorageOptions } from "./bank_storage.ts";
import {
  type OutOfRange,
  rangeError,
  type StorageType,
  storageTypes,
  storedLimit,
} from "./stored_range.ts";
import { packVectors, unpackVectors, wordsOfVector } from "./packed_vectors.ts";
import { emptyScore } from "./memory_graph.ts";
import { headRuns } from "./head_runs.ts";
import { runsOf, type SlotRange } from "./ring.ts";
import code from "./bank.wgsl" with { type: "text" };
import { InputRangeError } from "../errors.ts";
import type { HostTensor } from "../tensor.ts";

/** Tensors whose numbers the kernel `write` may refuse, in the order of its buffer. */
const refusable = ["key", "value", "mean key"] as const satisfies OutOfRange["what"][];

/** Last component of the mean key of a stored chunk. */
const stored = Float32Array.of(0);

/** Stands for no element in that buffer. */
const noElement = 0xffff_ffff;

/** The buffer at first: for each, no element and size 0. */
const noRefusals = Uint32Array.from(
  { length: 2 * refusable.length },
  (_, i) => i % 2 === 0 ? noElement : 0,
);

/**
 * Keys and values in buffers of a GPU, packed in the type of the memory; where graphs read them, float32 that is rounded to the type.
 */
export function createWebGpuStorage(
  device: WebGpuDevice,
  shape: BankShape,
  options: StorageOptions,
): BankStorage {
  const { gpu } = device;
  const { banks: G, heads: H, headDim: D, capacityChunks: P, chunkTokens: c } = shape;
  const packed = packedType(options), W = wordsOfVector(packed, D), vectors = G * H * P * c;
  const tableHeads = Math.ceil(G * H / options.tables);
  const runs = headRuns({ start: 0, count: G * H }, tableHeads), isWhole = runs.length === 1;
  const type = packed === "float32" ? "float32" : "int32";
  const table = () => runs.map(({ count }) => device.zeros([count * P, c * W], type));
  const tables = {
    keys: table(),
    values: table(),
    meanKeys: runs.map(({ count }) => device.zeros([...(isWhole ? [G, H] : [count]), D + 1, P])),
  };
  const refusedBits = new Uint32Array(Float32Array.of(storedLimit(options.type)).buffer)[0];
  const refusals = gpu.createBuffer({
    label: "refusals",
    size: 4 * noRefusals.length,
    usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
  });
  const refusalsOnHost = gpu.createBuffer({
    label: "refusals on the host",
    size: refusals.size,
    usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
  });
  const constants = {
    ...{ H, D, P, C: c, W },
    TYPE: storageTypes.indexOf(options.type),
    PACKED: packed === options.type ? 1 : 0,
    PER_WORD: { float32: 1, float16: 2, int8: 4 }[packed],
    FIRST_WORD: packed === "int8" ? 1 : 0,
    REFUSED_SIZE: refusedBits,
  };
  const kernels = compileOnce(
    gpu,
    ["bank.wgsl", constants],
    () => compileBankKernels(gpu, constants),
  );

  function dispatch(
    kernel: keyof typeof kernels,
    bank: number,
    slots: SlotRange,
    source?: { keys: DeviceTensor; values: DeviceTensor; firstToken: number },
  ): void {
    if (slots.count === 0) return;
    for (
      const { table, row, first, count } of headRuns({ start: bank * H, count: H }, tableHeads)
    ) {
      const range = new ArrayBuffer(32);
      const { start, count: chunks } = slots;
      new Uint32Array(range).set([row, first, count, start, chunks, source?.firstToken ?? 0]);
      new Float32Array(range)[6] = emptyScore;
      const written = { 1: tables.keys[table], 2: tables.values[table], 3: tables.meanKeys[table] };
      const read = source && { 4: source.keys, 5: source.values, 6: refusals };
      const bindings = { ...written, ...read }, groups = Math.ceil(chunks * count * W / 64);
      runKernels(device, [{ kernel: kernels[kernel], bindings, groups }], range);
    }
  }

  function forgive(): void {
    gpu.queue.writeBuffer(refusals, 0, noRefusals);
  }

  /** The checks follow one another, as they have one buffer on the host. */
  let lastVerified: Promise<void> = Promise.resolve();
  function verify(): Promise<void> {
    return lastVerified = lastVerified.then(readRefusals, readRefusals);
  }

  async function readRefusals(): Promise<void> {
    const encoder = gpu.createCommandEncoder();
    encoder.copyBufferToBuffer(refusals, 0, refusalsOnHost, 0, refusals.size);
    gpu.queue.submit([encoder.finish()]);
    await refusalsOnHost.mapAsync(GPUMapMode.READ);
    const found = refusalsOnHost.getMappedRange().slice(0);
    refusalsOnHost.unmap();
    const elements = new Uint32Array(found), sizes = new Float32Array(found);
    for (const [i, what] of refusable.entries()) {
      if (elements[2 * i] === noElement) continue;
      throw rangeError(
        { what, element: elements[2 * i], largest: sizes[2 * i + 1] },
        { ...options, heads: H, headDim: D },
      );
    }
  }

  /** Words of vectors that the host writes. */
  function packedWords(numbers: Float32Array): Uint32Array<ArrayBuffer> {
    const words = packVectors(options.type, numbers, D);
    if (packed === options.type) return words;
    const rounded = new Float32Array(numbers.length), count = numbers.length / D;
    unpackVectors(options.type, words, { first: 0, count, size: D }, rounded, 0);
    return packVectors(packed, rounded, D);
  }

  forgive();
  for (let bank = 0; bank < G; bank++) dispatch("clear", bank, { start: 0, count: P });
  return {
    tensors: isWhole
      ? {
        meanKeys: tables.meanKeys[0],
        ...(packed === "float32" && { keys: tables.keys[0], values: tables.values[0] }),
      }
      : {},
    meanKeys: tables.meanKeys,
    gpuTables: { keys: tables.keys, values: tables.values, type: packed },
    take: (source) => Promise.resolve(source),
    verify,
    forgive,
    clear: (bank, slots) => dispatch("clear", bank, slots),
    write: (bank, slots, source) => dispatch("write", bank, slots, source),
    async save() {
      const saved = async (name: "keys" | "values") => {
        const data = new Float32Array(vectors * D);
        for (const { table, first, count } of runs) {
          const words = new Uint32Array((await tables[name][table].read()).buffer);
          const range = { first: 0, count: count * P * c, size: D };
          unpackVectors(packed, words, range, data, first * P * c * D);
        }
        return { shape: [G * H * P, c * D], data };
      };
      const meanKeys = new Float32Array(G * H * (D + 1) * P);
      for (const { table, first } of runs) {
        const read = await tables.meanKeys[table].read() as Float32Array;
        meanKeys.set(read, first * (D + 1) * P);
      }
      return {
        keys: await saved("keys"),
        values: await saved("values"),
        meanKeys: { shape: [G, H, D + 1, P], data: meanKeys },
      };
    },
    restore(saved) {
      const { type } = options;
      for (const name of ["keys", "values"] as const) {
        checkSaved(saved[name], { size: vectors * D, type });
      }
      checkSaved(saved.meanKeys, { size: G * H * (D + 1) * P, type: "float32" });
      for (const { table, first, count } of runs) {
        const ofRun = ({ data }: HostTensor, width: number) =>
          data.subarray(first * width, (first + count) * width);
        for (const name of ["keys", "values"] as const) {
          const words = packedWords(ofRun(saved[name], P * c * D));
          gpu.queue.writeBuffer(bufferOf(tables[name][table]), 0, words);
        }
        const means = ofRun(saved.meanKeys, (D + 1) * P);
        gpu.queue.writeBuffer(bufferOf(tables.meanKeys[table]), 0, means);
      }
    },
    async reader(name, bank, slots) {
      // Of a head, the first `rows` of so many rows of slots.
      const [rows, all, width] = name === "meanKeys" ? [D, D + 1, 1] : [1, 1, c * W];
      const into = device.zeros([H, rows, slots.count, width], tables[name][0].type);
      const copies: ElementCopy[] = [];
      for (let row = 0; row < H * rows; row++) {
        const head = bank * H + Math.floor(row / rows);
        const from = tables[name][Math.floor(head / tableHeads)];
        const fromRow = (head % tableHeads) * all + row % rows;
        for (const { slot, first, count } of runsOf(slots, P)) {
          copies.push({
            ...{ from, fromElement: (fromRow * P + slot) * width },
            ...{ into, intoElement: (row * slots.count + first) * width, count: count * width },
          });
        }
      }
      device.copy(copies);
      const read = await into.read();
      into.dispose();
      if (name === "meanKeys") {
        return (head, chunk, out, at) => {
          for (let d = 0; d < D; d++) {
            out[at + d] = read[(head * D + d) * slots.count + chunk] as number;
          }
        };
      }
      const words = new Uint32Array(read.buffer);
      return (head, chunk, out, at) => {
        const range = { first: (head * slots.count + chunk) * c, count: c, size: D };
        unpackVectors(packed, words, range, out, at);
      };
    },
    put(bank, slots, chunks) {
      checkChunks(chunks, options);
      const { count } = slots;
      // Slots of one head lie side by side, chunks in a file do not.
      const side = (from: (i: number) => Float32Array, width: number) => {
        const data = new Float32Array(count * width);
        for (let i = 0; i < count; i++) data.set(from(i), i * width);
        return data;
      };
      const write = (
        tensor: DeviceTensor,
        words: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>,
        row: number,
      ) => {
        const width = words.length / count, buffer = bufferOf(tensor);
        for (const { slot, first, count } of runsOf(slots, P)) {
          const run = words.subarray(first * width, (first + count) * width);
          gpu.queue.writeBuffer(buffer, 4 * (row + slot) * width, run);
        }
      };
      for (let h = 0; h < H; h++) {
        const table = Math.floor((bank * H + h) / tableHeads), head = (bank * H + h) % tableHeads;
        for (const name of ["keys", "values"] as const) {
          const ofHead = (i: number) =>
            chunks[name].subarray((i * H + h) * c * D, (i * H + h + 1) * c * D);
          write(tables[name][table], packedWords(side(ofHead, c * D)), head * P);
        }
        for (let d = 0; d <= D; d++) {
          const ofHead = (i: number) =>
            d < D ? chunks.meanKeys.subarray((i * H + h) * D + d, (i * H + h) * D + d + 1) : stored;
          write(tables.meanKeys[table], side(ofHead, 1), (head * (D + 1) + d) * P);
        }
      }
    },
    dispose() {
      for (const tensor of Object.values(tables).flat()) tensor.dispose();
      for (const buffer of [refusals, refusalsOnHost]) buffer.destroy();
    },
  };
}

/** Type in which vectors lie in a GPU's buffers. */
function packedType({ type, readByGraphs }: Pick<StorageOptions, "type" | "readByGraphs">) {
  return readByGraphs ? "float32" : type;
}

/**
 * Buffers that kernels of the GPU can bind, for each of keys, values and mean keys; for a bank in a file those of the mean keys. Graphs
 * read one buffer; else each has whole heads.
 *
 * @throws RangeError for a bank that has no such buffers, with the size, the largest, and the capacities that fit.
 */
export function countTables(
  { bindingBytes: allowed }: Pick<WebGpuDevice, "bindingBytes">,
  { banks, heads, headDim, capacityChunks, chunkTokens }: BankShape,
  options: Pick<StorageOptions, "type" | "place" | "readByGraphs">,
): number {
  const least = options.readByGraphs ? banks * heads : 1;
  const chunkBytes = (type: StorageType) => {
    const words = wordsOfVector(packedType({ ...options, type }), headDim);
    const ofTokens = options.place === "file" ? 0 : chunkTokens * words;
    return 4 * least * Math.max(ofTokens, headDim + 1);
  };
  const bytes = chunkBytes(options.type) * capacityChunks, most = Math.floor(allowed / bytes);
  if (most > 0) return Math.ceil(banks * heads / (least * most));
  const largest = (type: StorageType) => chunkTokens * Math.floor(allowed / chunkBytes(type));
  const fitting = storageTypes.filter((type) =>
    type === options.type || largest(type) > largest(options.type)
  ).map((type) => `${largest(type)} with memory.storage "${type}"`);
  throw new InputRangeError(
    `Cannot make a memory of ${banks} x ${
      capacityChunks * chunkTokens
    } tokens on this GPU as a buffer of its keys takes ${bytes} bytes: allowed are ${allowed}, ` +
      `thus a memory.capacityTokens of up to ${fitting.join(", ")}; device cpu takes more`,
  );
}

/** The kernels of `bank.wgsl`. */
function compileBankKernels(gpu: GPUDevice, constants: Record<string, number>) {
  const module = gpu.createShaderModule({ label: "bank.wgsl", code });
  const kernel = (entryPoint: string) =>
    gpu.createComputePipeline({
      label: `bank.wgsl ${entryPoint}`,
      layout: "auto",
      compute: { module, entryPoint, constants },
    });
  return { write: kernel("write"), clear: kernel("clear") };
}
