/**
 * Locks between processes. The operating system holds them on an open file and drops them when the
 * process ends, however it ends: no lock is left behind by a kill or a reboot. Where a file system does not lock, the
 * last process to take a lock has it, and {@linkcode FileLock.check} tells the others.
 */

import { randomUUID } from "node:crypto";
import { InputError } from "./errors.ts";
import { ifThere } from "./files.ts";
import { hostName } from "./permitted.ts";

/** Who holds a lock, as far as the file says. */
export interface LockHolder {
  readonly pid?: number;
  /** Its machine; absent where Deno was not allowed to ask for the name. */
  readonly host?: string;
  /** When it took the lock, ISO 8601. */
  readonly since?: string;
  /** A random name of this very lock. */
  readonly token?: string;
}

/** A lock was taken over or removed while it was held: the file system does not lock, or somebody removed the file. */
export class LostLockError extends InputError {
  /** Names the class in logs. */
  override readonly name: string = "LostLockError";

  /** @param holder Who has the lock now; absent where nobody has. */
  constructor(path: string, readonly holder?: LockHolder) {
    super(
      `Cannot continue as the lock "${path}" ` +
        (holder
          ? `was taken over by ${
            describeHolder(holder)
          }, although this process held it: its file was removed, or its ` +
            "file system does not lock files; there, only one process at a time may run these experiments"
          : "was removed while this process held it; the same command continues from the last checkpoints"),
    );
  }
}

/**
 * Whether a process holds the lock of a file. For a moment the asker shares it, which {@linkcode FileLock.take} waits for.
 *
 * @returns undefined where the file may not be read.
 */
export async function isLocked(path: string): Promise<boolean | undefined> {
  try {
    // A pipe would wait for a writer.
    if (!(await Deno.stat(path)).isFile) return undefined;
    using file = await Deno.open(path);
    return !await file.tryLock(false);
  } catch (error) {
    return error instanceof Deno.errors.NotFound ? false : undefined;
  }
}

/** A lock that this process holds until it is disposed of. The file stays: it is only a place for locks. */
export class FileLock implements Disposable {
  readonly #path: string;
  readonly #token: string;
  #file: Deno.FsFile;

  private constructor(path: string, file: Deno.FsFile, token: string) {
    this.#path = path;
    this.#file = file;
    this.#token = token;
  }

  /**
   * Takes the lock of a file, which is made where it is missing, unless another holds it.
   *
   * @returns The lock, or else who holds it.
   * @throws Where the file cannot be opened for writing.
   */
  static async take(path: string): Promise<{ lock: FileLock } | { holder: LockHolder }> {
    const file = await Deno.open(path, { read: true, write: true, create: true });
    try {
      if (!await lockAlone(file)) {
        file.close();
        return { holder: await readHolder(path) ?? {} };
      }
      const token = randomUUID();
      await writeHolder(file, token);
      return { lock: new FileLock(path, file, token) };
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /**
   * Checks that the lock is still this process's, which the operating system alone does not ensure: some network file
   * systems do not lock, and a removed file can be made and locked again by others. A file that is only removed is made again.
   *
   * @throws {LostLockError} Where another process has taken it over.
   */
  async check(): Promise<void> {
    const holder = await readHolder(this.#path);
    if (holder?.token === this.#token) return;
    if (holder || !await this.#restore()) throw new LostLockError(this.#path, holder);
  }

  /** Makes the file again; false where another process has just done so, or its folder is gone. */
  async #restore(): Promise<boolean> {
    let file: Deno.FsFile;
    try {
      file = await Deno.open(this.#path, { read: true, write: true, createNew: true });
    } catch {
      return false;
    }
    if (!await file.tryLock(true)) {
      file.close();
      return false;
    }
    await writeHolder(file, this.#token);
    this.#file.close();
    this.#file = file;
    return true;
  }

  /** Lets others take the lock. */
  [Symbol.dispose](): void {
    this.#file.close();
  }
}

/** Locks a file for this process alone; false where another has it so. Who only asks about the lock shares it for a moment. */
async function lockAlone(file: Deno.FsFile): Promise<boolean> {
  for (let attempts = 0; attempts < 100; attempts++) {
    if (await file.tryLock(true)) return true;
    if (!await file.tryLock(false)) return false;
    await file.unlock();
    await new Promise((done) => setTimeout(done, 1 + 4 * Math.random()));
  }
  return false;
}

async function writeHolder(file: Deno.FsFile, token: string): Promise<void> {
  const host = hostName();
  const holder: LockHolder = {
    pid: Deno.pid,
    ...(host !== undefined && { host }),
    since: new Date().toISOString(),
    token,
  };
  await file.truncate(0);
  await file.write(new TextEncoder().encode(JSON.stringify(holder) + "\n"));
  await file.syncData(); // other machines see only data that has reached the server
}

/**
 * Nothing is known where the file cannot be read, as where the system locks it against readers, too; undefined where there is
 * none. Another process may be writing it: incomplete content is read again.
 */
async function readHolder(path: string, attempts = 20): Promise<LockHolder | undefined> {
  try {
    const text = await ifThere(Deno.readTextFile(path));
    return text === undefined ? undefined : JSON.parse(text) ?? {};
  } catch (error) {
    if (!(error instanceof SyntaxError) || attempts <= 1) return {};
    await new Promise((done) => setTimeout(done, 10));
    return await readHolder(path, attempts - 1);
  }
}

/** Who holds a lock, in words: `process 123 on host a since 2026-01-31T12:00:00.000Z`. */
export function describeHolder({ pid, host, since }: LockHolder): string {
  return (pid === undefined ? "another process" : `process ${pid}`) +
    (host === undefined ? "" : ` on host ${host}`) + (since === undefined ? "" : ` since ${since}`);
}
