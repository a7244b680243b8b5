/**
 * Checkpoints of `torch.save`: a zip archive with one pickle (`data.pkl`), the structure, and one entry
 * per storage (`data/<key>`), the numbers. The pickle is read as data; tensors are read when asked for.
 */
import { elementCount, type HostTensor } from "../tensor.ts";
import { ByteFile, type ByteSource } from "./byte_file.ts";
import { decodeElements, elementBytes, type ElementFormat } from "./elements.ts";
import {
  describe,
  PickleGlobal,
  PickleOpaque,
  PickleTuple,
  type PickleValue,
  unpickle,
} from "./pickle.ts";
import type { IntegerTensor } from "./safetensors.ts";
import { readZipDirectory, readZipEntry, type ZipEntry } from "./zip.ts";
import { InputRangeError, InputTypeError } from "../errors.ts";

/** Element format of a storage; complex numbers are not read. */
export type StorageFormat = ElementFormat | keyof typeof unreadBytes;

/** Bytes of one element of the formats that a checkpoint may hold, but that are not read. */
const unreadBytes = { complex64: 8, complex128: 16 } as const;

/** Element types of storages by torch's class; `bool` is stored as bytes 0 and 1. */
const STORAGES = new Map<string, StorageFormat>([
  ["torch.FloatStorage", "float32"],
  ["torch.DoubleStorage", "float64"],
  ["torch.HalfStorage", "float16"],
  ["torch.BFloat16Storage", "bfloat16"],
  ["torch.LongStorage", "int64"],
  ["torch.IntStorage", "int32"],
  ["torch.ShortStorage", "int16"],
  ["torch.CharStorage", "int8"],
  ["torch.ByteStorage", "uint8"],
  ["torch.BoolStorage", "uint8"],
  ["torch.ComplexFloatStorage", "complex64"],
  ["torch.ComplexDoubleStorage", "complex128"],
]);

/** Names of torch's element types, which stand in parts that nobody reads. */
const ELEMENT_TYPES =
  ("float16 float32 float64 bfloat16 half float double int8 int16 int32 int64 uint8 short int long " +
    "bool complex64 complex128").split(" ").map((type) => new PickleGlobal(`torch.${type}`));

/** Names of numpy, whose scalars and arrays stand in the records of a training; since version 2 in another module. */
const NUMPY = [
  "numpy.dtype",
  "numpy.ndarray",
  ...["numpy.core", "numpy._core"].flatMap((core) => [
    `${core}.multiarray.scalar`,
    `${core}.multiarray._reconstruct`,
    `${core}.numeric._frombuffer`,
  ]),
].map((name) => PickleGlobal.passedOver(name));

/** Globals that torch.save writes besides plain data. */
const TORCH = [
  new PickleGlobal("torch._utils._rebuild_tensor_v2", rebuildTensor),
  new PickleGlobal("torch._utils._rebuild_parameter", ([tensor]) => asTensor(tensor)),
  new PickleGlobal("torch._utils._rebuild_parameter_with_state", ([tensor]) => asTensor(tensor)),
  new PickleGlobal("torch._tensor._rebuild_from_type_v2", rebuildFromType),
  new PickleGlobal("torch.nn.parameter.Parameter"),
  new PickleGlobal("torch.Tensor"),
  new PickleGlobal("torch.Size", ([sizes]) => asTuple(sizes)),
  PickleGlobal.passedOver("torch.device"),
  ...ELEMENT_TYPES,
  ...[...STORAGES.keys()].map((name) => new PickleGlobal(name)),
];

/** The structure of the largest model is some hundred kilobytes; this leaves room and bounds the work. */
const MAX_PICKLE_BYTES = 2 ** 26;

/** torch itself allows 64 dimensions. */
const MAX_DIMENSIONS = 64;

/** A run of numbers in the archive; several tensors may look at one. */
export class TorchStorage extends PickleOpaque {
  /** Made by the pickle; the size is checked against the archive. */
  constructor(
    readonly entry: ZipEntry,
    readonly format: StorageFormat,
    /** Number of elements. */
    readonly elements: number,
  ) {
    super();
  }
}

/** A tensor of a checkpoint that is not read yet: a strided view of a storage. */
export class TorchTensor extends PickleOpaque {
  /** Made by the pickle; sizes are checked against the storage. */
  constructor(
    /** The numbers it looks at. */
    readonly storage: TorchStorage,
    /** First element in the storage. */
    readonly offset: number,
    /** Sizes of the axes, outermost first. */
    readonly shape: readonly number[],
    /** Steps of the axes, in elements. */
    readonly stride: readonly number[],
  ) {
    super();
  }

  /** Whether both look at the same elements, so that they are equal without being read. */
  sameView(other: TorchTensor): boolean {
    return this.storage.entry === other.storage.entry && this.offset === other.offset &&
      this.shape.join() === other.shape.join() && this.stride.join() === other.stride.join();
  }
}

/** An open torch checkpoint; close it with `using`. */
export class TorchFile implements Disposable {
  /** The saved value; tensors in it are `TorchTensor`. */
  readonly content: PickleValue;
  #file: ByteSource;

  /** Takes over an open file; use `openTorchFile`. */
  constructor(file: ByteSource, content: PickleValue) {
    this.#file = file;
    this.content = content;
  }

  /** Path of the file, for messages. */
  get path(): string {
    return this.#file.path;
  }

  get sizeBytes(): number {
    return this.#file.sizeBytes;
  }

  /**
   * Reads a tensor, row-major and contiguous: float32 for the floating-point types, int32 for the others.
   *
   * @throws RangeError where it repeats elements of its storage: it could be far larger than the file.
   */
  async read(tensor: TorchTensor): Promise<HostTensor | IntegerTensor> {
    const { storage, offset, shape, stride } = tensor;
    const { format, entry, elements } = storage;
    const what = `entry "${entry.name}" of "${this.path}"`;
    if (format in unreadBytes) {
      throw new InputTypeError(
        `Cannot read ${what} as its numbers are ${format}: allowed are real ones`,
      );
    }
    if (elementCount(shape) > elements) {
      throw new InputRangeError(
        `Cannot read ${what} as a tensor of shape [${shape}] repeats elements of its ${elements}: ` +
          `save a copy of it, as torch's contiguous() makes one`,
      );
    }
    const size = bytesOf(format);
    const bytes = await readZipEntry(this.#file, entry, {
      offset: offset * size,
      lengthBytes: spanElements(shape, stride) * size,
    });
    const span = decodeElements(bytes, format as ElementFormat, what);
    const data = isContiguous(shape, stride) ? span : gather(span, shape, stride);
    return { shape, data } as HostTensor | IntegerTensor;
  }

  [Symbol.dispose](): void {
    this.#file[Symbol.dispose]();
  }
}

/**
 * Opens a torch checkpoint and reads its structure, no tensor yet. Nothing in the file is executed.
 *
 * @param source Path of the file, or its bytes; a file opened here is closed with the checkpoint.
 * @throws `TypeError` where the file is of another kind or its pickle uses anything but tensors and plain
 * data, `RangeError` where sizes disagree; all name the file.
 */
export async function openTorchFile(source: string | ByteSource): Promise<TorchFile> {
  const file = typeof source === "string" ? await ByteFile.open(source) : source;
  const { path } = file;
  try {
    await checkZip(file);
    const entries = await readZipDirectory(file);
    const root = findRoot(file, entries);
    await checkByteOrder(file, entries.get(`${root}/byteorder`));
    const pickle = entries.get(`${root}/data.pkl`)!;
    if (pickle.lengthBytes > MAX_PICKLE_BYTES) {
      throw new InputRangeError(
        `Cannot read "${path}" as its data.pkl has ${pickle.lengthBytes} bytes: ` +
          `allowed are ${MAX_PICKLE_BYTES}`,
      );
    }
    const content = unpickle(await readZipEntry(file, pickle), {
      source: `"${path}"`,
      globals: [...TORCH, ...NUMPY],
      persistent: (id) => findStorage(id, (key) => entries.get(`${root}/data/${key}`)),
    });
    return new TorchFile(file, content);
  } catch (error) {
    file[Symbol.dispose]();
    throw error;
  }
}

/**
 * The tensors of a dictionary by their names.
 *
 * @param what The dictionary in words, for the message.
 * @throws TypeError where it is no dictionary, or has something else in it.
 */
export function namedTensors(
  saved: PickleValue,
  { path, what }: { readonly path: string; readonly what: string },
): Map<string, TorchTensor> {
  const refuse = (found: string) =>
    new InputTypeError(`Cannot read "${path}" as ${what} must map names to tensors: ${found}`);
  if (!(saved instanceof Map)) throw refuse(`it is ${describe(saved)}`);
  const tensors = new Map<string, TorchTensor>();
  for (const [name, tensor] of saved) {
    if (typeof name !== "string" || !(tensor instanceof TorchTensor)) {
      throw refuse(`${describe(name)} is ${describe(tensor)}`);
    }
    tensors.set(name, tensor);
  }
  return tensors;
}

async function checkZip(file: ByteSource): Promise<void> {
  const start = await file.read(0, Math.min(4, file.sizeBytes));
  if (start[0] === 0x80) {
    throw new InputTypeError(
      `Cannot read "${file.path}" as it is a bare pickle, torch's format before version 1.6: save it ` +
        `again with a newer torch, torch.save(torch.load(path), path)`,
    );
  }
  if (start.length < 4 || start[0] !== 0x50 || start[1] !== 0x4b) {
    throw new InputTypeError(
      `Cannot read "${file.path}" as it is not a torch checkpoint: expected a zip archive, which starts ` +
        `with "PK", found ${start.length < 4 ? `${file.sizeBytes} bytes` : `[${start}]`}`,
    );
  }
}

function findRoot(file: ByteSource, entries: Map<string, ZipEntry>): string {
  const roots = [...entries.keys()].filter((name) => /^[^/]*\/data\.pkl$/.test(name));
  if (roots.length !== 1) {
    const names = [...entries.keys()].slice(0, 5).join(", ");
    throw new InputTypeError(
      `Cannot read "${file.path}" as a zip archive of torch must have one "<name>/data.pkl": ` +
        `it has ${roots.length}; its ${entries.size} entries begin with ${names || "nothing"}`,
    );
  }
  return roots[0].slice(0, -"/data.pkl".length);
}

async function checkByteOrder(file: ByteSource, entry: ZipEntry | undefined): Promise<void> {
  // Files of torch before 2.1 do not say; they are little-endian wherever torch is used.
  if (!entry) return;
  const order = new TextDecoder().decode(
    await readZipEntry(file, entry, {
      offset: 0,
      lengthBytes: Math.min(entry.lengthBytes, "little".length),
    }),
  );
  if (order !== "little") {
    throw new InputTypeError(
      `Cannot read "${file.path}" as its byte order must be "little": current value is "${order}"`,
    );
  }
}

/** Resolves `("storage", storage class, key, device, elements)`. Errors get file and position from the pickle reader. */
function findStorage(
  id: PickleValue,
  find: (key: string) => ZipEntry | undefined,
): TorchStorage {
  const [kind, storageClass, key, , elements] = id instanceof PickleTuple ? id.items : [];
  const format = storageClass instanceof PickleGlobal ? STORAGES.get(storageClass.name) : undefined;
  if (kind !== "storage" || !format || typeof key !== "string" || !isSize(elements)) {
    throw new TypeError(
      `a storage must be (storage, class, key, device, elements): it is ${
        id instanceof PickleTuple ? id.items.slice(0, 5).map(describe).join(", ") : describe(id)
      }`,
    );
  }
  const entry = find(key);
  if (!entry) throw new RangeError(`storage "${key}" is not in the archive`);
  const expected = elements * bytesOf(format);
  if (entry.lengthBytes !== expected) {
    throw new RangeError(
      `the sizes of storage "${key}" disagree: expected ${expected} bytes for ` +
        `${elements} elements of ${format}, found ${entry.lengthBytes}`,
    );
  }
  return new TorchStorage(entry, format, elements);
}

/** `_rebuild_tensor_v2(storage, offset, shape, stride, requires_grad, hooks[, metadata])`. */
function rebuildTensor(args: readonly PickleValue[]): TorchTensor {
  const [storage, offset, shape, stride] = args;
  if (args.length < 6 || args.length > 7 || !(storage instanceof TorchStorage)) {
    throw new TypeError(`a tensor must be rebuilt from a storage: it is from ${describe(storage)}`);
  }
  if (
    !isSize(offset) || !(shape instanceof PickleTuple) || !(stride instanceof PickleTuple) ||
    shape.items.length !== stride.items.length || shape.items.length > MAX_DIMENSIONS ||
    !shape.items.every(isSize) || !stride.items.every(isSize)
  ) {
    throw new TypeError(
      `offset, shape and stride of a tensor must be whole numbers, as many strides as sizes`,
    );
  }
  const sizes = shape.items as number[], steps = stride.items as number[];
  if (offset + spanElements(sizes, steps) > storage.elements) {
    throw new RangeError(
      `a tensor of shape [${sizes}], stride [${steps}] and offset ${offset} does not fit its ` +
        `storage of ${storage.elements} elements`,
    );
  }
  return new TorchTensor(storage, offset, sizes, steps);
}

/** `_rebuild_from_type_v2(rebuild, class, arguments, attributes)`: a tensor of another class, or with attributes. */
function rebuildFromType([rebuild, , args]: readonly PickleValue[]): TorchTensor {
  const isKnown = rebuild instanceof PickleGlobal && rebuild.call !== undefined &&
    rebuild.call !== rebuildFromType;
  if (!isKnown) throw new TypeError(`a tensor must not be rebuilt by ${describe(rebuild)}`);
  return asTensor(rebuild.call!(asTuple(args).items));
}

function asTensor(value: PickleValue | undefined): TorchTensor {
  if (value instanceof TorchTensor) return value;
  throw new TypeError(`a parameter must be made of a tensor: it is made of ${describe(value)}`);
}

function asTuple(value: PickleValue | undefined): PickleTuple {
  if (value instanceof PickleTuple) return value;
  throw new TypeError(`sizes must be a tuple: they are ${describe(value)}`);
}

function bytesOf(format: StorageFormat): number {
  return { ...elementBytes, ...unreadBytes }[format];
}

function isSize(value: PickleValue | undefined): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

/** Elements of the storage from the first to the last that a view touches. */
function spanElements(shape: readonly number[], stride: readonly number[]): number {
  if (shape.includes(0)) return 0;
  return shape.reduce((last, size, axis) => last + (size - 1) * stride[axis], 0) + 1;
}

function isContiguous(shape: readonly number[], stride: readonly number[]): boolean {
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    // The stride of an axis of size 1 is never used, and torch leaves odd values there.
    if (shape[axis] !== 1 && stride[axis] !== step) return shape.includes(0);
    step *= shape[axis];
  }
  return true;
}

/** Copies a strided view into a new row-major buffer. */
function gather<Data extends Float32Array | Int32Array>(
  source: Data,
  shape: readonly number[],
  stride: readonly number[],
): Data {
  const target = new (source.constructor as new (length: number) => Data)(elementCount(shape));
  const index = new Array(shape.length).fill(0);
  let from = 0;
  for (let to = 0; to < target.length; to++) {
    target[to] = source[from];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += stride[axis];
      if (++index[axis] < shape[axis]) break;
      from -= shape[axis] * stride[axis];
      index[axis] = 0;
    }
  }
  return target;
}
