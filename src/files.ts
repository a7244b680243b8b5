/**
 * Reading regular files, writing files whole or not at all, and errors that name the path and the reason in words.
 */
import {
  InputError,
  InputRangeError,
  InputSyntaxError,
  InputTypeError,
  isInputError,
} from "./errors.ts";
import type { OpenFile, PathInfo } from "./open_file.ts";
import {
  dirname,
  gunzip,
  gunzipParts,
  makeFolders,
  NotADirectory,
  NotCapable,
  NotFound,
  open,
  processId,
  remove,
  rename,
  stat,
} from "./system.ts";

/** Most bytes asked of the system at once; Linux itself stops a little short of 2 GiB. */
export const maxTransferBytes = 2 ** 28;

/** Why the system refuses to write, by its error code. */
const reasons: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  ENOENT: "there is no such folder",
  EROFS: "the file system is read-only",
  EACCES: "permission is denied",
  EPERM: "permission is denied",
  ENOTDIR: "a file stands where a folder is needed",
  EEXIST: "a file stands where a folder is needed",
  EISDIR: "a folder stands where a file is needed",
};

/** Why the system refuses to read, by its error code. */
const readingReasons: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  ENOTDIR: "a part of its path is a file, not a folder",
  EACCES: "permission is denied",
  EPERM: "permission is denied",
  EISDIR: "it is a folder",
  ELOOP: "its symbolic links form a circle",
  ENAMETOOLONG: "its name is too long",
  EIO: "the disk reports an error",
};

/** Names of paths that are neither regular files nor folders. */
const specialKinds = {
  isFifo: "a named pipe",
  isSocket: "a socket",
  isCharDevice: "a device",
  isBlockDevice: "a device",
} as const;

/**
 * Opens a regular file for reading. Anything else is refused before it is opened: a pipe would wait for a writer, and a
 * device may never end.
 *
 * @throws {Error} Naming the path and the reason; `Deno.errors.NotFound` where there is no such file.
 */
export async function openRegularFile(path: string): Promise<OpenFile> {
  let file: OpenFile | undefined;
  try {
    checkRegular(path, await stat(path));
    file = await open(path, { read: true });
    // Another file may have taken the name in between.
    checkRegular(path, await file.stat());
    return file;
  } catch (cause) {
    file?.close();
    throw readingError(path, cause);
  }
}

/**
 * Checks that a file was not written since it was opened: what was read of it may be partly the old and partly the new.
 *
 * @param opened Size and time of the last change when the file was opened.
 * @throws {Error} If it was written.
 */
export async function checkUnchanged(
  path: string,
  file: Pick<OpenFile, "stat">,
  opened: PathInfo,
): Promise<void> {
  const { size, mtime } = await file.stat();
  if (size === opened.size && mtime?.getTime() === opened.mtime?.getTime()) return;
  throw new InputError(
    `Cannot read "${path}" as it was written while it was read: current size is ${size} bytes, before it was ${opened.size}`,
  );
}

/**
 * Opens a regular file and returns its bytes in parts, those of a name that ends in `.gz` uncompressed; errors as for
 * {@linkcode openRegularFile}. The file is closed with the last part.
 */
export async function openContent(path: string): Promise<AsyncIterable<Uint8Array<ArrayBuffer>>> {
  const { readable } = await openRegularFile(path);
  return path.endsWith(".gz") ? gunzipParts(readable) : readable;
}

/** Reads a regular file whole; errors as for {@linkcode openRegularFile}. */
export async function readRegularFile(path: string): Promise<Uint8Array<ArrayBuffer>> {
  using file = await openRegularFile(path);
  return await readWhole(path, file, (await file.stat()).size);
}

/** Reads a file that was just opened, as far as it was then written. */
async function readWhole(
  path: string,
  file: OpenFile,
  size: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(size);
  let length = 0;
  try {
    while (length < size) {
      const count = await file.read(bytes.subarray(length));
      if (count === null) break;
      length += count;
    }
  } catch (cause) {
    throw readingError(path, cause);
  }
  return bytes.subarray(0, length);
}

/** Most bytes of a text: the engine holds no longer string. */
export const maxTextBytes = 2 ** 29 - 24;

/**
 * Reads a regular file of text: UTF-8, read over a byte order mark.
 *
 * @throws {Error} As for {@linkcode openRegularFile}.
 * @throws {RangeError} If the file is larger than `maxBytes` (default {@linkcode maxTextBytes}).
 * @throws {TypeError} If its bytes are not UTF-8.
 */
export async function readText(
  path: string,
  options: { readonly maxBytes?: number } = {},
): Promise<string> {
  return decodeText(await readTextBytes(path, options), path);
}

/**
 * Reads the bytes of a text; those of a file whose name ends in `.gz` uncompressed.
 *
 * @throws {Error} As for {@linkcode openRegularFile}; or if the file is written meanwhile.
 * @throws {RangeError} If there are more than `maxBytes` (default {@linkcode maxTextBytes}), uncompressed.
 * @throws {TypeError} If gzip data is cut off or damaged.
 */
export async function readTextBytes(
  path: string,
  { maxBytes = maxTextBytes }: { readonly maxBytes?: number } = {},
): Promise<Uint8Array> {
  using file = await openRegularFile(path);
  const opened = await file.stat();
  if (opened.size > maxBytes) throw tooLarge(path, `${opened.size}`, maxBytes);
  const read = await readWhole(path, file, opened.size);
  await checkUnchanged(path, file, opened);
  if (!path.endsWith(".gz")) return read;
  let content: Uint8Array | undefined;
  try {
    content = await gunzip(read, maxBytes);
  } catch (cause) {
    throw new InputTypeError(
      `Cannot read "${path}" as its gzip data is cut off or damaged: ${(cause as Error).message}`,
      { cause },
    );
  }
  if (!content) throw tooLarge(path, `more than ${maxBytes} uncompressed`, maxBytes);
  return content;
}

function tooLarge(path: string, current: string, maxBytes: number): InputRangeError {
  return new InputRangeError(
    `Cannot read "${path}" as it is too large: current number of bytes is ${current}, allowed are up to ${maxBytes}`,
  );
}

/** Git's placeholder for a large file that has not been fetched. */
const lfsPointer =
  /^version https:\/\/git-lfs\.github\.com\/spec\/v1\noid sha256:[0-9a-f]+\nsize (\d+)\n?$/;

/**
 * Decodes the bytes of a text file, read over a byte order mark.
 *
 * @param path Where they come from, for errors.
 * @throws {TypeError} If they are not UTF-8, or a Git LFS pointer in the place of a file.
 */
export function decodeText(bytes: Uint8Array, path: string): string {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new InputTypeError(`Cannot read "${path}" as its bytes must be UTF-8`, { cause });
  }
  const [, size] = bytes.length < 300 && lfsPointer.exec(text) || [];
  if (size !== undefined) {
    throw new InputTypeError(
      `Cannot read "${path}" as it is a Git LFS pointer in the place of a file of ${size} bytes: "git lfs pull" fetches that`,
    );
  }
  return text;
}

/**
 * Reads a regular file of JSON.
 *
 * @throws {Error} As for {@linkcode readText}.
 * @throws {SyntaxError} If it is not JSON.
 */
export async function readJson(
  path: string,
  options: { readonly maxBytes?: number } = {},
): Promise<unknown> {
  return parseJson(await readText(path, options), `"${path}"`);
}

/**
 * Parses JSON.
 *
 * @param subject Name of the text, in quotes, for the error: `"index.json"`.
 * @throws {SyntaxError} If the text is not JSON.
 */
export function parseJson(text: string, subject: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new InputSyntaxError(
      `Cannot read ${subject} as it is not JSON: ${(cause as Error).message}`,
      { cause },
    );
  }
}

/** @throws {TypeError} Where a path leads to anything but a regular file: which, and what it is. */
export function checkRegular(path: string, info: PathInfo): void {
  if (info.isFile) return;
  throw new InputTypeError(
    `Cannot read "${path}" as it is not a regular file: it is ${kindOf(info)}`,
  );
}

/** Kind of a path that is not a regular file, in words. */
function kindOf(info: PathInfo): string {
  if (info.isDirectory) return "a folder";
  const kinds = Object.keys(specialKinds) as (keyof typeof specialKinds)[];
  const special = kinds.find((kind) => info[kind]);
  return special ? specialKinds[special] : "of another kind";
}

/** The error about a file or folder that cannot be read; errors of missing files keep their class for {@linkcode ifThere}. */
export function readingError(path: string, cause: unknown): unknown {
  if (!(cause instanceof Error) || isInputError(cause)) return cause;
  const { code, message } = cause as { code?: string; message: string };
  const reason = cause instanceof NotCapable
    ? "Deno was not allowed to: run it with --allow-read"
    : readingReasons[code ?? ""] ?? message;
  const text = `Cannot read "${path}" as ${reason}`;
  if (cause instanceof NotFound) return new NotFound(text, { cause });
  if (cause instanceof NotADirectory) {
    return new NotADirectory(text, { cause });
  }
  return new InputError(text, { cause });
}

/**
 * Runs a function that writes.
 *
 * @param path Path that it writes, for the error.
 * @throws {Error} Where it cannot be written: which path, and why.
 */
export async function writing<T>(path: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (cause) {
    // Already an error for the user.
    if (isInputError(cause)) throw cause;
    const { code, message } = cause as { code?: string; message: string };
    const reason = cause instanceof NotCapable
      ? `Deno was not allowed to: run it with --allow-write`
      : reasons[code ?? ""] ?? message;
    throw new InputError(`Cannot write "${path}" as ${reason}`, { cause });
  }
}

/**
 * Makes a folder, and those that it is in.
 *
 * @throws {Error} Where it cannot be made, with the reason.
 */
export async function makeFolder(path: string): Promise<void> {
  await writing(path, () => makeFolders(path));
}

/**
 * Makes the folder of a file that is to be written.
 *
 * @throws {Error} Where it cannot be made: which file cannot be written, and why.
 */
export async function makeFolderOf(path: string): Promise<void> {
  await writing(path, () => makeFolders(dirname(path)));
}

/**
 * Writes a file whole or not at all: the content goes to a temporary file beside it, which then takes its
 * name. After a failure, an earlier file of that name is as it was.
 *
 * @param content Text, or bytes in parts.
 * @throws {Error} Where the file cannot be written, with the reason.
 */
export async function writeAtomically(
  path: string,
  content: string | Iterable<Uint8Array<ArrayBuffer>> | AsyncIterable<Uint8Array<ArrayBuffer>>,
): Promise<void> {
  const temporary = temporaryOf(path);
  await writing(path, async () => {
    try {
      {
        using file = await open(temporary, { write: true, create: true, truncate: true });
        const parts = typeof content === "string" ? [new TextEncoder().encode(content)] : content;
        for await (const part of parts) {
          await writeAll(file, part);
        }
        // Without this a power cut could leave the new name on an empty file.
        await file.syncData();
      }
      const there = await ifThere(stat(path));
      if (there && !there.isFile) {
        throw new InputError(
          `Cannot write "${path}" as ${kindOf(there)} stands where a file is needed`,
        );
      }
      await rename(temporary, path);
    } catch (error) {
      await remove(temporary).catch(() => {});
      // Where nothing locks, a process that begins may take it for what a killed one left.
      if (
        typeof content === "string" && error instanceof NotFound && await isThere(dirname(path))
      ) {
        return await writeAtomically(path, content);
      }
      throw error;
    }
  });
}

/** Writes bytes whole, however few the system takes at once. */
export async function writeAll(
  file: Pick<OpenFile, "write">,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    written += await file.write(bytes.subarray(written, written + maxTransferBytes));
  }
}

/** Tells this process from those with the same number on other machines. */
let processName: string | undefined;

/** Where a file is written before it takes its name: of this process alone, so that a kill leaves one behind at most. */
export function temporaryOf(path: string): string {
  processName ??= `${processId}-${crypto.randomUUID().slice(0, 8)}`;
  return `${path}.${processName}.part`;
}

/** Removes the partial files of killed processes below a folder; no process may be writing there. */
export async function removeCutOff(folder: string): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) await removeCutOff(path);
    else if (/\.\d+(-[0-9a-f]{8})?\.part$/.test(name)) {
      await writing(path, () => removeIfThere(path));
    }
  }
}

/** Removes a file, or a folder with all it holds; does nothing where there is none. */
export async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof NotFound)) throw error;
  }
}

/** Whether there is a file or folder. */
export async function isThere(path: string): Promise<boolean> {
  return await ifThere(stat(path)) !== undefined;
}

/** Whether there is a folder, or a link to one; not where it may not be read. */
export async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory ?? false;
}

/**
 * Waits for the reading of a file that must be there.
 *
 * @param reading A file operation that has begun.
 * @param message Message of the error where there is none: which file is missing, and of which folder or model.
 * @throws {Deno.errors.NotFound} Where there is none.
 */
export async function requireThere<T>(reading: Promise<T>, message: string): Promise<T> {
  const read = await ifThere(reading);
  if (read === undefined) throw new NotFound(message);
  return read;
}

/**
 * The result of reading a file; undefined where there is none.
 *
 * @param reading A file operation that has begun.
 */
export async function ifThere<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof NotFound || error instanceof NotADirectory) {
      return undefined;
    }
    throw error;
  }
}
