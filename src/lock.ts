/**
 * Locks between processes. The operating system holds them on an open file and drops them when the
 * process ends, however it ends: no lock is left behind by a kill or a reboot. Advisory locks of
 * network file systems are as good as those file systems make them.
 */

/** Who holds a lock, as far as the file says. */
export interface LockHolder {
  /** Its process. */
  readonly pid?: number;
  /** When it took the lock, ISO 8601. */
  readonly since?: string;
}

/**
 * Whether a process holds the lock of a file. For a moment the asker shares it, so that who takes it just then is refused.
 *
 * @returns undefined where the file may not be read.
 */
export async function isLocked(path: string): Promise<boolean | undefined> {
  try {
    using file = await Deno.open(path);
    return !await file.tryLock(false);
  } catch (error) {
    return error instanceof Deno.errors.NotFound ? false : undefined;
  }
}

/** A lock that this process holds until it is disposed of. The file stays: it is only a place for locks. */
export class FileLock implements Disposable {
  readonly #file: Deno.FsFile;

  private constructor(file: Deno.FsFile) {
    this.#file = file;
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
      if (!await file.tryLock(true)) {
        file.close();
        return { holder: await readHolder(path) };
      }
      const holder: LockHolder = { pid: Deno.pid, since: new Date().toISOString() };
      await file.truncate(0);
      await file.write(new TextEncoder().encode(JSON.stringify(holder) + "\n"));
      return { lock: new FileLock(file) };
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /** Lets others take the lock. */
  [Symbol.dispose](): void {
    this.#file.close();
  }
}

/** Nothing where the file cannot be read, as where the system locks it against readers, too. */
async function readHolder(path: string): Promise<LockHolder> {
  try {
    return JSON.parse(await Deno.readTextFile(path)) ?? {};
  } catch {
    return {};
  }
}

/** Who holds a lock, in words: `process 123 since 2026-01-31T12:00:00.000Z`. */
export function describeHolder({ pid, since }: LockHolder): string {
  return (pid === undefined ? "another process" : `process ${pid}`) +
    (since === undefined ? "" : ` since ${since}`);
}
