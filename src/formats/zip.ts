/**
 * Zip archives as torch writes them: stored entries (not compressed), with the 64-bit extension for
 * sizes beyond 4 GiB. Only the directory is read at first; entries are read by range.
 */
import { crc32 } from "../system.ts";
import type { ByteSource } from "./byte_file.ts";
import { InputRangeError } from "../errors.ts";
import {
  DIRECTORY_ENTRY,
  END,
  END_64,
  END_LOCATOR_64,
  IN_EXTENSION,
  LOCAL_HEADER,
} from "./zip_records.ts";

/** One stored entry of an archive. */
export interface ZipEntry {
  /** Name, with its folders. */
  readonly name: string;
  /** Offset of its local header in the file. */
  readonly headerOffset: number;
  /** Length of its bytes. */
  readonly lengthBytes: number;
  /** CRC-32 of its bytes; absent where the archive has no checksums. */
  readonly crc?: number;
}

/** A comment of the archive is at most this long. */
const MAX_COMMENT_BYTES = 0xffff;

/** A checkpoint has hundreds of entries; a directory of a size like this is hostile. */
const MAX_DIRECTORY_BYTES = 2 ** 26;

/** Reads the directory of an archive: entries by name. Damage and compressed entries are errors that name the file. */
export async function readZipDirectory(file: ByteSource): Promise<Map<string, ZipEntry>> {
  const { count, offset, lengthBytes } = await findDirectory(file);
  if (lengthBytes > MAX_DIRECTORY_BYTES) {
    throw refuse(
      file,
      `its directory has ${lengthBytes} bytes, allowed are ${MAX_DIRECTORY_BYTES}`,
    );
  }
  const bytes = await file.read(offset, lengthBytes);
  const view = new DataView(bytes.buffer);
  const entries = new Map<string, ZipEntry>();
  let at = 0, hasChecksums = false;
  for (let i = 0; i < count; i++) {
    if (
      at + DIRECTORY_ENTRY.bytes > lengthBytes ||
      view.getUint32(at, true) !== DIRECTORY_ENTRY.signature
    ) {
      throw refuse(file, `its directory is damaged: expected ${count} entries, found ${i}`);
    }
    const nameBytes = view.getUint16(at + 28, true);
    const extraBytes = view.getUint16(at + 30, true);
    const extraStart = at + DIRECTORY_ENTRY.bytes + nameBytes;
    const next = extraStart + extraBytes + view.getUint16(at + 32, true);
    if (next > lengthBytes) throw refuse(file, `entry ${i} of its directory runs past the end`);
    const name = new TextDecoder().decode(bytes.subarray(at + DIRECTORY_ENTRY.bytes, extraStart));
    const wide = extension64(view, extraStart, extraStart + extraBytes);
    // The extension holds only the fields that are marked, in this order.
    const field = (value: number) => value === IN_EXTENSION.bits32 ? wide() : value;
    const fullBytes = field(view.getUint32(at + 24, true));
    const storedBytes = field(view.getUint32(at + 20, true));
    const headerOffset = field(view.getUint32(at + 42, true));
    const flags = view.getUint16(at + 8, true), method = view.getUint16(at + 10, true);
    if (method !== 0 || (flags & 1) !== 0 || fullBytes !== storedBytes) {
      const kind = (flags & 1) !== 0 ? "encrypted" : "compressed";
      throw refuse(
        file,
        `entry "${name}" is ${kind} (method ${method}): allowed are stored entries`,
      );
    }
    if (headerOffset + LOCAL_HEADER.bytes + fullBytes > offset) {
      throw refuse(
        file,
        `entry "${name}" of ${fullBytes} bytes at ${headerOffset} runs into the directory at ${offset}`,
      );
    }
    if (entries.has(name)) throw refuse(file, `entry "${name}" occurs twice`);
    const crc = view.getUint32(at + 16, true);
    hasChecksums ||= crc !== 0;
    entries.set(name, { name, headerOffset, lengthBytes: fullBytes, crc });
    at = next;
  }
  if (at !== lengthBytes) {
    throw refuse(file, `its directory is damaged: expected ${at} bytes, found ${lengthBytes}`);
  }
  checkOverlap(file, entries.values());
  // torch leaves all of them 0 after torch.serialization.set_crc32_options(False).
  if (hasChecksums) return entries;
  return new Map([...entries].map(([name, { crc: _, ...entry }]) => [name, entry]));
}

/** Reads a range of an entry; a whole entry is checked against its CRC-32, where the archive has checksums. */
export async function readZipEntry(
  file: ByteSource,
  entry: ZipEntry,
  range: { offset: number; lengthBytes: number } = { offset: 0, lengthBytes: entry.lengthBytes },
): Promise<Uint8Array<ArrayBuffer>> {
  const header = new DataView((await file.read(entry.headerOffset, LOCAL_HEADER.bytes)).buffer);
  if (header.getUint32(0, true) !== LOCAL_HEADER.signature) {
    throw refuse(file, `entry "${entry.name}" does not start at byte ${entry.headerOffset}`);
  }
  // The local extra field differs from the directory's: torch pads it so that the data is aligned.
  const start = entry.headerOffset + LOCAL_HEADER.bytes +
    header.getUint16(26, true) + header.getUint16(28, true);
  if (range.offset < 0 || range.offset + range.lengthBytes > entry.lengthBytes) {
    throw refuse(
      file,
      `entry "${entry.name}" has ${entry.lengthBytes} bytes: bytes ${range.offset} to ` +
        `${range.offset + range.lengthBytes} are needed`,
    );
  }
  const bytes = await file.read(start + range.offset, range.lengthBytes);
  if (
    entry.crc !== undefined && range.lengthBytes === entry.lengthBytes &&
    crc32(bytes) !== entry.crc
  ) {
    throw refuse(
      file,
      `the bytes of entry "${entry.name}" are damaged: expected CRC-32 ${hex(entry.crc)}, ` +
        `found ${hex(crc32(bytes))}`,
    );
  }
  return bytes;
}

/** Refuses entries of which one lies within another: archives that unpack to more than they are. */
function checkOverlap(file: ByteSource, entries: Iterable<ZipEntry>): void {
  const inOrder = [...entries].sort((a, b) => a.headerOffset - b.headerOffset);
  for (let i = 1; i < inOrder.length; i++) {
    const { name, headerOffset, lengthBytes } = inOrder[i - 1];
    if (headerOffset + LOCAL_HEADER.bytes + lengthBytes > inOrder[i].headerOffset) {
      throw refuse(file, `its entries "${name}" and "${inOrder[i].name}" overlap`);
    }
  }
}

async function findDirectory(
  file: ByteSource,
): Promise<{ count: number; offset: number; lengthBytes: number }> {
  const tailBytes = Math.min(file.sizeBytes, END.bytes + MAX_COMMENT_BYTES);
  const tailStart = file.sizeBytes - tailBytes;
  const tail = new DataView((await file.read(tailStart, tailBytes)).buffer);
  let at = tailBytes - END.bytes;
  // The comment's length must lead exactly to the end, or the signature is part of some data.
  while (
    at >= 0 &&
    !(tail.getUint32(at, true) === END.signature &&
      at + END.bytes + tail.getUint16(at + 20, true) === tailBytes)
  ) at--;
  if (at < 0) {
    throw new InputRangeError(
      `Cannot read "${file.path}" as it is truncated: a zip archive ends with its directory, ` +
        `and none is found in its ${file.sizeBytes} bytes`,
    );
  }
  let end = tailStart + at;
  let count = tail.getUint16(at + 10, true);
  let lengthBytes = tail.getUint32(at + 12, true);
  let offset = tail.getUint32(at + 16, true);
  const hasLocator = at >= END_LOCATOR_64.bytes &&
    tail.getUint32(at - END_LOCATOR_64.bytes, true) === END_LOCATOR_64.signature;
  if (hasLocator) {
    const end64 = Number(tail.getBigUint64(at - END_LOCATOR_64.bytes + 8, true));
    const record = new DataView((await file.read(end64, END_64.bytes)).buffer);
    if (record.getUint32(0, true) !== END_64.signature) {
      throw refuse(file, `its 64-bit directory is not at byte ${end64}, where it should be`);
    }
    count = Number(record.getBigUint64(32, true));
    lengthBytes = Number(record.getBigUint64(40, true));
    offset = Number(record.getBigUint64(48, true));
    end = end64;
  } else if (
    count === IN_EXTENSION.bits16 || lengthBytes === IN_EXTENSION.bits32 ||
    offset === IN_EXTENSION.bits32
  ) {
    throw refuse(file, "its directory refers to a 64-bit extension that is missing");
  }
  if (offset + lengthBytes !== end) {
    throw refuse(
      file,
      `its directory is misplaced: expected an end at byte ${end}, found ${offset + lengthBytes}`,
    );
  }
  return { count, offset, lengthBytes };
}

/** Gives the 64-bit fields of an entry's extension one after the other. */
function extension64(view: DataView, start: number, end: number): () => number {
  let at = start, fieldsEnd = start;
  for (let record = start; record + 4 <= end;) {
    const dataEnd = record + 4 + view.getUint16(record + 2, true);
    if (view.getUint16(record, true) === 1 && dataEnd <= end) {
      at = record + 4;
      fieldsEnd = dataEnd;
      break;
    }
    record = dataEnd;
  }
  return () => {
    // Without the extension, the marked value stands for itself and fails the checks against the file.
    if (at + 8 > fieldsEnd) return IN_EXTENSION.bits32;
    at += 8;
    return Number(view.getBigUint64(at - 8, true));
  };
}

function refuse(file: ByteSource, reason: string): RangeError {
  return new InputRangeError(`Cannot read zip archive "${file.path}" as ${reason}`);
}

function hex(value: number): string {
  return value.toString(16).padStart(8, "0");
}
