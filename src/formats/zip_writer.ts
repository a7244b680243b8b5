/**
 * Writes zip archives as torch does: stored entries, whose bytes begin at multiples of 64, with the 64-bit extension where the
 * archive needs it.
 */
import { crc32 } from "node:zlib";
import {
  DIRECTORY_ENTRY,
  END,
  END_64,
  END_LOCATOR_64,
  IN_EXTENSION,
  LOCAL_HEADER,
} from "./zip_records.ts";

export interface NewZipEntry {
  /** Name, with its folders. */
  readonly name: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Bytes of an entry begin at a multiple of this, so that a program may map them into its memory. */
const ALIGNMENT = 64;

/** The earliest day that the format knows, so that equal contents are equal archives. */
const DATE = 0x21;

/**
 * Writes entries in order, in parts.
 *
 * @param start Offset of the first part in the file, for tests of large archives.
 */
export function* zipParts(
  entries: Iterable<NewZipEntry>,
  start = 0,
): Generator<Uint8Array<ArrayBuffer>> {
  let offset = start;
  const directory: Uint8Array<ArrayBuffer>[] = [];
  for (const entry of entries) {
    const name = new TextEncoder().encode(entry.name), { bytes } = entry, crc = crc32(bytes);
    const extra = LOCAL_HEADER.bytes + name.length, extraEnd = offset + extra + 4;
    const padding = (ALIGNMENT - extraEnd % ALIGNMENT) % ALIGNMENT;
    const header = record(extra + 4 + padding, (view) => {
      view.setUint32(0, LOCAL_HEADER.signature, true);
      common(view, 4, crc, bytes.length);
      view.setUint16(26, name.length, true);
      view.setUint16(28, 4 + padding, true);
      view.setUint16(extra, 0x4246, true); // "FB": padding, as torch marks it
      view.setUint16(extra + 2, padding, true);
    });
    header.set(name, LOCAL_HEADER.bytes);
    directory.push(directoryEntry(name, { crc, lengthBytes: bytes.length, offset }));
    yield header;
    yield bytes;
    offset += header.length + bytes.length;
  }
  const lengthBytes = directory.reduce((sum, { length }) => sum + length, 0);
  yield* directory;
  const isLarge = offset + lengthBytes >= IN_EXTENSION.bits32 ||
    directory.length >= IN_EXTENSION.bits16;
  if (isLarge) yield largeEnd({ count: directory.length, lengthBytes, offset });
  yield record(END.bytes, (view) => {
    view.setUint32(0, END.signature, true);
    for (const at of [8, 10]) {
      view.setUint16(at, Math.min(directory.length, IN_EXTENSION.bits16), true);
    }
    view.setUint32(12, Math.min(lengthBytes, IN_EXTENSION.bits32), true);
    view.setUint32(16, Math.min(offset, IN_EXTENSION.bits32), true);
  });
}

/** An entry of the directory at the end. */
function directoryEntry(
  name: Uint8Array,
  { crc, lengthBytes, offset }: {
    readonly crc: number;
    readonly lengthBytes: number;
    readonly offset: number;
  },
): Uint8Array<ArrayBuffer> {
  const isFar = offset >= IN_EXTENSION.bits32, extra = DIRECTORY_ENTRY.bytes + name.length;
  const entry = record(extra + (isFar ? 12 : 0), (view) => {
    view.setUint32(0, DIRECTORY_ENTRY.signature, true);
    view.setUint16(4, isFar ? 45 : 20, true);
    common(view, 6, crc, lengthBytes);
    view.setUint16(28, name.length, true);
    view.setUint16(30, isFar ? 12 : 0, true);
    view.setUint32(42, isFar ? IN_EXTENSION.bits32 : offset, true);
    if (!isFar) return;
    view.setUint16(extra, 1, true);
    view.setUint16(extra + 2, 8, true);
    view.setBigUint64(extra + 4, BigInt(offset), true);
  });
  entry.set(name, DIRECTORY_ENTRY.bytes);
  return entry;
}

/** The 64-bit end of the directory, and its locator. */
function largeEnd(
  { count, lengthBytes, offset }: {
    readonly count: number;
    readonly lengthBytes: number;
    readonly offset: number;
  },
): Uint8Array<ArrayBuffer> {
  return record(END_64.bytes + END_LOCATOR_64.bytes, (view) => {
    view.setUint32(0, END_64.signature, true);
    view.setBigUint64(4, 44n, true);
    view.setUint16(12, 45, true);
    view.setUint16(14, 45, true);
    for (const at of [24, 32]) view.setBigUint64(at, BigInt(count), true);
    view.setBigUint64(40, BigInt(lengthBytes), true);
    view.setBigUint64(48, BigInt(offset), true);
    view.setUint32(END_64.bytes, END_LOCATOR_64.signature, true);
    view.setBigUint64(END_64.bytes + 8, BigInt(offset + lengthBytes), true);
    view.setUint32(END_64.bytes + 16, 1, true);
  });
}

/** Fields that the two headers of an entry share, from its version on. */
function common(view: DataView, at: number, crc: number, lengthBytes: number): void {
  view.setUint16(at, 20, true);
  view.setUint16(at + 8, DATE, true);
  view.setUint32(at + 10, crc, true);
  view.setUint32(at + 14, lengthBytes, true);
  view.setUint32(at + 18, lengthBytes, true);
}

function record(lengthBytes: number, fill: (view: DataView) => void): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(lengthBytes);
  fill(new DataView(bytes.buffer));
  return bytes;
}
