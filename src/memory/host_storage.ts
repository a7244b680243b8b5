import type { Device, DeviceTensor, ElementCopy, HostArray } from "../runtime/device.ts";
import { gibibytes } from "../quantities.ts";
import {
  environmentVariable,
  machineMemoryBytes,
  mapScratchFile,
  type ScratchFile,
} from "../system.ts";
import type { HostTensor } from "../tensor.ts";
import type { BankShape } from "./bank_shape.ts";
import type { BankStorage, KeysAndValues, StorageOptions, StoredChunks } from "./bank_storage.ts";
import { findOutOfRange, rangeError, storedLimit } from "./stored_range.ts";
import { emptyScore } from "./memory_graph.ts";
import { headRuns } from "./head_runs.ts";
import { runsOf, type SlotRange } from "./ring.ts";
import { createVectorTable, type VectorTable, vectorTableBytes } from "./vector_table.ts";
import { InputError, InputRangeError } from "../errors.ts";

/**
 * Keys and values in arrays of the host, in the type of the memory. The arrays lie in RAM or in files that the system maps. A GPU
 * has a copy of the mean keys, which it searches.
 *
 * @throws RangeError where the machine does not have so much memory; InputError where it does not have so much disk.
 */
export function createHostStorage(
  device: Device,
  shape: BankShape,
  options: StorageOptions,
): BankStorage {
  const { banks: G, heads: H, headDim: D, capacityChunks: P, chunkTokens: c } = shape;
  const { type } = options, vectors = { rows: G * H * P, vectors: c, size: D };
  const inFile = options.place === "file", files: ScratchFile[] = [];
  if (!inFile) checkBytes(shape, 2 * vectorTableBytes(type, vectors) + 4 * G * H * (D + 1) * P);
  const zeros = (bytes: number) => {
    if (!inFile) return new ArrayBuffer(bytes);
    const file = openScratchFile(bytes);
    files.push(file);
    return file.buffer;
  };
  const keys = createVectorTable(type, vectors, zeros);
  const values = createVectorTable(type, vectors, zeros);
  const meanKeys = new Float32Array(zeros(4 * G * H * (D + 1) * P));
  for (let head = 0; head < G * H; head++) {
    const row = (head * (D + 1) + D) * P;
    meanKeys.fill(emptyScore, row, row + P);
  }

  const tableOnDevice = ({ numbers, scales }: VectorTable) => ({
    numbers: device.tensor(numbers, [G * H * P, c * D], type),
    ...(scales && { scales: device.tensor(scales, [G * H * P, c]) }),
  });
  /** The engine of `cpu` reads these arrays in place, from a file, too; that of WebAssembly would copy all of it at every pass. */
  const readInPlace = device.kind === "cpu" || !inFile && device.kind === "wasm";
  const tables = readInPlace && { keys: tableOnDevice(keys), values: tableOnDevice(values) };
  const tableHeads = Math.ceil(G * H / options.tables);
  const meanKeysOnDevice = headRuns({ start: 0, count: G * H }, tableHeads).map(
    ({ first, count }) => {
      const size = (D + 1) * P, heads = count === G * H ? [G, H] : [count];
      const data = meanKeys.subarray(first * size, (first + count) * size);
      return device.tensor(data, [...heads, D + 1, P]);
    },
  );
  const tensors = {
    ...(meanKeysOnDevice.length === 1 && { meanKeys: meanKeysOnDevice[0] }),
    ...(tables && { keys: tables.keys.numbers, values: tables.values.numbers }),
    ...(tables && tables.keys.scales && { keyScales: tables.keys.scales }),
    ...(tables && tables.values.scales && { valueScales: tables.values.scales }),
  };

  /** Brings the mean keys of slots to a GPU, which has a copy of them. */
  function upload(bank: number, slots: SlotRange): void {
    const { count } = slots;
    if (device.kind !== "webgpu" || count === 0) return;
    const rows = H * (D + 1), runs = runsOf(slots, P), tableSize = tableHeads * (D + 1) * P;
    const changed = new Float32Array(rows * count), copies: Omit<ElementCopy, "from">[] = [];
    for (let row = 0; row < rows; row++) {
      for (const run of runs) {
        const element = (bank * rows + row) * P + run.slot, fromElement = row * count + run.first;
        changed.set(meanKeys.subarray(element, element + run.count), fromElement);
        const into = meanKeysOnDevice[Math.floor(element / tableSize)];
        copies.push({ fromElement, into, intoElement: element % tableSize, count: run.count });
      }
    }
    const from = device.tensor(changed, [rows, count]);
    device.copy(copies.map((copy) => ({ ...copy, from })));
    from.dispose();
  }

  function clear(bank: number, slots: SlotRange): void {
    for (const { slot, count } of runsOf(slots, P)) {
      for (let h = 0; h < H; h++) {
        const head = bank * H + h, first = (head * P + slot) * c;
        keys.clear(first, count * c);
        values.clear(first, count * c);
        for (let d = 0; d <= D; d++) {
          const row = (head * (D + 1) + d) * P + slot;
          meanKeys.fill(d < D ? 0 : emptyScore, row, row + count);
        }
      }
    }
    upload(bank, slots);
  }

  const limit = storedLimit(type);
  function refuse(what: "key" | "value", values: ArrayLike<number>): void {
    const found = findOutOfRange(values, limit);
    if (found) {
      throw rangeError({ what, ...found }, { ...options, heads: H, headDim: D });
    }
  }

  function write(
    bank: number,
    slots: SlotRange,
    source: KeysAndValues & { firstToken: number },
  ): void {
    const { start, count } = slots;
    const newKeys = hostData(source.keys), newValues = hostData(source.values);
    const E = H * D;
    for (let h = 0; h < H; h++) {
      const head = bank * H + h;
      for (let i = 0; i < count; i++) {
        const slot = (start + i) % P;
        const to = (head * P + slot) * c;
        const from = (source.firstToken + i * c) * E + h * D;
        for (let j = 0; j < c; j++) {
          keys.store(to + j, newKeys, from + j * E);
          values.store(to + j, newValues, from + j * E);
        }
        for (let d = 0; d < D; d++) {
          let sum = 0; // of unrounded keys
          for (let j = 0; j < c; j++) sum += newKeys[from + j * E + d];
          meanKeys[(head * (D + 1) + d) * P + slot] = sum / c;
        }
        meanKeys[(head * (D + 1) + D) * P + slot] = 0;
      }
    }
    upload(bank, slots);
  }

  return {
    tensors,
    meanKeys: meanKeysOnDevice,
    ...(!tables && { hostTables: { keys, values } }),
    // Means need no check: they lie between the keys, and are float32 in every storage.
    async take({ keys, values }) {
      const source = device.kind === "webgpu"
        ? await onHost(device, { keys, values })
        : { keys, values };
      refuse("key", hostData(source.keys));
      refuse("value", hostData(source.values));
      return source;
    },
    verify: () => Promise.resolve(),
    forgive() {},
    clear,
    write,
    save() {
      const copy = (table: VectorTable) => {
        const data = new Float32Array(G * H * P * c * D);
        table.read(0, G * H * P * c, data, 0);
        return { shape: [G * H * P, c * D], data };
      };
      return Promise.resolve({
        keys: copy(keys),
        values: copy(values),
        meanKeys: { shape: [G, H, D + 1, P], data: meanKeys.slice() },
      });
    },
    restore(saved) {
      const size = G * H * P * c * D;
      checkSaved(saved.keys, { size, type });
      checkSaved(saved.values, { size, type });
      checkSaved(saved.meanKeys, { size: meanKeys.length, type: "float32" });
      for (let vector = 0; vector < G * H * P * c; vector++) {
        keys.store(vector, saved.keys.data, vector * D);
        values.store(vector, saved.values.data, vector * D);
      }
      meanKeys.set(saved.meanKeys.data);
      for (let bank = 0; bank < G; bank++) upload(bank, { start: 0, count: P });
    },
    reader(name, bank, { start }) {
      return Promise.resolve((head, chunk, out, at) => {
        const row = bank * H + head, slot = (start + chunk) % P;
        if (name !== "meanKeys") {
          ({ keys, values })[name].read((row * P + slot) * c, c, out, at);
          return;
        }
        for (let d = 0; d < D; d++) out[at + d] = meanKeys[(row * (D + 1) + d) * P + slot];
      });
    },
    put(bank, slots, chunks) {
      checkChunks(chunks, options);
      const { start, count } = slots;
      for (let i = 0; i < count; i++) {
        const slot = (start + i) % P;
        for (let h = 0; h < H; h++) {
          const head = bank * H + h, from = i * H + h;
          for (let j = 0; j < c; j++) {
            const vector = (head * P + slot) * c + j, token = (from * c + j) * D;
            keys.store(vector, chunks.keys, token);
            values.store(vector, chunks.values, token);
          }
          const means = chunks.meanKeys.subarray(from * D, (from + 1) * D);
          for (let d = 0; d < D; d++) meanKeys[(head * (D + 1) + d) * P + slot] = means[d];
          meanKeys[(head * (D + 1) + D) * P + slot] = 0;
        }
      }
      upload(bank, slots);
    },
    dispose() {
      for (const tensor of meanKeysOnDevice) tensor.dispose();
      for (const file of files) file[Symbol.dispose]();
    },
  };
}

/** An engine would get far with pages that nothing has written to yet, and end with all other processes of the machine. */
function checkBytes({ banks, capacityChunks, chunkTokens }: BankShape, bytes: number): void {
  const available = machineMemoryBytes();
  if (available === undefined || bytes <= available) return;
  throw new InputRangeError(
    `Cannot make a memory of ${banks} x ${
      capacityChunks * chunkTokens
    } tokens as its keys and values take ` +
      `${gibibytes(bytes)}: this machine has ${
        gibibytes(available)
      }; a smaller memory.capacityTokens or memory.place "file" would help`,
  );
}

function openScratchFile(bytes: number): ScratchFile {
  const folder = environmentVariable("LONGMEM_SCRATCH") ?? "/var/tmp";
  try {
    return mapScratchFile(bytes, folder);
  } catch (cause) {
    throw new InputError(
      `Cannot keep ${gibibytes(bytes)} of a memory in a file in "${folder}" as ${
        (cause as Error).message
      }; LONGMEM_SCRATCH names another folder`,
      { cause },
    );
  }
}

/** Keys and values of a GPU as tensors in host memory. */
async function onHost(device: Device, { keys, values }: KeysAndValues): Promise<KeysAndValues> {
  const [newKeys, newValues] = await device.readAll([keys, values]);
  const tensor = ({ shape, type }: DeviceTensor, data: HostArray) => {
    const read = () => Promise.resolve(data);
    return { shape, type, data, read, dispose() {} };
  };
  return { keys: tensor(keys, newKeys), values: tensor(values, newValues) };
}

/** Values of a tensor that lies in host memory. */
function hostData(tensor: DeviceTensor): Float32Array {
  const { data } = tensor as unknown as { data?: unknown };
  if (!(data instanceof Float32Array)) {
    throw new TypeError("Cannot cache keys and values that are not float32 in host memory");
  }
  return data;
}

/** Refuses chunks with numbers that the storage cannot hold. */
export function checkChunks(
  chunks: StoredChunks,
  { type }: Pick<StorageOptions, "type">,
): void {
  for (const name of ["keys", "values", "meanKeys"] as const) {
    const limit = storedLimit(name === "meanKeys" ? "float32" : type);
    const found = findOutOfRange(chunks[name], limit);
    if (found) {
      throw new InputRangeError(
        `Cannot restore a memory as one of its ${name} must be finite${
          type === "float16" ? " and in the range of float16" : ""
        }: current value is ${chunks[name][found.element]}`,
      );
    }
  }
}

/** Refuses a saved tensor of another size, or one with numbers that the storage cannot hold. */
export function checkSaved(
  saved: HostTensor,
  { size, type }: { size: number } & Pick<StorageOptions, "type">,
): void {
  if (saved.data.length !== size) {
    throw new RangeError(
      `Cannot restore a memory of ${saved.data.length} elements: current size is ${size}`,
    );
  }
  const found = findOutOfRange(saved.data, storedLimit(type));
  if (found) {
    throw new InputRangeError(
      `Cannot restore a memory as ${
        type === "float16" && Number.isFinite(found.largest)
          ? "float16 does not hold"
          : "it must not have"
      } element ${found.element} of it: current value is ${saved.data[found.element]}`,
    );
  }
}
