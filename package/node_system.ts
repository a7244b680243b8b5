/** {@link ../src/system.ts} for Node: the same names by Node's modules. */
import type { Stats } from "node:fs";
import * as files from "node:fs/promises";
import { availableParallelism, cpus, totalmem } from "node:os";
import process from "node:process";
import {
  fileInfo,
  type FolderEntry,
  folderInfo,
  openBlob,
  type OpenFile,
  type OpenOptions,
  type PathInfo,
} from "../src/open_file.ts";
import { providedFile, providedFolder } from "../src/provided_files.ts";
import type { ScratchFile } from "../src/scratch_file.ts";

export { createHash } from "node:crypto";
export { dirname, join } from "node:path";
export { isDeepStrictEqual } from "node:util";
export { crc32 } from "node:zlib";
export { gunzip, gunzipParts } from "../src/inflation.ts";

/** A file or folder is missing. */
export class NotFound extends Error {
  override readonly name: string = "NotFound";
}

/** A part of a path is a file. */
export class NotADirectory extends Error {
  override readonly name: string = "NotADirectory";
}

/** The program was not given the permission; Node's permissions report `ERR_ACCESS_DENIED`. */
export class NotCapable extends Error {
  override readonly name: string = "NotCapable";
}

const classes: Readonly<Record<string, typeof NotFound>> = {
  ENOENT: NotFound,
  ENOTDIR: NotADirectory,
};

/** Waits for a call of Node's and gives its errors their classes; they keep their codes. */
async function classified<T>(result: Promise<T>): Promise<T> {
  try {
    return await result;
  } catch (error) {
    const { code, message } = error as Error & { code?: string };
    const Class = classes[code ?? ""];
    throw Class ? Object.assign(new Class(message, { cause: error }), { code }) : error;
  }
}

/** Number of this process, for the names of its temporary files. */
export const processId: number = process.pid;

/** The file or folder that a path leads to, links followed. */
export async function stat(path: string): Promise<PathInfo> {
  const file = providedFile(path);
  if (file) return fileInfo(file.size);
  return providedFolder(path) ? folderInfo : infoOf(await classified(files.stat(path)));
}

function infoOf(stats: Stats): PathInfo {
  return {
    isFile: stats.isFile(),
    isDirectory: stats.isDirectory(),
    size: stats.size,
    mtime: stats.mtime,
    isFifo: stats.isFIFO(),
    isSocket: stats.isSocket(),
    isCharDevice: stats.isCharacterDevice(),
    isBlockDevice: stats.isBlockDevice(),
    ino: stats.ino,
  };
}

/** Opens a file. */
export async function open(path: string, options: OpenOptions): Promise<OpenFile> {
  const file = providedFile(path);
  if (file) return openBlob(file);
  return openHandle(
    await classified(files.open(path, options.write ? options.create ? "w" : "r+" : "r")),
  );
}

function openHandle(handle: files.FileHandle): OpenFile {
  let position = 0;
  // Errors of closing are of no use: what was written has been awaited before.
  const close = () => void handle.close().catch(() => {});
  return {
    stat: async () => infoOf(await handle.stat()),
    seek: (offset) => Promise.resolve(position = offset),
    async read(into) {
      const { bytesRead } = await handle.read(into, 0, into.length, position);
      position += bytesRead;
      return bytesRead === 0 && into.length > 0 ? null : bytesRead;
    },
    async write(bytes) {
      const { bytesWritten } = await handle.write(bytes, 0, bytes.length, position);
      position += bytesWritten;
      return bytesWritten;
    },
    truncate: (length) => handle.truncate(length),
    tryLock: () => Promise.resolve(true),
    syncData: () => handle.datasync(),
    get readable() {
      return readableOf(handle, close);
    },
    close,
    [Symbol.dispose]: close,
  };
}

/** All bytes of a file, which is closed behind the last. Node's own streams close none before version 24. */
function readableOf(handle: files.FileHandle, close: () => void): OpenFile["readable"] {
  let position = 0;
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      const bytes = new Uint8Array(2 ** 16);
      try {
        const { bytesRead } = await handle.read(bytes, 0, bytes.length, position);
        position += bytesRead;
        if (bytesRead > 0) return controller.enqueue(bytes.subarray(0, bytesRead));
      } catch (error) {
        close();
        throw error;
      }
      close();
      controller.close();
    },
    cancel: close,
  });
}

/** The entries of a folder. */
export async function* readDir(path: string): AsyncGenerator<FolderEntry> {
  const folder = providedFolder(path);
  const entries = folder ? [] : await classified(files.readdir(path, { withFileTypes: true }));
  for (const entry of entries) yield { name: entry.name, isDirectory: entry.isDirectory() };
  for (const name of folder?.keys() ?? []) yield { name, isDirectory: false };
}

/** Gives a file another name. */
export function rename(from: string, to: string): Promise<void> {
  return classified(files.rename(from, to));
}

/** Removes a file. */
export function remove(path: string): Promise<void> {
  return classified(files.rm(path));
}

/** Makes a folder and those that it is in. */
export async function makeFolders(path: string): Promise<void> {
  await classified(files.mkdir(path, { recursive: true }));
}

/** Value of an environment variable; undefined where it is unset or empty. */
export function environmentVariable(variable: string): string | undefined {
  return process.env[variable] || undefined;
}

/** Bytes of memory of this machine. */
export function machineMemoryBytes(): number {
  return totalmem();
}

/** Name of the processor; undefined where the system does not say. */
export function processorName(): string | undefined {
  return cpus()[0]?.model;
}

/** The interface of WebGPU, which Deno has; Node has none. */
export function webGpu(): GPU | undefined {
  return globalThis.navigator?.gpu;
}

/** Cores that this process may use. */
export function machineCores(): number {
  return availableParallelism();
}

/** Arrays in files are mapped by Deno only. */
export function mapScratchFile(_bytes: number, _folder: string): ScratchFile {
  throw new Error("only Deno on Linux maps files");
}
