/**
 * The safetensors format: 8 bytes of header length (little-endian), a JSON header
 * `{ name: { dtype, shape, data_offsets } }`, then the tensors' bytes, row-major and without gaps.
 */
import { elementCount, type HostTensor, type TensorMap } from "../tensor.ts";
import { writeAtomically } from "../files.ts";
import { ByteFile, type ByteSource } from "./byte_file.ts";
import { decodeElements, elementBytes, type ElementFormat } from "./elements.ts";
import { InputRangeError, InputTypeError } from "../errors.ts";

/** A tensor of integers in host memory, row-major: token ids, labels, chunk ids. */
export interface IntegerTensor {
  /** Sizes of the axes, outermost first. */
  readonly shape: readonly number[];
  /** The values, `shape` product many. */
  readonly data: Int32Array<ArrayBuffer>;
}

/** Content of one safetensors file, in the order of its bytes. */
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

/** Element types that are read; F32 and I32 are written from arrays, the others from their bytes. */
const FORMATS = {
  F64: "float64",
  F32: "float32",
  F16: "float16",
  BF16: "bfloat16",
  I64: "int64",
  I32: "int32",
  I16: "int16",
  I8: "int8",
  U8: "uint8",
  BOOL: "uint8",
} as const satisfies Record<string, ElementFormat>;

/** Element type as headers spell it. */
export type SafetensorsDtype = keyof typeof FORMATS;

/** A tensor takes some hundred bytes of header; the format's own bound is three times as much. */
const MAX_HEADER_BYTES = 2 ** 25;

/** No model has so many; each takes some hundred bytes of memory. */
const MAX_TENSORS = 2 ** 18;

/** The header is an object of objects with lists; readers may pass over fields that they do not know. */
const MAX_NESTING = 16;

/**
 * Reads a safetensors file.
 *
 * @param path The file.
 * @throws `RangeError` where sizes disagree (naming file, expected and found), `TypeError` where the file
 * is of another kind, `Deno.errors.NotFound` where there is none.
 */
export async function readSafetensors(path: string): Promise<SafetensorsContent> {
  using file = await openSafetensors(path);
  const content: SafetensorsContent = {
    tensors: new Map(),
    integers: new Map(),
    metadata: file.metadata,
  };
  for (const name of file.entries.keys()) {
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
    return new SafetensorsFile(file, await readHeader(file));
  } catch (error) {
    file[Symbol.dispose]();
    throw error;
  }
}

/** Opens safetensors content that begins at an offset of a source and may be followed by other bytes; the source stays open. */
export async function openSafetensorsAt(
  source: ByteSource,
  offset: number,
): Promise<SafetensorsFile> {
  const part: ByteSource = {
    path: source.path,
    sizeBytes: source.sizeBytes - offset,
    read: (start, lengthBytes) => source.read(offset + start, lengthBytes),
    [Symbol.dispose]() {},
  };
  return new SafetensorsFile(part, await readHeader(part, { isFollowed: true }));
}

/** Bytes of 16-bit numbers that are read at once. */
const sliceBytes = 2 ** 24;

/** The header of a safetensors file. */
export interface SafetensorsHeader {
  /** The tensors by name, in the order of their bytes. */
  readonly entries: ReadonlyMap<string, SafetensorsEntry>;
  /** The `__metadata__` of the header. */
  readonly metadata: Record<string, string>;
}

/** An open safetensors file whose tensors are read one by one; close it with `using`. */
export class SafetensorsFile implements Disposable, SafetensorsHeader {
  readonly entries: SafetensorsHeader["entries"];
  readonly metadata: SafetensorsHeader["metadata"];
  #file: ByteSource;

  /** Takes over an open file whose header was read; use `openSafetensors`. */
  constructor(file: ByteSource, { entries, metadata }: SafetensorsHeader) {
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
    const { shape, offset, lengthBytes } = entry, format = FORMATS[entry.dtype];
    const what = `tensor "${name}" of "${this.#file.path}"`;
    if (lengthBytes > sliceBytes && (format === "float16" || format === "bfloat16")) {
      return { shape, data: await this.#readSlices(entry, format, what) };
    }
    const bytes = await this.#file.read(offset, lengthBytes);
    return { shape, data: decodeElements(bytes, format, what) } as HostTensor | IntegerTensor;
  }

  /** Path or name of the file, for messages. */
  get path(): string {
    return this.#file.path;
  }

  /**
   * Reads rows of one tensor, which are its elements along the first axis: converted as by {@linkcode read}.
   *
   * @throws RangeError where there is no such tensor, or it has fewer rows.
   */
  async readRows(
    name: string,
    { start, count }: { start: number; count: number },
  ): Promise<Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer>> {
    const entry = this.entries.get(name);
    const [rows, ...rest] = entry?.shape ?? [0];
    if (!entry || start + count > rows) {
      throw new InputRangeError(
        `Cannot read rows ${start} to ${
          start + count
        } of tensor "${name}" of "${this.path}": it has ${rows}`,
      );
    }
    const format = FORMATS[entry.dtype], rowBytes = elementCount(rest) * elementBytes[format];
    const bytes = await this.#file.read(entry.offset + start * rowBytes, count * rowBytes);
    return decodeElements(bytes, format, `tensor "${name}" of "${this.path}"`);
  }

  /** The bytes of the file before one of its tensors, in parts; header and tensors before it. */
  async *bytesBefore(name: string): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    const { offset } = this.entries.get(name)!;
    for (let start = 0; start < offset; start += sliceBytes) {
      yield await this.#file.read(start, Math.min(sliceBytes, offset - start));
    }
  }

  /** A large tensor of 16-bit numbers as float32, a slice at a time: beside the result, memory holds no more than one. */
  async #readSlices(
    { offset, lengthBytes }: SafetensorsEntry,
    format: "float16" | "bfloat16",
    what: string,
  ): Promise<Float32Array<ArrayBuffer>> {
    const data = new Float32Array(lengthBytes / elementBytes[format]);
    for (let start = 0; start < lengthBytes; start += sliceBytes) {
      const bytes = await this.#file.read(
        offset + start,
        Math.min(sliceBytes, lengthBytes - start),
      );
      data.set(decodeElements(bytes, format, what), start / elementBytes[format]);
    }
    return data;
  }

  [Symbol.dispose](): void {
    this.#file[Symbol.dispose]();
  }
}

/** How floating-point numbers are written. */
export type WrittenFloats = "float32" | "float16";

/**
 * Writes a safetensors file, whole or not at all. Equal tensors and metadata give equal bytes: names are
 * sorted, independent of the order of the map.
 *
 * @param floats Type that floating-point numbers are rounded to (default `float32`).
 * @throws {RangeError} Where float16 does not hold a number.
 */
export async function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, HostTensor | IntegerTensor>,
  metadata: Record<string, string> = {},
  floats: WrittenFloats = "float32",
): Promise<void> {
  const written = floats === "float32" ? tensors : new Map(
    Array.from(tensors, ([name, tensor]) => [name, rounded(path, name, tensor)] as const),
  );
  await writeAtomically(path, safetensorsParts(path, written, metadata));
}

/** A tensor of float16 numbers. */
interface RoundedTensor {
  readonly shape: readonly number[];
  readonly data: Float16Array<ArrayBuffer>;
}

function rounded(
  path: string,
  name: string,
  tensor: HostTensor | IntegerTensor,
): RoundedTensor | IntegerTensor {
  const { shape, data } = tensor;
  if (!(data instanceof Float32Array)) return tensor as IntegerTensor;
  const half = new Float16Array(data);
  const lost = half.findIndex((value, i) => !Number.isFinite(value) && Number.isFinite(data[i]));
  if (lost < 0) return { shape, data: half };
  throw new InputRangeError(
    `Cannot write "${path}" as tensor "${name}" leaves float16's range: current value is ${
      data[lost]
    }, allowed are values up to 65504`,
  );
}

export interface WrittenTensor {
  /** Element type. */
  readonly dtype: SafetensorsDtype;
  /** Sizes of the axes, outermost first. */
  readonly shape: readonly number[];
  /** Its bytes, little-endian, in order; asked for once, when those of the tensors before have been written. */
  readonly parts: () => Iterable<Uint8Array<ArrayBuffer>> | AsyncIterable<Uint8Array<ArrayBuffer>>;
}

/**
 * A safetensors file in parts, for tensors that are not in memory as a whole. They stand in the order of the map.
 *
 * @param path Of the file, for messages.
 */
export async function* safetensorsStream(
  path: string,
  tensors: ReadonlyMap<string, WrittenTensor>,
  metadata: Readonly<Record<string, string>>,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  yield headerOf(path, tensors, metadata);
  for (const { parts } of tensors.values()) yield* parts();
}

/** Header and data of a file, as views of the arguments. */
function safetensorsParts(
  path: string,
  tensors: ReadonlyMap<string, HostTensor | IntegerTensor | RoundedTensor>,
  metadata: Record<string, string>,
): Uint8Array<ArrayBuffer>[] {
  const sorted = [...tensors].sort(([a], [b]) => a < b ? -1 : 1);
  const described = sorted.map(([name, { shape, data }]) => {
    if (elementCount(shape) !== data.length) {
      throw new InputRangeError(
        `Cannot write "${path}" as tensor "${name}" of shape [${shape}] must have ${
          elementCount(shape)
        } values: it has ${data.length}`,
      );
    }
    const dtype: SafetensorsDtype = data instanceof Float32Array
      ? "F32"
      : data instanceof Float16Array
      ? "F16"
      : "I32";
    return [name, { dtype, shape }] as const;
  });
  return [
    headerOf(path, new Map(described), metadata),
    ...sorted.map(([, { data }]) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength)),
  ];
}

/** Header of a file of tensors in the order of the map. */
function headerOf(
  path: string,
  tensors: ReadonlyMap<string, Pick<WrittenTensor, "dtype" | "shape">>,
  metadata: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  // Spelled out key by key: an object literal would move names that look like numbers to the front.
  const field = (name: string, value: unknown) =>
    `${JSON.stringify(name)}:${JSON.stringify(value)}`;
  const pairs = Object.keys(metadata).sort().map((key) => field(key, metadata[key]));
  const fields = pairs.length > 0 ? [`"__metadata__":{${pairs.join(",")}}`] : [];
  let end = 0;
  for (const [name, { dtype, shape }] of tensors) {
    if (name === "__metadata__") {
      throw new InputRangeError(
        `Cannot write "${path}" as no tensor may be named "__metadata__"`,
      );
    }
    const begin = end;
    end += elementCount(shape) * elementBytes[FORMATS[dtype]];
    fields.push(field(name, { dtype, shape, data_offsets: [begin, end] }));
  }
  const text = new TextEncoder().encode(`{${fields.join(",")}}`);
  // Padded with spaces so that the data starts at a multiple of 8 and can be mapped into memory.
  const header = new Uint8Array(8 + Math.ceil(text.length / 8) * 8).fill(0x20);
  header.set(text, 8);
  new DataView(header.buffer).setBigUint64(0, BigInt(header.length - 8), true);
  return header;
}

async function readHeader(
  file: ByteSource,
  { isFollowed = false }: { isFollowed?: boolean } = {},
): Promise<SafetensorsHeader> {
  const { path, sizeBytes } = file;
  const refuse = (reason: string) =>
    new InputRangeError(`Cannot read safetensors file "${path}" as ${reason}`);
  if (sizeBytes < 8) {
    throw refuse(`it is truncated: expected at least 8 bytes, found ${sizeBytes}`);
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
    throw refuse(
      `it is truncated in its header: expected at least ${start} bytes, found ${sizeBytes}`,
    );
  }
  const { __metadata__: metadata = {}, ...tensors } = parseHeader(
    path,
    await file.read(8, headerBytes),
  );
  if (!isRecord(metadata) || !Object.values(metadata).every((text) => typeof text === "string")) {
    throw new InputTypeError(
      `Cannot read safetensors file "${path}" as "__metadata__" must map texts to texts: ` +
        `current value is ${shortJson(metadata)}`,
    );
  }
  const found = Object.entries(tensors)
    .map(([name, value]) => [name, checkEntry(path, name, value, start)] as const)
    // Empty tensors first where two start at the same byte, so that the walk below meets no gap.
    .sort(([, a], [, b]) => a.offset - b.offset || a.lengthBytes - b.lengthBytes);
  let end = start;
  for (const [name, { offset, lengthBytes }] of found) {
    if (offset !== end) {
      throw refuse(
        `its tensors must follow each other without gap or overlap: ` +
          `tensor "${name}" starts at byte ${offset - start} of the data, expected ${end - start}`,
      );
    }
    end += lengthBytes;
  }
  if (end > sizeBytes || end < sizeBytes && !isFollowed) {
    const state = end > sizeBytes ? "it is truncated" : "bytes follow its last tensor";
    throw refuse(`${state}: expected ${end} bytes, found ${sizeBytes}`);
  }
  return { entries: new Map(found), metadata: metadata as Record<string, string> };
}

function parseHeader(path: string, bytes: Uint8Array): Record<string, unknown> {
  let header: unknown;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    checkKeys(text);
    header = JSON.parse(text);
  } catch (error) {
    const reason = error instanceof InputRangeError ? error.message : `is not JSON: ${error}`;
    throw new InputTypeError(`Cannot read "${path}" as its safetensors header ${reason}`);
  }
  if (!isRecord(header)) {
    throw new InputTypeError(
      `Cannot read "${path}" as its safetensors header must be an object: ` +
        `current value is ${shortJson(header)}`,
    );
  }
  return header;
}

/**
 * Checks what `JSON.parse` does not, before it makes any value: no object has a key twice, of which it would keep the last,
 * and neither nesting nor the number of tensors is beyond all models.
 *
 * @throws InputRangeError with the end of a sentence about the header.
 */
function checkKeys(text: string): void {
  /** Keys of the objects and lists that are open. */
  const open: Set<string>[] = [];
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (char === "{" || char === "[") {
      if (open.push(new Set()) > MAX_NESTING) {
        throw new InputRangeError(`is nested deeper than ${MAX_NESTING} levels`);
      }
    } else if (char === "}" || char === "]") open.pop();
    else if (char === '"') {
      const start = i++;
      while (i < text.length && text[i] !== '"') i += text[i] === "\\" ? 2 : 1;
      let next = i + 1;
      while (" \t\n\r".includes(text[next] ?? "-")) next++;
      if (text[next] !== ":") continue;
      const key = JSON.parse(text.slice(start, i + 1)) as string; // two spellings are one key
      const keys = open.at(-1);
      if (keys?.has(key)) {
        throw new InputRangeError(`has the key ${JSON.stringify(key.slice(0, 200))} twice`);
      }
      if (keys?.add(key) && keys.size > MAX_TENSORS) {
        throw new InputRangeError(`has more than ${MAX_TENSORS} tensors`);
      }
    }
  }
}

function checkEntry(path: string, name: string, value: unknown, start: number): SafetensorsEntry {
  const refuse = (reason: string) =>
    new InputTypeError(`Cannot read tensor "${name}" of safetensors file "${path}" as ${reason}`);
  if (!isRecord(value)) {
    throw refuse(`its entry must be an object: current value is ${shortJson(value)}`);
  }
  const { dtype, shape, data_offsets: offsets } = value;
  if (!isDtype(dtype)) {
    throw refuse(
      `its dtype is not read here: current value is ${shortJson(dtype)}, ` +
        `allowed are ${Object.keys(FORMATS).join(", ")}`,
    );
  }
  if (!isSizes(shape)) {
    throw refuse(`its shape must be a list of sizes: current value is ${shortJson(shape)}`);
  }
  if (!isSizes(offsets) || offsets.length !== 2 || offsets[0] > offsets[1]) {
    throw refuse(`its data_offsets must be [begin, end]: current value is ${shortJson(offsets)}`);
  }
  const lengthBytes = offsets[1] - offsets[0];
  const expected = elementCount(shape) * elementBytes[FORMATS[dtype]];
  if (lengthBytes !== expected) {
    throw new InputRangeError(
      `Cannot read tensor "${name}" of safetensors file "${path}" as its offsets and its shape ` +
        `disagree: ${dtype} of shape [${shape}] needs ${expected} bytes, found ${lengthBytes}`,
    );
  }
  return { dtype, shape, offset: start + offsets[0], lengthBytes };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isDtype(value: unknown): value is SafetensorsDtype {
  return typeof value === "string" && Object.hasOwn(FORMATS, value);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

function shortJson(value: unknown): string {
  return `${JSON.stringify(value)?.slice(0, 80)}`;
}

/** The first names of a list that may be hundreds long. */
function listed(names: string[]): string {
  const first = names.slice(0, 8).join(", ");
  return names.length > 8 ? `${first} and ${names.length - 8} more` : first;
}
