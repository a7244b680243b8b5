/**
 * The system below the library part of the program: files, hashes, environment, hardware. Here by Deno; the npm package has the
 * same names for Node (`package/node_system.ts`) and for browsers (`package/browser_system.ts`).
 */
import { cpus, totalmem } from "node:os";
import {
  fileInfo,
  type FolderEntry,
  folderInfo,
  openBlob,
  type OpenFile,
  type OpenOptions,
  type PathInfo,
} from "./open_file.ts";
import { providedFile, providedFolder } from "./provided_files.ts";

export { createHash } from "node:crypto";
export { dirname, join } from "node:path";
export { isDeepStrictEqual } from "node:util";
export { crc32 } from "node:zlib";
export { gunzip, gunzipParts } from "./inflation.ts";
export { mapScratchFile, type ScratchFile } from "./scratch_file.ts";

/** A file or folder is missing. */
export const NotFound: typeof Deno.errors.NotFound = Deno.errors.NotFound;

/** A part of a path is a file. */
export const NotADirectory: typeof Deno.errors.NotADirectory = Deno.errors.NotADirectory;

/** The program was not given the permission. */
export const NotCapable: typeof Deno.errors.NotCapable = Deno.errors.NotCapable;

/** Number of this process, for the names of its temporary files. */
export const processId: number = Deno.pid;

/** The file or folder that a path leads to, links followed. */
export async function stat(path: string): Promise<PathInfo> {
  const file = providedFile(path);
  if (file) return fileInfo(file.size);
  return providedFolder(path) ? folderInfo : await Deno.stat(path);
}

/** Opens a file. */
export async function open(path: string, options: OpenOptions): Promise<OpenFile> {
  const file = providedFile(path);
  return file ? openBlob(file) : await Deno.open(path, options);
}

/** The entries of a folder. */
export async function* readDir(path: string): AsyncGenerator<FolderEntry> {
  const folder = providedFolder(path);
  if (!folder) yield* Deno.readDir(path);
  for (const name of folder?.keys() ?? []) yield { name, isDirectory: false };
}

/** Gives a file another name. */
export function rename(from: string, to: string): Promise<void> {
  return Deno.rename(from, to);
}

export function remove(path: string): Promise<void> {
  return Deno.remove(path);
}

/** Makes a folder and those that it is in. */
export function makeFolders(path: string): Promise<void> {
  return Deno.mkdir(path, { recursive: true });
}

/** Value of an environment variable; undefined where it is unset, empty, or may not be read, as a prompt would stop a run. */
export function environmentVariable(variable: string): string | undefined {
  const { state } = Deno.permissions.querySync({ name: "env", variable });
  return state === "granted" ? Deno.env.get(variable) || undefined : undefined;
}

/** Bytes of memory of this machine; undefined where the program may not know them. */
export function machineMemoryBytes(): number | undefined {
  // Programs that do not grant it are not asked for it.
  const { state } = Deno.permissions.querySync({ name: "sys", kind: "systemMemoryInfo" });
  return state === "granted" ? totalmem() : undefined;
}

/** Name of the processor; undefined where the system does not say. */
export function processorName(): string | undefined {
  return cpus()[0]?.model;
}

/** The interface of WebGPU; undefined where there is none. */
export function webGpu(): GPU | undefined {
  nameRuntimeFolder();
  return navigator.gpu;
}

/** Where nothing names a folder for the sockets of a desktop, Mesa prints an error to stderr, although it needs none here. */
function nameRuntimeFolder(): void {
  const name = "env", variable = "XDG_RUNTIME_DIR";
  if (Deno.build.os !== "linux") return;
  // Programs that do not grant the variable are not asked for it.
  if (Deno.permissions.querySync({ name, variable }).state !== "granted") return;
  if (!Deno.env.get(variable)) Deno.env.set(variable, "/tmp");
}

/** Cores of this machine. */
export function machineCores(): number {
  return navigator.hardwareConcurrency;
}
