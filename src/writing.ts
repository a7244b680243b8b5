/**
 * Errors of files that cannot be written, in words.
 */

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
    // What has been foreseen is not the system's.
    if (cause instanceof Error && cause.message.startsWith("Cannot ")) throw cause;
    const { code, message } = cause as { code?: string; message: string };
    const reason = cause instanceof Deno.errors.NotCapable
      ? `Deno was not allowed to: run it with --allow-write`
      : reasons[code ?? ""] ?? message;
    throw new Error(`Cannot write "${path}" as ${reason}`, { cause });
  }
}
