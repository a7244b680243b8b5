/**
 * A memory as a file: safetensors, of which every reader knows the tensors, with metadata that say who wrote it.
 *
 *     bank.0.meanKeys   F32 [N, H, D]       N chunks of a bank, the oldest first, of H heads
 *     bank.0.ids        I32 [N, c]          their token ids
 *     bank.0.positions  I32 [N]             tokens that the bank had been given before each, since it was emptied
 *     bank.0.keys       F32, F16 or I8 [N, H, c, D]
 *     bank.0.values     likewise
 *     bank.0.keyScales  F32 [N, H, c]       of I8, and valueScales likewise: what the numbers are multiples of
 *     sha256            U8 [32]             SHA-256 of all bytes of the file before these 32
 *
 * Chunks are written and read in slices, so that only one slice is in memory besides the bank itself.
 *
 * Later chunks may follow at the end of the file, as parts of the same form: safetensors with the new chunks alone, whose metadata name
 * the SHA-256 of the part before (`previous`). The first 8 bytes of a part, the length of its header, are written last: until then
 * they are zero, and the file is what it was.
 */
import { z } from "zod";
import { InputError, InputTypeError } from "../errors.ts";
import { createHash, isDeepStrictEqual, open, stat } from "../system.ts";
import { checkRegular, writeAll, writeAtomically, writing } from "../files.ts";
import { ByteFile, type ByteSource, bytesSource } from "../formats/byte_file.ts";
import { type OpenFile, seekStart } from "../open_file.ts";
import {
  openSafetensorsAt,
  type SafetensorsFile,
  safetensorsStream,
  type WrittenTensor,
} from "../formats/safetensors.ts";
import { hexOf } from "../sha256.ts";
import type { BankTensorName } from "./bank_storage.ts";
import type { MemoryConfig } from "./config.ts";
import { dequantizeAll, quantizeAll } from "./eight_bits.ts";
import type { ChunkSlice, MemoryBank } from "./memory_bank.ts";
import { type SlotRange, slotsOf } from "./ring.ts";

/** A text that a memory has read. */
export interface RememberedText {
  /** Name of the text, such as that of its file without folders. */
  readonly name: string;
  /** SHA-256 (hexadecimal) of its UTF-8. */
  readonly sha256: string;
  /** Tokens that the memory had been given before it, since it was emptied. */
  readonly start: number;
  /** Tokens of the text. */
  readonly tokens: number;
}

/** Description of a memory in its file. */
export interface MemoryDescription {
  /** `hashTensors` of the backbone whose keys and values it holds. */
  readonly backbone: string;
  /** Block of the backbone whose keys and values they are. */
  readonly block: number;
  /** `Tokenizer.hash` of the token ids; absent where the writer did not say. */
  readonly tokenizer?: string;
  /** The memory that wrote it. */
  readonly memory: Pick<MemoryConfig, "chunkTokens" | "storage" | "bank">;
  /** The texts that it has read since it was emptied, in order, where the writer said. */
  readonly texts: readonly RememberedText[];
  /** Of each bank its chunks, and the tokens that it has been given since it was emptied. */
  readonly banks: readonly { readonly chunks: number; readonly tokens: number }[];
  /** Heads H of the keys. */
  readonly heads: number;
  /** Size D of a head. */
  readonly headDim: number;
}

const format = "longmem-lab memory", version = "1";

/** Bytes of keys, of values and of mean keys that are handled at once. */
const sliceBytes = 2 ** 24;

type TensorForm = Pick<WrittenTensor, "dtype" | "shape">;

/** The tensors of a bank of N chunks, by their names behind that of the bank, in the order of the file. */
function tensorForms(
  N: number,
  { heads: H, headDim: D, memory: { chunkTokens: c, storage } }: MemoryDescription,
) {
  const dtype = ({ float32: "F32", float16: "F16", int8: "I8" } as const)[storage];
  const scales: TensorForm = { dtype: "F32", shape: [N, H, c] };
  return {
    meanKeys: { dtype: "F32", shape: [N, H, D] },
    ids: { dtype: "I32", shape: [N, c] },
    positions: { dtype: "I32", shape: [N] },
    keys: { dtype, shape: [N, H, c, D] },
    values: { dtype, shape: [N, H, c, D] },
    ...(storage === "int8" && { keyScales: scales, valueScales: scales }),
  } satisfies Record<string, TensorForm>;
}

type TensorName = keyof ReturnType<typeof tensorForms>;

/** Name of a tensor of a bank in the file. */
function nameOf(bank: number, tensor: TensorName): string {
  return `bank.${bank}.${tensor}`;
}

const hashName = "sha256";

/** Labels that the writer of a memory file provides. */
export type MemoryLabels = Pick<MemoryDescription, "backbone" | "block" | "tokenizer" | "texts">;

/** Describes a bank for its file. */
export function describeBank(bank: MemoryBank, labels: MemoryLabels): MemoryDescription {
  const { occupied, transcripts, config, shape: { heads, headDim } } = bank;
  const { chunkTokens, storage, bank: rows } = config;
  return {
    ...labels,
    memory: { chunkTokens, storage, bank: rows },
    banks: occupied.map(({ count }, i) => ({
      chunks: count,
      tokens: transcripts?.[i].tokens ?? 0,
    })),
    heads,
    headDim,
  };
}

/**
 * The bytes of a memory file, in parts. A bank of the host is read in place; of one on a GPU, one tensor at a time is copied to
 * the host.
 *
 * @param path Of the file, for messages.
 * @param bank To be left alone until the last part has been taken.
 * @param after Contents of the file so far: what is written is the part that follows.
 */
export async function* memoryFileParts(
  path: string,
  bank: MemoryBank,
  labels: MemoryLabels,
  after?: Pick<MemoryFile, "description" | "hash">,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  await bank.verify();
  const description = describeBank(bank, labels);
  const { backbone, block, tokenizer, texts, banks } = description;
  const metadata = {
    format,
    version,
    backbone,
    block: `${block}`,
    ...(tokenizer === undefined ? {} : { tokenizer }),
    memory: JSON.stringify(bank.config),
    texts: JSON.stringify(texts.slice(after?.description.texts.length ?? 0)),
    ...(after ? { previous: after.hash } : {}),
    tokens: JSON.stringify(banks.map(({ tokens }) => tokens)),
  };
  const hash = createHash("sha256");
  const tensors = new Map<string, WrittenTensor>();
  banks.forEach((_, i) => {
    const first = after?.description.banks[i].chunks ?? 0;
    const parts = partsOf(bank, i, first);
    for (const [name, form] of Object.entries(tensorForms(banks[i].chunks - first, description))) {
      const tensor = name as TensorName;
      tensors.set(nameOf(i, tensor), { ...form, parts: parts[tensor] });
    }
  });
  tensors.set(hashName, { dtype: "U8", shape: [32], parts: () => [] }); // follows below
  for await (const part of safetensorsStream(path, tensors, metadata)) {
    hash.update(part);
    yield part;
  }
  yield Uint8Array.from(hash.digest());
}

/** The bytes of the tensors of one bank, from its chunk `first` on. */
function partsOf(
  bank: MemoryBank,
  i: number,
  first: number,
): Record<TensorName, WrittenTensor["parts"]> {
  const { headDim: D, chunkTokens: c, capacityChunks: P } = bank.shape;
  const { start, count } = bank.occupied[i], transcript = bank.transcripts?.[i];
  const range = { start: start + first, count: count - first }, slots = slotsOf(range, P);
  const chunks = (name: BankTensorName, encode: (numbers: Float32Array) => BytesOf) => () =>
    chunkParts(bank, i, { name, range, encode });
  const encode = {
    float32: (numbers: Float32Array) => numbers,
    float16: (numbers: Float32Array) => Float16Array.from(numbers),
    int8: (numbers: Float32Array) => quantizeAll(numbers, D).codes,
  }[bank.config.storage];
  const scalesOf = (numbers: Float32Array) => quantizeAll(numbers, D).scales;
  return {
    meanKeys: chunks("meanKeys", (numbers) => numbers),
    ids() {
      const all = new Int32Array(slots.length * c);
      slots.forEach((slot, n) => all.set(transcript?.idsOf(slot) ?? [], n * c));
      return [bytesOf(all)];
    },
    positions: () => [
      bytesOf(Int32Array.from(slots, (slot) => transcript?.positionOf(slot) ?? 0)),
    ],
    keys: chunks("keys", encode),
    values: chunks("values", encode),
    keyScales: chunks("keys", scalesOf),
    valueScales: chunks("values", scalesOf),
  };
}

type BytesOf = Int32Array | Float32Array | Float16Array | Int8Array;

/** One table of a bank, encoded, in slices of chunks. */
async function* chunkParts(
  bank: MemoryBank,
  i: number,
  { name, range, encode }: {
    name: BankTensorName;
    range: SlotRange;
    encode: (numbers: Float32Array) => BytesOf;
  },
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const { heads: H, headDim: D, chunkTokens: c, capacityChunks: P } = bank.shape;
  const width = name === "meanKeys" ? D : c * D;
  for (const { start, end } of slices(range.count, 4 * H * width)) {
    const slots = { start: (range.start + start) % P, count: end - start };
    const read = await bank.storage.reader(name, i, slots);
    const part = new Float32Array(slots.count * H * width);
    for (let n = 0; n < slots.count; n++) {
      for (let h = 0; h < H; h++) read(h, n, part, (n * H + h) * width);
    }
    yield bytesOf(encode(part));
  }
}

/** Cuts rows of `rowBytes` bytes into slices. */
function* slices(rows: number, rowBytes: number): Generator<{ start: number; end: number }> {
  const count = Math.max(1, Math.floor(sliceBytes / rowBytes));
  for (let start = 0; start < rows; start += count) {
    yield { start, end: Math.min(rows, start + count) };
  }
}

function bytesOf(data: BytesOf): Uint8Array<ArrayBuffer> {
  return new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
}

/** An open memory file; close it with `using`. */
export interface MemoryFile extends Disposable {
  /** Path or name, for messages. */
  readonly path: string;
  /** The description that it contains. */
  readonly description: MemoryDescription;
  /** SHA-256 (hexadecimal) that its last part carries. */
  readonly hash: string;
  /** Bytes of its parts; those after it, of an addition that was cut off, count for nothing. */
  readonly sizeBytes: number;
  /** Token ids [N, c] and positions [N] of the chunks of a bank, the oldest first. */
  tokens(bank: number): Promise<{ readonly ids: Int32Array; readonly positions: Int32Array }>;
  /** The chunks of a bank in slices, the oldest first. */
  slices(bank: number): AsyncGenerator<ChunkSlice>;
}

/**
 * Opens a memory file and reads it once, to see that it is whole.
 *
 * @param source Its path, or its bytes.
 * @throws InputError where it is damaged, by the hash that it carries; TypeError where it is not a memory file.
 */
export async function openMemoryFile(source: string | Uint8Array): Promise<MemoryFile> {
  const bytes = typeof source === "string"
    ? await ByteFile.open(source, { mayChange: true })
    : bytesSource(source, "the bytes of a memory");
  try {
    const parts: Part[] = [];
    let sizeBytes = 0;
    do {
      const file = await openSafetensorsAt(bytes, sizeBytes);
      const description = describe(file), hash = await checkHash(file);
      checkFollows(file, description, parts.at(-1));
      parts.push({ file, description, hash });
      const { offset, lengthBytes } = file.entries.get(hashName)!;
      sizeBytes += offset + lengthBytes;
    } while (await beginsPart(bytes, sizeBytes));
    const descriptions = parts.map(({ description }) => description);
    return {
      path: bytes.path,
      description: {
        ...descriptions[0],
        texts: descriptions.flatMap(({ texts }) => texts),
        banks: descriptions.at(-1)!.banks.map(({ tokens }, i) => ({
          chunks: descriptions.reduce((sum, { banks }) => sum + banks[i].chunks, 0),
          tokens,
        })),
      },
      hash: parts.at(-1)!.hash,
      sizeBytes,
      slices: (bank) => readParts(parts, bank),
      tokens: (bank) => readTokens(parts, bank),
      [Symbol.dispose]: () => bytes[Symbol.dispose](),
    };
  } catch (error) {
    bytes[Symbol.dispose]();
    throw error;
  }
}

/** One of the safetensors that a memory file is made of. */
interface Part {
  readonly file: SafetensorsFile;
  readonly description: MemoryDescription;
  readonly hash: string;
}

/** Whether a complete part follows, including one that was written since the file was opened. */
async function beginsPart(bytes: ByteSource, offset: number): Promise<boolean> {
  await bytes.measure?.(); // an addition that failed has been cut off again
  if (bytes.sizeBytes < offset + 8) return false;
  const begins = (await bytes.read(offset, 8)).some((byte) => byte !== 0);
  if (begins) await bytes.measure?.();
  return begins;
}

/** Refuses a part that was written after another one than that before it. */
function checkFollows(
  file: SafetensorsFile,
  description: MemoryDescription,
  before: Part | undefined,
): void {
  const current = file.metadata.previous, allowed = before?.hash;
  const written = ({ backbone, block, tokenizer, memory, heads, headDim }: MemoryDescription) =>
    JSON.stringify([backbone, block, tokenizer, memory, heads, headDim]);
  const isAlike = !before || written(before.description) === written(description) &&
      before.description.banks.length === description.banks.length;
  if (current === allowed && isAlike) return;
  throw new InputError(
    `Cannot restore the memory of "${file.path}" as one of its parts does not continue the one before: ` +
      `current SHA-256 of that is ${current ?? "not given"}, allowed is ${allowed ?? "none"}`,
  );
}

async function* readParts(parts: readonly Part[], bank: number): AsyncGenerator<ChunkSlice> {
  let first = 0;
  for (const { file, description } of parts) {
    for await (const slice of readSlices(file, bank, description)) {
      yield { ...slice, first: first + slice.first };
    }
    first += description.banks[bank].chunks;
  }
}

async function readTokens(parts: readonly Part[], bank: number) {
  const read = async (tensor: TensorName) => {
    const rows: Int32Array<ArrayBuffer>[] = [];
    for (const { file, description: { banks } } of parts) {
      const range = { start: 0, count: banks[bank].chunks };
      rows.push(await file.readRows(nameOf(bank, tensor), range) as Int32Array<ArrayBuffer>);
    }
    return new Int32Array(await new Blob(rows).arrayBuffer());
  };
  return { ids: await read("ids"), positions: await read("positions") };
}

/**
 * Writes a memory file as a whole; a process that is killed on the way leaves the one that is there as it was.
 *
 * @returns The SHA-256 that it carries.
 */
export async function writeMemoryFile(
  path: string,
  bank: MemoryBank,
  labels: MemoryLabels,
): Promise<string> {
  let last = new Uint8Array();
  await writeAtomically(
    path,
    (async function* () {
      for await (const part of memoryFileParts(path, bank, labels)) yield last = part;
    })(),
  );
  return hexOf(last);
}

/**
 * Brings a memory file up to date: adds the chunks of a bank that it lacks to its end, where what it holds is the beginning of the bank
 * and is not written again; else writes it as a whole. A process that is killed on the way leaves the memory as it was, and of
 * processes that do so at the same time all but one fail.
 *
 * @param known SHA-256 that the file must still carry; absent: any.
 * @returns The SHA-256 that it carries now, and whether chunks were added.
 * @throws InputError where the file is damaged or cannot be written, carries another SHA-256, or another process writes it; TypeError
 * where it is not a memory file.
 */
export async function updateMemoryFile(
  path: string,
  bank: MemoryBank,
  labels: MemoryLabels,
  known?: string,
): Promise<{ readonly hash: string; readonly isAdded: boolean }> {
  return await writing(path, async () => {
    checkRegular(path, await stat(path)); // opening a pipe would wait for a reader
    using file = await open(path, { write: true });
    // Who has replaced the file since it was opened has left this lock to others.
    if (!await file.tryLock(true) || (await file.stat()).ino !== (await stat(path)).ino) {
      throw new InputError(`Cannot write "${path}" as another process is writing it`);
    }
    using before = await openMemoryFile(path);
    if (known !== undefined && before.hash !== known) {
      throw new InputError(
        `Cannot add to the memory "${path}" as another process has changed it since it was read: ` +
          `current SHA-256 is ${before.hash}, allowed is ${known}`,
      );
    }
    if (!await continues(bank, labels, before)) {
      return { hash: await writeMemoryFile(path, bank, labels), isAdded: false };
    }
    const start = before.sizeBytes;
    try {
      const parts = memoryFileParts(path, bank, labels, before);
      return { hash: await addPart(file, start, parts), isAdded: true };
    } catch (error) {
      // It counts for nothing, but may be what the disk has no room for.
      await file.truncate(start).catch(() => {});
      throw error;
    }
  });
}

/** Writes a part at the end of an open file; returns its SHA-256. */
async function addPart(
  file: OpenFile,
  start: number,
  parts: AsyncIterable<Uint8Array<ArrayBuffer>>,
): Promise<string> {
  let header: Uint8Array<ArrayBuffer> | undefined, last = new Uint8Array(), end = start;
  await file.seek(start, seekStart);
  for await (const part of parts) {
    if (!header) {
      header = part.slice(0, 8);
      part.fill(0, 0, 8);
    }
    await writeAll(file, part);
    end += part.length;
    last = part;
  }
  await file.truncate(end); // an earlier addition that was cut off may have left bytes behind it
  await file.syncData();
  await file.seek(start, seekStart);
  await writeAll(file, header!);
  await file.syncData();
  return hexOf(last);
}

/** Whether the oldest chunks of a bank are those of a file, by who wrote them, tokens and positions. */
async function continues(
  bank: MemoryBank,
  labels: MemoryLabels,
  { description, tokens }: MemoryFile,
): Promise<boolean> {
  const { banks: _banks, texts, ...writer } = describeBank(bank, labels);
  const { banks, texts: earlier, ...before } = description;
  const { chunkTokens: c, capacityChunks: P } = bank.shape;
  if (
    banks.length !== bank.shape.banks || !bank.transcripts ||
    !isDeepStrictEqual(writer, before) ||
    !isDeepStrictEqual(texts.slice(0, earlier.length), earlier)
  ) return false;
  for (const [i, { chunks }] of banks.entries()) {
    const slots = slotsOf(bank.occupied[i], P), transcript = bank.transcripts[i];
    if (slots.length < chunks) return false;
    const { ids, positions } = await tokens(i);
    for (let n = 0; n < chunks; n++) {
      if (transcript.positionOf(slots[n]) !== positions[n]) return false;
      const found = transcript.idsOf(slots[n]);
      if (found.some((id, j) => id !== ids[n * c + j])) return false;
    }
  }
  return true;
}

async function* readSlices(
  file: SafetensorsFile,
  bank: number,
  { banks, heads, headDim, memory: { chunkTokens, storage } }: MemoryDescription,
): AsyncGenerator<ChunkSlice> {
  const rowBytes = 4 * heads * chunkTokens * headDim;
  for (const { start, end } of slices(banks[bank].chunks, rowBytes)) {
    const read = async (tensor: TensorName) =>
      await file.readRows(nameOf(bank, tensor), { start, count: end - start });
    const table = async (name: TensorName, scales: TensorName) => {
      const numbers = await read(name);
      if (storage !== "int8") return numbers as Float32Array;
      return dequantizeAll(numbers, await read(scales) as Float32Array);
    };
    yield {
      first: start,
      keys: await table("keys", "keyScales"),
      values: await table("values", "valueScales"),
      meanKeys: await read("meanKeys") as Float32Array,
      ids: await read("ids") as Int32Array,
      positions: await read("positions") as Int32Array,
    };
  }
}

async function checkHash(file: SafetensorsFile): Promise<string> {
  const hash = createHash("sha256");
  for await (const part of file.bytesBefore(hashName)) hash.update(part);
  const found = hash.digest("hex");
  const bytes = (await file.readRows(hashName, { start: 0, count: 32 })) as Int32Array;
  const recorded = hexOf(bytes);
  if (found === recorded) return recorded;
  throw new InputError(
    `Cannot restore the memory of "${file.path}" as it is damaged: current SHA-256 of its bytes is ${found}, allowed is ${recorded}`,
  );
}

const count = z.int().nonnegative(), sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const json = <T extends z.ZodType>(form: T) =>
  z.string().transform((text, context) => {
    try {
      return JSON.parse(text) as unknown;
    } catch {
      context.addIssue({ code: "custom", message: "it is not JSON" });
      return z.NEVER;
    }
  }).pipe(form);

/** The metadata that are read. */
const metadataForm = z.object({
  backbone: sha256,
  block: z.string().regex(/^\d+$/).transform(Number),
  tokenizer: z.string().min(1).exactOptional(),
  memory: json(z.looseObject({
    chunkTokens: z.int().positive(),
    storage: z.enum(["float16", "float32", "int8"]),
    bank: z.enum(["shared", "per-row"]),
  })),
  texts: json(z.array(z.object({ name: z.string(), sha256, start: count, tokens: count }))),
  tokens: json(z.array(count).min(1)),
});

/** Reads and checks the description in a file. */
function describe(file: SafetensorsFile): MemoryDescription {
  const refuse = (reason: string) =>
    new InputTypeError(`Cannot restore the memory of "${file.path}" as ${reason}`);
  const { format: foundFormat, version: foundVersion } = file.metadata;
  if (foundFormat !== format) {
    throw refuse(
      `it is not a memory file, as remember and saveMemory() write it: current format is ${
        foundFormat === undefined ? "not given" : JSON.stringify(foundFormat.slice(0, 80))
      }, allowed is "${format}"`,
    );
  }
  if (foundVersion !== version) {
    throw refuse(`its version is another: current is ${foundVersion}, allowed is ${version}`);
  }
  const parsed = metadataForm.safeParse(file.metadata);
  if (!parsed.success) {
    const [{ path, message }] = parsed.error.issues;
    throw refuse(`its metadata are malformed: ${path.join(".")}: ${message}`);
  }
  const { tokens, memory, ...rest } = parsed.data;
  const { chunkTokens, storage, bank } = memory;
  const shapeOf = (name: string) => file.entries.get(name)?.shape ?? [];
  const [, heads = 0, headDim = 0] = shapeOf(nameOf(0, "meanKeys"));
  const banks = tokens.map((tokens, i) => ({
    chunks: shapeOf(nameOf(i, "ids"))[0] ?? 0,
    tokens,
  }));
  const description = { ...rest, memory: { chunkTokens, storage, bank }, banks, heads, headDim };
  const expected = new Map<string, TensorForm>([[hashName, { dtype: "U8", shape: [32] }]]);
  banks.forEach(({ chunks }, i) => {
    for (const [name, form] of Object.entries(tensorForms(chunks, description))) {
      expected.set(nameOf(i, name as TensorName), form);
    }
  });
  for (const [name, { dtype, shape }] of expected) {
    const entry = file.entries.get(name);
    if (entry?.dtype === dtype && `${entry.shape}` === `${shape}`) continue;
    throw refuse(
      `its tensor "${name}" must be ${dtype} [${shape}]: current is ${
        entry ? `${entry.dtype} [${entry.shape}]` : "none"
      }`,
    );
  }
  if ([...file.entries.keys()].at(-1) !== hashName) {
    throw refuse(`its last tensor must be "${hashName}"`);
  }
  return description;
}
