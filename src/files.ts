/**
 * Reading regular files, writing files whole or not at all, and errors that name the path and the reason in words.
 */
import { InputError, InputTypeError, isInputError } from "./errors.ts";

/** Most bytes asked of the system at once; Linux itself stops a little short of 2 GiB. */
export const maxTransferBytes = 2 ** 28;

/** Why the system refuses to write, by its error code. */
const reasons: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
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

/** Words for what is neither a regular file nor a folder. */
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
export async function openRegularFile(path: string): Promise<Deno.FsFile> {
  let file: Deno.FsFile | undefined;
  try {
    checkRegular(path, await Deno.stat(path));
    file = await Deno.open(path, { read: true });
    // Another file may have taken the name in between.
    checkRegular(path, await file.stat());
    return file;
  } catch (cause) {
    file?.close();
    throw readingError(path, cause);
  }
}

/** Reads a regular file whole; errors as for {@linkcode openRegularFile}. */
export async function readRegularFile(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const file = await openRegularFile(path);
  try {
    return await new Response(file.readable).bytes(); // closes the file
  } catch (cause) {
    throw readingError(path, cause);
  }
}

function checkRegular(path: string, info: Deno.FileInfo): void {
  if (info.isFile) return;
  const kinds = Object.keys(specialKinds) as (keyof typeof specialKinds)[];
  const special = kinds.find((kind) => info[kind]);
  const kind = info.isDirectory ? "a folder" : special ? specialKinds[special] : "of another kind";
  throw new InputTypeError(`Cannot read "${path}" as it is not a regular file: it is ${kind}`);
}

/** The error about a file that cannot be read; what says that it is missing keeps its class for {@linkcode ifThere}. */
function readingError(path: string, cause: unknown): unknown {
  if (!(cause instanceof Error) || isInputError(cause)) return cause;
  const { code, message } = cause as { code?: string; message: string };
  const reason = cause instanceof Deno.errors.NotCapable
    ? "Deno was not allowed to: run it with --allow-read"
    : readingReasons[code ?? ""] ?? message;
  const text = `Cannot read "${path}" as ${reason}`;
  if (cause instanceof Deno.errors.NotFound) return new Deno.errors.NotFound(text, { cause });
  if (cause instanceof Deno.errors.NotADirectory) {
    return new Deno.errors.NotADirectory(text, { cause });
  }
  return new InputError(text, { cause });
}

/**
 * Runs something that writes.
 *
 * @param path What it writes, for the error.
 * @throws {Error} Where it cannot be written: which path, and why.
 */
export async function writing<T>(path: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (cause) {
    // Already an error for the user.
    if (isInputError(cause)) throw cause;
    const { code, message } = cause as { code?: string; message: string };
    const reason = cause instanceof Deno.errors.NotCapable
      ? `Deno was not allowed to: run it with --allow-write`
      : reasons[code ?? ""] ?? message;
    throw new InputError(`Cannot write "${path}" as ${reason}`, { cause });
  }
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
  content: string | Iterable<Uint8Array<ArrayBuffer>>,
): Promise<void> {
  const temporary = temporaryOf(path);
  await writing(path, async () => {
    try {
      {
        using file = await Deno.open(temporary, { write: true, create: true, truncate: true });
        const parts = typeof content === "string" ? [new TextEncoder().encode(content)] : content;
        for (const part of parts) {
          for (let written = 0; written < part.length;) {
            written += await file.write(part.subarray(written, written + maxTransferBytes));
          }
        }
        // Without this a power cut could leave the new name on an empty file.
        await file.syncData();
      }
      await Deno.rename(temporary, path);
    } catch (error) {
      await Deno.remove(temporary).catch(() => {});
      throw error;
    }
  });
}

/** Where a file is written before it takes its name: of this process alone, so that a kill leaves one behind at most. */
export function temporaryOf(path: string): string {
  return `${path}.${Deno.pid}.part`;
}

/** Removes what processes were writing below a folder when they were killed; nobody may be writing there. */
export async function removeCutOff(folder: string): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) await removeCutOff(path);
    else if (/\.\d+\.part$/.test(name)) await writing(path, () => removeIfThere(path));
  }
}

/** Removes a file, or a folder with all it holds; does nothing where there is none. */
export async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/**
 * What reading a file comes to; undefined where there is none.
 *
 * @param reading A file operation that has begun.
 */
export async function ifThere<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return undefined;
    }
    throw error;
  }
}
