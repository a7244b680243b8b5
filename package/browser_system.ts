/** {@link ../src/system.ts} for browsers: paths are addresses, read by fetch, or lead into provided files; nothing is written. */
import type { ScratchFile } from "../src/scratch_file.ts";
import { sha256 } from "npm:@noble/hashes@2.4.0/sha2.js";
import {
  fileInfo,
  type FolderEntry,
  folderInfo,
  openBlob,
  type OpenFile,
  type OpenOptions,
  type PathInfo,
} from "../src/open_file.ts";
import { checksumBy } from "../src/formats/crc32c.ts";
import { isProvided, providedFile, providedFolder } from "../src/provided_files.ts";

/** A file or folder is missing. */
export class NotFound extends Error {
  override readonly name: string = "NotFound";
  readonly code: string = "ENOENT";
}

/** A part of a path is a file; of addresses it never is. */
export class NotADirectory extends Error {}

/** The program was not given the permission; browsers do not say so. */
export class NotCapable extends Error {}

/** A hash that takes its input in parts; browsers' own takes it at once, and only without waiting for it. */
class Sha256 {
  readonly #hash = sha256.create();

  update(content: string | Uint8Array): this {
    this.#hash.update(typeof content === "string" ? new TextEncoder().encode(content) : content);
    return this;
  }

  digest(): Uint8Array<ArrayBuffer>;
  digest(encoding: "hex"): string;
  digest(encoding?: "hex"): Uint8Array<ArrayBuffer> | string {
    const bytes = Uint8Array.from(this.#hash.digest());
    if (!encoding) return bytes;
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }
}

/** Starts a hash. */
export function createHash(_algorithm: "sha256"): Sha256 {
  return new Sha256();
}

/** CRC-32, as zip archives have it. */
export const crc32: (bytes: Uint8Array) => number = checksumBy(0xedb88320);

/** Whether two values of JSON are equal. */
export function isDeepStrictEqual(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  const keys = Object.keys(a);
  return Array.isArray(a) === Array.isArray(b) && keys.length === Object.keys(b).length &&
    keys.every((key) =>
      Object.hasOwn(b, key) &&
      isDeepStrictEqual((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key])
    );
}

/** The folder of a path or address. */
export function dirname(path: string): string {
  return path.includes("/") ? path.replace(/\/[^/]*\/*$/, "") || "/" : ".";
}

/** Parts of a path or address put together. */
export function join(...parts: readonly string[]): string {
  return parts.map((part, i) => i === 0 ? part.replace(/\/+$/, "") : part).join("/");
}

/** There are no processes. */
export const processId = 0;

/** An address whose last part has no ending leads to a folder: servers do not say. */
function isFolderName(path: string): boolean {
  return !/^(blob|data):/.test(path) && !/\.[^./]+$/.test(path.split(/[?#]/)[0]);
}

/** The file or folder that a path leads to. */
export async function stat(path: string): Promise<PathInfo> {
  const file = providedFile(path);
  if (file) return fileInfo(file.size);
  if (providedFolder(path)) return folderInfo;
  if (!isProvided(path) && isFolderName(path)) return folderInfo;
  return fileInfo((await fetched(path)).size);
}

/** Files that are still in use somewhere, as one is often opened several times. */
const fetches = new Map<string, WeakRef<Blob>>();

async function fetched(path: string): Promise<Blob> {
  const earlier = fetches.get(path)?.deref();
  if (earlier) return earlier;
  if (isProvided(path)) throw new NotFound(`there is no provided file ${path}`);
  const response = await fetch(path);
  if (response.status === 404 || response.status === 410) {
    throw new NotFound(`the server has no ${path}`);
  }
  if (!response.ok) throw new Error(`the server answers ${response.status}`);
  const blob = await response.blob();
  fetches.set(path, new WeakRef(blob));
  return blob;
}

/** Opens a file for reading. */
export async function open(path: string, options: OpenOptions): Promise<OpenFile> {
  if (options.write) return await refuse();
  return openBlob(providedFile(path) ?? await fetched(path));
}

/** The entries of a provided folder; those of an address are not known. */
export async function* readDir(path: string): AsyncGenerator<FolderEntry> {
  for (const name of await providedFolder(path)?.keys() ?? []) yield { name, isDirectory: false };
}

function refuse(): Promise<never> {
  return Promise.reject(
    new Error("a browser has no file system: memoryBytes() returns what would be in a memory file"),
  );
}

/** Refused, as below. */
export const rename: (from: string, to: string) => Promise<void> = refuse;

/** Refused. */
export const remove: (path: string) => Promise<void> = refuse;

/** Refused. */
export const makeFolders: (path: string) => Promise<void> = refuse;

/**
 * Uncompresses gzip data.
 *
 * @returns undefined where it is more than `maxBytes`.
 */
export async function gunzip(
  bytes: Uint8Array<ArrayBuffer>,
  maxBytes: number,
): Promise<Uint8Array | undefined> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    length += value.length;
    if (length > maxBytes) {
      await reader.cancel();
      return undefined;
    }
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

/** Uncompresses gzip data in parts. */
export function gunzipParts(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
): AsyncIterable<Uint8Array<ArrayBuffer>> {
  return stream.pipeThrough(new DecompressionStream("gzip"));
}

/** There is no environment. */
export function environmentVariable(_variable: string): string | undefined {
  return undefined;
}

/** Unknown. */
export function machineMemoryBytes(): number | undefined {
  return undefined;
}

/** Unknown. */
export function processorName(): string | undefined {
  return undefined;
}

/** The interface of WebGPU; undefined where there is none. */
export function webGpu(): GPU | undefined {
  return globalThis.navigator?.gpu;
}

/** Cores of this machine. */
export function machineCores(): number {
  return navigator.hardwareConcurrency;
}

/** Arrays in files are mapped by Deno only. */
export function mapScratchFile(_bytes: number, _folder: string): ScratchFile {
  throw new Error("only Deno on Linux maps files");
}
