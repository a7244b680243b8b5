import type { Device, DeviceTensor } from "../runtime/device.ts";
import { gibibytes } from "../runtime/gibibytes.ts";
import {
  environmentVariable,
  machineMemoryBytes,
  mapScratchFile,
  type ScratchFile,
} from "../system.ts";
import type { HostTensor } from "../tensor.ts";
import type { BankShape } from "./bank_shape.ts";
import type { BankStorage, StorageOptions, StoredChunks } from "./bank_storage.ts";
import { findOutOfRange, rangeError, storedLimit } from "./stored_range.ts";
import { emptyScore } from "./memory_graph.ts";
import type { SlotRange } from "./ring.ts";
import { InputError, InputRangeError } from "../errors.ts";

/**
 * Keys and values in arrays of the host, in float16 or float32; engines on the host read them in place. The arrays lie in RAM or
 * in files that the system maps.
 *
 * @throws RangeError where the machine does not have so much memory; InputError where it does not have so much disk.
 */
export function createHostStorage(
  device: Device,
  shape: BankShape,
  options: StorageOptions,
): BankStorage {
  const { banks: G, heads: H, headDim: D, capacityChunks: P, chunkTokens: c } = shape;
  const size = G * H * P * c * D;
  const inFile = options.place === "file", files: ScratchFile[] = [];
  if (!inFile) checkBytes(shape, 2 * size * (options.rounded ? 2 : 4) + 4 * G * H * (D + 1) * P);
  const zeros = (bytes: number) => {
    if (!inFile) return new ArrayBuffer(bytes);
    const file = openScratchFile(bytes);
    files.push(file);
    return file.buffer;
  };
  const table = () =>
    options.rounded ? new Float16Array(zeros(2 * size)) : new Float32Array(zeros(4 * size));
  const keys = table(), values = table();
  const meanKeys = new Float32Array(zeros(4 * G * H * (D + 1) * P));
  const onDevice = (data: Float16Array | Float32Array): DeviceTensor =>
    data instanceof Float32Array
      ? device.tensor(data as Float32Array<ArrayBuffer>, [G * H * P, c * D])
      : device.tensor(new Uint16Array(data.buffer as ArrayBuffer), [G * H * P, c * D], "float16");
  const tensors = {
    keys: onDevice(keys),
    values: onDevice(values),
    meanKeys: device.tensor(meanKeys, [G, H, D + 1, P]),
  };
  for (let head = 0; head < G * H; head++) {
    const row = (head * (D + 1) + D) * P;
    meanKeys.fill(emptyScore, row, row + P);
  }

  function clear(bank: number, { start, count }: SlotRange): void {
    for (let i = 0; i < count; i++) {
      const slot = (start + i) % P;
      for (let h = 0; h < H; h++) {
        const head = bank * H + h;
        const first = (head * P + slot) * c * D;
        keys.fill(0, first, first + c * D);
        values.fill(0, first, first + c * D);
        for (let d = 0; d < D; d++) meanKeys[(head * (D + 1) + d) * P + slot] = 0;
        meanKeys[(head * (D + 1) + D) * P + slot] = emptyScore;
      }
    }
  }

  const limit = storedLimit(options);
  function refuse(what: "key" | "value", values: ArrayLike<number>): void {
    const found = findOutOfRange(values, limit);
    if (found) {
      throw rangeError({ what, ...found }, { ...options, heads: H, headDim: D });
    }
  }

  function write(
    bank: number,
    { start, count }: SlotRange,
    source: { keys: DeviceTensor; values: DeviceTensor; firstToken: number },
  ): void {
    const newKeys = hostData(source.keys), newValues = hostData(source.values);
    const E = H * D;
    for (let h = 0; h < H; h++) {
      const head = bank * H + h;
      for (let i = 0; i < count; i++) {
        const slot = (start + i) % P;
        const to = (head * P + slot) * c * D;
        const from = (source.firstToken + i * c) * E + h * D;
        for (let j = 0; j < c; j++) {
          for (let d = 0; d < D; d++) {
            keys[to + j * D + d] = newKeys[from + j * E + d];
            values[to + j * D + d] = newValues[from + j * E + d];
          }
        }
        for (let d = 0; d < D; d++) {
          let sum = 0; // of unrounded keys
          for (let j = 0; j < c; j++) sum += newKeys[from + j * E + d];
          meanKeys[(head * (D + 1) + d) * P + slot] = sum / c;
        }
        meanKeys[(head * (D + 1) + D) * P + slot] = 0;
      }
    }
  }

  return {
    tensors,
    // Means need no check: they lie between the keys, and are float32 in every storage.
    check(source) {
      refuse("key", hostData(source.keys));
      refuse("value", hostData(source.values));
    },
    verify: () => Promise.resolve(),
    forgive() {},
    clear,
    write,
    save: () =>
      Promise.resolve({
        keys: { shape: tensors.keys.shape, data: Float32Array.from(keys) },
        values: { shape: tensors.values.shape, data: Float32Array.from(values) },
        meanKeys: { shape: tensors.meanKeys.shape, data: meanKeys.slice() },
      }),
    restore(saved) {
      const tables = { keys, values, meanKeys };
      const names = ["keys", "values", "meanKeys"] as const;
      for (const name of names) {
        const { length: size } = tables[name];
        checkSaved(saved[name], { size, rounded: tables[name] instanceof Float16Array });
      }
      for (const name of names) tables[name].set(saved[name].data);
    },
    table: (name) => Promise.resolve({ keys, values, meanKeys }[name]),
    put(bank, { start, count }, chunks) {
      checkChunks(chunks, options);
      for (let i = 0; i < count; i++) {
        const slot = (start + i) % P;
        for (let h = 0; h < H; h++) {
          const head = bank * H + h, from = i * H + h;
          const ofChunk = (of: Float32Array, width: number) =>
            of.subarray(from * width, (from + 1) * width);
          keys.set(ofChunk(chunks.keys, c * D), (head * P + slot) * c * D);
          values.set(ofChunk(chunks.values, c * D), (head * P + slot) * c * D);
          const means = ofChunk(chunks.meanKeys, D);
          for (let d = 0; d < D; d++) meanKeys[(head * (D + 1) + d) * P + slot] = means[d];
          meanKeys[(head * (D + 1) + D) * P + slot] = 0;
        }
      }
    },
    dispose() {
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

/** Values of a tensor that lies in host memory. */
function hostData(tensor: DeviceTensor): Float32Array {
  const { data } = tensor as unknown as { data?: unknown };
  if (!(data instanceof Float32Array)) {
    throw new TypeError("Cannot cache keys and values that are not float32 in host memory");
  }
  return data;
}

/** Refuses chunks with numbers that the storage cannot hold. */
export function checkChunks(chunks: StoredChunks, { rounded }: { rounded: boolean }): void {
  for (const name of ["keys", "values", "meanKeys"] as const) {
    const limit = storedLimit({ rounded: rounded && name !== "meanKeys" });
    const found = findOutOfRange(chunks[name], limit);
    if (found) {
      throw new InputRangeError(
        `Cannot restore a memory as one of its ${name} must be finite${
          rounded ? " and in the range of float16" : ""
        }: current value is ${chunks[name][found.element]}`,
      );
    }
  }
}

/** Refuses a saved tensor of another size, or one with numbers that the storage cannot hold. */
export function checkSaved(
  saved: HostTensor,
  { size, rounded }: { size: number; rounded: boolean },
): void {
  if (saved.data.length !== size) {
    throw new RangeError(
      `Cannot restore a memory of ${saved.data.length} elements: current size is ${size}`,
    );
  }
  const found = findOutOfRange(saved.data, storedLimit({ rounded }));
  if (found) {
    throw new InputRangeError(
      `Cannot restore a memory as ${
        rounded && Number.isFinite(found.largest) ? "float16 does not hold" : "it must not have"
      } element ${found.element} of it: current value is ${saved.data[found.element]}`,
    );
  }
}
