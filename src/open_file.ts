/** Files as the library reads and writes them, on any system. */

/** The file or folder that a path leads to. */
export interface PathInfo {
  readonly isFile: boolean;
  readonly isDirectory: boolean;
  /** Size in bytes. */
  readonly size: number;
  /** When it was written last; null or absent where that is not known. */
  readonly mtime?: Date | null;
  /** Whether it is a named pipe; null or absent where the system has none, as below. */
  readonly isFifo?: boolean | null;
  readonly isSocket?: boolean | null;
  /** Whether it is a device such as a terminal. */
  readonly isCharDevice?: boolean | null;
  /** Whether it is a device such as a disk. */
  readonly isBlockDevice?: boolean | null;
  /** Number of the file in its file system, which it keeps under other names. */
  readonly ino?: number | null;
}

export interface FolderEntry {
  /** Name without the folder. */
  readonly name: string;
  readonly isDirectory: boolean;
}

export interface OpenOptions {
  readonly read?: boolean;
  readonly write?: boolean;
  readonly create?: boolean;
  readonly truncate?: boolean;
}

/** Offsets of {@linkcode OpenFile.seek} are from the beginning of the file. */
export const seekStart = 0;

/** An open file with a position, at which it is read and written. */
export interface OpenFile extends Disposable {
  /** The file's information. */
  stat(): Promise<PathInfo>;
  /** Moves the position. */
  seek(offset: number, whence: typeof seekStart): Promise<number>;
  /** Reads at most as many bytes as fit; null at the end of the file. */
  read(into: Uint8Array): Promise<number | null>;
  /** Writes some of the bytes; returns how many. */
  write(bytes: Uint8Array): Promise<number>;
  /** Cuts the file to a length in bytes; the position stays. */
  truncate(length: number): Promise<void>;
  /**
   * Locks the file against other processes until it is closed; false where one has locked it. Where the system has no locks, as Node,
   * true.
   */
  tryLock(exclusive: true): Promise<boolean>;
  /** Waits until the content is on the disk. */
  syncData(): Promise<void>;
  /** All of its bytes; the file is closed behind the last. */
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  close(): void;
}

/** Information about a file of so many bytes. */
export function fileInfo(size: number): PathInfo {
  return { isFile: true, isDirectory: false, size };
}

export const folderInfo: PathInfo = { isFile: false, isDirectory: true, size: 0 };

export function openBlob(blob: Blob): OpenFile {
  let position = 0;
  const refuse = () => Promise.reject(new Error("a file in memory is not written to"));
  return {
    stat: () => Promise.resolve(fileInfo(blob.size)),
    seek: (offset) => Promise.resolve(position = offset),
    async read(into) {
      if (position >= blob.size && into.length > 0) return null;
      const part = blob.slice(position, position + into.length);
      into.set(new Uint8Array(await part.arrayBuffer()));
      position += part.size;
      return part.size;
    },
    write: refuse,
    truncate: refuse,
    tryLock: refuse,
    syncData: refuse,
    get readable() {
      return blob.stream() as ReadableStream<Uint8Array<ArrayBuffer>>;
    },
    close() {},
    [Symbol.dispose]() {},
  };
}
