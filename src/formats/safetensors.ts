/**
 * The safetensors format: 8 bytes of header length (little-endian), a JSON header
 * `{ name: { dtype, shape, data_offsets } }`, then the tensors' bytes, row-major and without gaps.
 */
import { elementCount, type HostTensor, type TensorMap } from "../tensor.ts";
import { writeAtomically } from "../files.ts";
import { ByteFile } from "./byte_file.ts";
import { decodeFloats, decodeIntegers, type FloatFormat, type IntegerFormat } from "./elements.ts";
import { InputRangeError, InputTypeError } from "../errors.ts";

/** A tensor of integers in host memory, row-major: token ids, labels, chunk ids. */
export interface IntegerTensor {
  /** Sizes of the axes, outermost first. */
  readonly shape: readonly number[];
  /** The values, `shape` product many. */
  readonly data: Int32Array<ArrayBuffer>;
}

/** What one safetensors file holds, in the order of its bytes. */
export interface SafetensorsContent {
  /** The floating-point tensors; F16, BF16 and F64 are converted to float32. */
  tensors: TensorMap;
  /** The integer tensors; I64 is narrowed to int32, and a value that does not fit is an error. */
  integers: Map<string, IntegerTensor>;
  /** The `__metadata__` of the header; empty where there is none. */
  metadata: Record<string, string>;
}

/** Where a tensor lies in its file. */
export interface SafetensorsEntry {
  /** Element type as the header spells it. */
  readonly dtype: SafetensorsDtype;
  /** Sizes of the axes, outermost first. */
  readonly shape: readonly number[];
  /** Offset of the first byte, from the start of the file. */
  readonly offset: number;
  /** Length in bytes. */
  readonly lengthBytes: number;
}

const FORMATS = {
  F64: "float64",
  F32: "float32",
  F16: "float16",
  BF16: "bfloat16",
  I64: "int64",
  I32: "int32",
} as const satisfies Record<SafetensorsDtype, FloatFormat | IntegerFormat>;

const ELEMENT_BYTES = { F64: 8, F32: 4, F16: 2, BF16: 2, I64: 8, I32: 4 } as const;

/** Element types that are read; F32 and I32 are written. */
export type SafetensorsDtype = "F64" | "F32" | "F16" | "BF16" | "I64" | "I32";

/** The format's own bound: a longer header is a sign of another kind of file. */
const MAX_HEADER_BYTES = 100_000_000;

/**
 * Reads a safetensors file.
 *
 * @param path The file.
 * @param options `names`: read only these tensors; a name the file lacks is a `RangeError`.
 * @throws `RangeError` where sizes disagree (naming file, expected and found), `TypeError` where the file
 * is of another kind, `Deno.errors.NotFound` where there is none.
 */
export async function readSafetensors(
  path: string,
  options: { names?: Iterable<string> } = {},
): Promise<SafetensorsContent> {
  using file = await openSafetensors(path);
  const content: SafetensorsContent = {
    tensors: new Map(),
    integers: new Map(),
    metadata: file.metadata,
  };
  for (const name of options.names ?? file.entries.keys()) {
    const tensor = await file.read(name);
    if (tensor.data instanceof Float32Array) content.tensors.set(name, tensor as HostTensor);
    else content.integers.set(name, tensor as IntegerTensor);
  }
  return content;
}

/** Opens a safetensors file, checks its whole header against its size, and reads no tensor yet. */
export async function openSafetensors(path: string): Promise<SafetensorsFile> {
  const file = await ByteFile.open(path);
  try {
    const { entries, metadata } = await readHeader(file);
    return new SafetensorsFile(file, entries, metadata);
  } catch (error) {
    file[Symbol.dispose]();
    throw error;
  }
}

/** An open safetensors file whose tensors are read one by one; close it with `using`. */
export class SafetensorsFile implements Disposable {
  /** The tensors by name, in the order of their bytes. */
  readonly entries: ReadonlyMap<string, SafetensorsEntry>;
  /** The `__metadata__` of the header. */
  readonly metadata: Record<string, string>;
  #file: ByteFile;

  /** Takes over an open file whose header was read; use `openSafetensors`. */
  constructor(
    file: ByteFile,
    entries: ReadonlyMap<string, SafetensorsEntry>,
    metadata: Record<string, string>,
  ) {
    this.#file = file;
    this.entries = entries;
    this.metadata = metadata;
  }

  /** Reads one tensor: float32 for the floating-point types, int32 for the integers. */
  async read(name: string): Promise<HostTensor | IntegerTensor> {
    const entry = this.entries.get(name);
    if (!entry) {
      throw new InputRangeError(
        `Cannot read tensor "${name}" as "${this.#file.path}" does not have it: ` +
          `its tensors are ${listed([...this.entries.keys()])}`,
      );
    }
    const bytes = await this.#file.read(entry.offset, entry.lengthBytes);
    const what = `tensor "${name}" of "${this.#file.path}"`;
    switch (entry.dtype) {
      case "F64":
      case "F32":
      case "F16":
      case "BF16":
        return { shape: entry.shape, data: decodeFloats(bytes, FORMATS[entry.dtype]) };
      case "I64":
      case "I32":
        return { shape: entry.shape, data: decodeIntegers(bytes, FORMATS[entry.dtype], what) };
      default:
        return entry.dtype satisfies never;
    }
  }

  /** Closes the file. */
  [Symbol.dispose](): void {
    this.#file[Symbol.dispose]();
  }
}

/**
 * Writes a safetensors file, whole or not at all. Equal tensors and metadata give equal bytes: names are
 * sorted, whatever the order of the map.
 */
export async function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, HostTensor | IntegerTensor>,
  metadata: Record<string, string> = {},
): Promise<void> {
  await writeAtomically(path, safetensorsParts(path, tensors, metadata));
}

function safetensorsParts(
  path: string,
  tensors: ReadonlyMap<string, HostTensor | IntegerTensor>,
  metadata: Record<string, string>,
): Uint8Array<ArrayBuffer>[] {
  // Spelled out key by key: an object literal would move names that look like numbers to the front.
  const fields: string[] = [];
  if (Object.keys(metadata).length > 0) {
    const pairs = Object.keys(metadata).sort()
      .map((key) => `${JSON.stringify(key)}:${JSON.stringify(metadata[key])}`);
    fields.push(`"__metadata__":{${pairs.join(",")}}`);
  }
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let end = 0;
  for (const name of [...tensors.keys()].sort()) {
    const { shape, data } = tensors.get(name)!;
    if (name === "__metadata__") {
      throw new InputRangeError(`Cannot write "${path}" as no tensor may be named "__metadata__"`);
    }
    if (elementCount(shape) !== data.length) {
      throw new InputRangeError(
        `Cannot write "${path}" as tensor "${name}" of shape [${shape}] must have ` +
          `${elementCount(shape)} values: it has ${data.length}`,
      );
    }
    const dtype = data instanceof Float32Array ? "F32" : "I32";
    const begin = end;
    end += data.byteLength;
    fields.push(
      `${
        JSON.stringify(name)
      }:{"dtype":"${dtype}","shape":[${shape}],"data_offsets":[${begin},${end}]}`,
    );
    parts.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  let header = new TextEncoder().encode(`{${fields.join(",")}}`);
  // Padded with spaces so that the data starts at a multiple of 8 and can be mapped into memory.
  const padded = new Uint8Array(Math.ceil(header.length / 8) * 8).fill(0x20);
  padded.set(header);
  header = padded;
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(header.length), true);
  return [length, header, ...parts];
}

async function readHeader(
  file: ByteFile,
): Promise<{ entries: Map<string, SafetensorsEntry>; metadata: Record<string, string> }> {
  const { path, sizeBytes } = file;
  if (sizeBytes < 8) {
    throw new InputRangeError(
      `Cannot read safetensors file "${path}" as it is truncated: ` +
        `expected at least 8 bytes, found ${sizeBytes}`,
    );
  }
  const headerBytes = Number(new DataView((await file.read(0, 8)).buffer).getBigUint64(0, true));
  if (headerBytes > MAX_HEADER_BYTES) {
    throw new InputTypeError(
      `Cannot read "${path}" as it is not a safetensors file: its first 8 bytes give a header of ` +
        `${headerBytes} bytes, allowed are up to ${MAX_HEADER_BYTES}`,
    );
  }
  const start = 8 + headerBytes;
  if (start > sizeBytes) {
    throw new InputRangeError(
      `Cannot read safetensors file "${path}" as it is truncated in its header: ` +
        `expected at least ${start} bytes, found ${sizeBytes}`,
    );
  }
  const header = parseHeader(path, await file.read(8, headerBytes));
  let metadata: Record<string, string> = {};
  const found: [string, SafetensorsEntry][] = [];
  for (const [name, value] of Object.entries(header)) {
    if (name === "__metadata__") metadata = checkMetadata(path, value);
    else found.push([name, checkEntry(path, name, value, start)]);
  }
  // Empty tensors first where two start at the same byte, so that the walk below meets no gap.
  found.sort(([, a], [, b]) => a.offset - b.offset || a.lengthBytes - b.lengthBytes);
  let end = start;
  for (const [name, { offset, lengthBytes }] of found) {
    if (offset !== end) {
      throw new InputRangeError(
        `Cannot read safetensors file "${path}" as its tensors must follow each other without gap or ` +
          `overlap: tensor "${name}" starts at byte ${offset - start} of the data, expected ${
            end - start
          }`,
      );
    }
    end += lengthBytes;
  }
  if (end !== sizeBytes) {
    const state = end > sizeBytes ? "it is truncated" : "bytes follow its last tensor";
    throw new InputRangeError(
      `Cannot read safetensors file "${path}" as ${state}: ` +
        `expected ${end} bytes, found ${sizeBytes}`,
    );
  }
  return { entries: new Map(found), metadata };
}

function parseHeader(path: string, bytes: Uint8Array): Record<string, unknown> {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw new InputTypeError(
      `Cannot read "${path}" as its safetensors header is not JSON: ${error}`,
    );
  }
  if (!isRecord(header)) {
    throw new InputTypeError(
      `Cannot read "${path}" as its safetensors header must be an object: ` +
        `current value is ${JSON.stringify(header)?.slice(0, 80)}`,
    );
  }
  return header;
}

function checkMetadata(path: string, value: unknown): Record<string, string> {
  if (!isRecord(value) || Object.values(value).some((text) => typeof text !== "string")) {
    throw new InputTypeError(
      `Cannot read safetensors file "${path}" as "__metadata__" must map texts to texts: ` +
        `current value is ${JSON.stringify(value).slice(0, 80)}`,
    );
  }
  return value as Record<string, string>;
}

function checkEntry(path: string, name: string, value: unknown, start: number): SafetensorsEntry {
  const refuse = (reason: string) =>
    new InputTypeError(`Cannot read tensor "${name}" of safetensors file "${path}" as ${reason}`);
  if (!isRecord(value)) throw refuse(`its entry must be an object: current value is ${value}`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== "string" || !Object.hasOwn(FORMATS, dtype)) {
    throw refuse(
      `its dtype is not read here: current value is ${JSON.stringify(dtype)}, ` +
        `allowed are ${Object.keys(FORMATS).join(", ")}`,
    );
  }
  if (!isSizes(shape)) {
    throw refuse(`its shape must be a list of sizes: current value is ${JSON.stringify(shape)}`);
  }
  if (!isSizes(offsets) || offsets.length !== 2 || offsets[0] > offsets[1]) {
    throw refuse(
      `its data_offsets must be [begin, end]: current value is ${JSON.stringify(offsets)}`,
    );
  }
  const lengthBytes = offsets[1] - offsets[0];
  const expected = elementCount(shape) * ELEMENT_BYTES[dtype as SafetensorsDtype];
  if (lengthBytes !== expected) {
    throw new InputRangeError(
      `Cannot read tensor "${name}" of safetensors file "${path}" as its offsets and its shape ` +
        `disagree: ${dtype} of shape [${shape}] needs ${expected} bytes, found ${lengthBytes}`,
    );
  }
  return { dtype: dtype as SafetensorsDtype, shape, offset: start + offsets[0], lengthBytes };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

/** The first names of a list that may be hundreds long. */
function listed(names: string[]): string {
  const first = names.slice(0, 8).join(", ");
  return names.length > 8 ? `${first} and ${names.length - 8} more` : first;
}
