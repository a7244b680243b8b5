/**
 * Writing files: whole or not at all, and with errors that say in words why it was not possible.
 */
import { InputError, isInputError } from "./errors.ts";

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
