/**
 * Tar archives (POSIX ustar and pax), as packages of the npm registry are: regular files alone. Links, devices and folders are
 * skipped, and nothing is written to the disk, so that an archive can touch no path.
 */
import { InputRangeError } from "../errors.ts";

/** A regular file of an archive. */
export interface TarFile {
  /** Path as the archive names it. */
  readonly path: string;
  /** Its bytes, a part of the archive's. */
  readonly bytes: Uint8Array;
}

const blockBytes = 512;

/**
 * Iterates over the regular files of an archive, in its order.
 *
 * @param name Name of the archive, for errors.
 * @throws {RangeError} If it is cut off or its headers are damaged.
 */
export function* tarFiles(archive: Uint8Array, name: string): Generator<TarFile> {
  let longPath: string | undefined;
  for (let at = 0; at < archive.length;) {
    const header = archive.subarray(at, at + blockBytes);
    if (header.every((byte) => byte === 0)) return; // the end, or padding after it
    if (header.length < blockBytes) fail(name, `it is cut off in the header at byte ${at}`);
    if (!hasRightSum(header)) fail(name, `the header at byte ${at} has another checksum`);
    const size = octal(header.subarray(124, 136));
    const start = at + blockBytes;
    if (!Number.isSafeInteger(size) || start + size > archive.length) {
      fail(name, `it is cut off in the file at byte ${at}`);
    }
    const bytes = archive.subarray(start, start + size);
    at = start + Math.ceil(size / blockBytes) * blockBytes;
    const kind = String.fromCharCode(header[156]);
    if (kind === "x") longPath = paxPath(bytes) ?? longPath;
    else if (kind === "L") longPath = string(bytes); // GNU
    else if (kind !== "g") {
      const path = longPath ?? ustarPath(header);
      longPath = undefined;
      if (kind === "0" || kind === "\0" || kind === "7") yield { path, bytes };
    }
  }
}

/** The sum of the header's bytes, its own field taken as blanks. */
function hasRightSum(header: Uint8Array): boolean {
  const sum = header.reduce((sum, byte, i) => sum + (i >= 148 && i < 156 ? 32 : byte), 0);
  return sum === octal(header.subarray(148, 156));
}

function ustarPath(header: Uint8Array): string {
  const name = string(header.subarray(0, 100));
  const isUstar = string(header.subarray(257, 262)) === "ustar";
  const prefix = isUstar ? string(header.subarray(345, 500)) : "";
  return prefix === "" ? name : `${prefix}/${name}`;
}

/** The path among the records "LENGTH KEY=VALUE\n" of an extended header. */
function paxPath(records: Uint8Array): string | undefined {
  let path: string | undefined;
  for (let at = 0; at < records.length;) {
    const blank = records.indexOf(32, at);
    const length = Number(string(records.subarray(at, blank)));
    if (blank < 0 || !(length > 0)) break;
    const record = string(records.subarray(blank + 1, at + length - 1));
    if (record.startsWith("path=")) path = record.slice("path=".length);
    at += length;
  }
  return path;
}

function octal(field: Uint8Array): number {
  const digits = string(field).trim();
  return /^[0-7]+$/.test(digits) ? parseInt(digits, 8) : NaN;
}

/** The text up to the first zero byte. */
function string(field: Uint8Array): string {
  const end = field.indexOf(0);
  return new TextDecoder().decode(end < 0 ? field : field.subarray(0, end));
}

function fail(name: string, reason: string): never {
  throw new InputRangeError(`Cannot read tar archive "${name}" as ${reason}`);
}
