/** Writes torch checkpoints for tests, well-formed and otherwise: a zip writer and a pickle writer. */
import { crc32 } from "node:zlib";

/** An entry to write; the fields after `data` override what is right. */
export interface EntryToWrite {
  name: string;
  data: Uint8Array;
  method?: number;
  flags?: number;
  crc?: number;
}

/** Options of `zipBytes`. */
export interface ZipOptions {
  /** Writes all sizes and offsets in the 64-bit extension, as for archives beyond 4 GiB. */
  zip64?: boolean;
  /** Bytes of padding in each local header, as torch aligns data. */
  padding?: number;
}

/** A zip archive of stored entries. */
export function zipBytes(
  entries: EntryToWrite[],
  options: ZipOptions = {},
): Uint8Array<ArrayBuffer> {
  const { zip64 = false, padding = 0 } = options;
  const out: number[] = [];
  const directory: number[] = [];
  for (const { name, data, method = 0, flags = 0, crc = crc32(data) } of entries) {
    const nameBytes = new TextEncoder().encode(name);
    const offset = out.length;
    out.push(...u32(0x04034b50), ...u16(45), ...u16(flags), ...u16(method), ...u32(0));
    out.push(...u32(crc), ...u32(data.length), ...u32(data.length));
    out.push(...u16(nameBytes.length), ...u16(padding), ...nameBytes);
    out.push(...new Array(padding).fill(0));
    for (const byte of data) out.push(byte);
    // A field of another kind first: readers must look for theirs.
    const extra = zip64
      ? [...u16(0xcafe), ...u16(2), 7, 7, ...u16(1), ...u16(24)]
        .concat(u64(data.length), u64(data.length), u64(offset))
      : [];
    const size = zip64 ? 0xffffffff : data.length;
    directory.push(...u32(0x02014b50), ...u16(45), ...u16(45), ...u16(flags), ...u16(method));
    directory.push(...u32(0), ...u32(crc), ...u32(size), ...u32(size));
    directory.push(...u16(nameBytes.length), ...u16(extra.length), ...u16(0), ...u16(0), ...u16(0));
    directory.push(...u32(0), ...u32(zip64 ? 0xffffffff : offset), ...nameBytes, ...extra);
  }
  const start = out.length;
  for (const byte of directory) out.push(byte);
  const end = out.length;
  if (zip64) {
    out.push(...u32(0x06064b50), ...u64(44), ...u16(45), ...u16(45), ...u32(0), ...u32(0));
    out.push(
      ...u64(entries.length),
      ...u64(entries.length),
      ...u64(directory.length),
      ...u64(start),
    );
    out.push(...u32(0x07064b50), ...u32(0), ...u64(end), ...u32(1));
  }
  const count = zip64 ? 0xffff : entries.length;
  out.push(...u32(0x06054b50), ...u16(0), ...u16(0), ...u16(count), ...u16(count));
  out.push(...u32(zip64 ? 0xffffffff : directory.length), ...u32(zip64 ? 0xffffffff : start));
  out.push(...u16(0));
  return new Uint8Array(out);
}

/** A storage of a checkpoint: torch's class, key and bytes. */
export interface StorageToWrite {
  storageClass: string;
  key: string;
  data: ArrayBufferView<ArrayBuffer>;
  /** Elements that the pickle declares. */
  elements: number;
}

/** A tensor of a checkpoint: a view of a storage. */
export class TensorToWrite {
  constructor(
    readonly storage: StorageToWrite,
    readonly shape: number[],
    readonly stride: number[] = contiguous(shape),
    readonly offset = 0,
  ) {}
}

/** An `argparse.Namespace`. */
export class NamespaceToWrite {
  constructor(readonly attributes: Map<string, ValueToWrite>) {}
}

/** Pickle instructions as they are. */
export class RawPickle {
  constructor(readonly bytes: number[]) {}
}

/** What `pickleBytes` writes: maps become OrderedDict, records become dict. */
export type ValueToWrite =
  | null
  | boolean
  | number
  | string
  | ValueToWrite[]
  | Map<string, ValueToWrite>
  | { [key: string]: ValueToWrite }
  | TensorToWrite
  | NamespaceToWrite
  | RawPickle;

/** Pickle protocol 2, as `torch.save` writes it, without memoisation. */
export function pickleBytes(value: ValueToWrite): Uint8Array<ArrayBuffer> {
  return new Uint8Array([0x80, 2, ...pickleInstructions(value), 0x2e]);
}

/** The instruction for a name of a module. */
export function globalInstruction(module: string, name: string): number[] {
  return [0x63, ...new TextEncoder().encode(`${module}\n${name}\n`)];
}

/** Instructions that push a text. */
export function textInstruction(text: string): number[] {
  const bytes = new TextEncoder().encode(text);
  return [0x58, ...u32(bytes.length), ...bytes];
}

/** The instructions that push a value. */
export function pickleInstructions(value: ValueToWrite): number[] {
  if (value === null) return [0x4e];
  if (value instanceof RawPickle) return value.bytes;
  switch (typeof value) {
    case "boolean":
      return [value ? 0x88 : 0x89];
    case "string":
      return textInstruction(value);
    case "number":
      if (!Number.isInteger(value)) {
        const bytes = new Uint8Array(8);
        new DataView(bytes.buffer).setFloat64(0, value, false);
        return [0x47, ...bytes];
      }
      if (value !== (value | 0)) return [0x8a, 8, ...u64(value)];
      return value >= 0 && value < 256 ? [0x4b, value] : [0x4a, ...u32(value)];
  }
  if (Array.isArray(value)) return [0x5d, 0x28, ...value.flatMap(pickleInstructions), 0x65];
  if (value instanceof Map) {
    const items = [...value].flatMap((
      [key, item],
    ) => [...textInstruction(key), ...pickleInstructions(item)]);
    // torch gives its OrderedDict an attribute "_metadata".
    return [...globalInstruction("collections", "OrderedDict"), 0x29, 0x52, 0x28, ...items, 0x75]
      .concat([0x7d, ...textInstruction("_metadata"), 0x7d, 0x73, 0x62]);
  }
  if (value instanceof NamespaceToWrite) {
    const state = pickleInstructions(Object.fromEntries(value.attributes));
    return [...globalInstruction("argparse", "Namespace"), 0x29, 0x81, ...state, 0x62];
  }
  if (value instanceof TensorToWrite) {
    const { storage, shape, stride, offset } = value;
    const id = [0x28, ...textInstruction("storage")]
      .concat(globalInstruction("torch", storage.storageClass), textInstruction(storage.key))
      .concat(textInstruction("cpu"), pickleInstructions(storage.elements), [0x74, 0x51]);
    const hooks = [...globalInstruction("collections", "OrderedDict"), 0x29, 0x52];
    return [...globalInstruction("torch._utils", "_rebuild_tensor_v2"), 0x28, ...id]
      .concat(pickleInstructions(offset), tuple(shape), tuple(stride), [0x89], hooks, [0x74, 0x52]);
  }
  const items = Object.entries(value)
    .flatMap(([key, item]) => [...textInstruction(key), ...pickleInstructions(item)]);
  return [0x7d, 0x28, ...items, 0x75];
}

function tuple(values: number[]): number[] {
  return [0x28, ...values.flatMap(pickleInstructions), 0x74];
}

/** A storage of float32 numbers. */
export function floatStorage(key: string, data: Float32Array<ArrayBuffer>): StorageToWrite {
  return { storageClass: "FloatStorage", key, data, elements: data.length };
}

/** A whole checkpoint: the pickled content and the storages it refers to. */
export function torchBytes(
  content: ValueToWrite,
  storages: StorageToWrite[],
  options: ZipOptions & { byteOrder?: string } = {},
): Uint8Array<ArrayBuffer> {
  const entries: EntryToWrite[] = [{ name: "saved/data.pkl", data: pickleBytes(content) }];
  if (options.byteOrder) {
    entries.push({ name: "saved/byteorder", data: new TextEncoder().encode(options.byteOrder) });
  }
  for (const { key, data } of storages) {
    entries.push({
      name: `saved/data/${key}`,
      data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    });
  }
  return zipBytes(entries, options);
}

function contiguous(shape: number[]): number[] {
  return shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));
}

function u16(value: number): number[] {
  return [value & 255, (value >> 8) & 255];
}

function u32(value: number): number[] {
  return [...u16(value), ...u16(value >>> 16)];
}

function u64(value: number): number[] {
  return [...u32(value), ...u32(Math.floor(value / 2 ** 32))];
}
