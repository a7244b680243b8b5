/**
 * Files of bytes, read by range, so that a checkpoint of gigabytes is never in memory as a whole.
 */
import { checkUnchanged, maxTransferBytes, openRegularFile } from "../files.ts";
import { InputError, InputRangeError } from "../errors.ts";
import { type OpenFile, type PathInfo, seekStart } from "../open_file.ts";
import { Turns } from "../turns.ts";

/** The bytes of a source cannot be reached, independent of their content. */
export class UnreachableError extends InputError {
  override readonly name: string = "UnreachableError";
}

/** Bytes that are read by ranges: a file, or an array. */
export interface ByteSource extends Disposable {
  /** Path or name, for messages. */
  readonly path: string;
  /** Size in bytes. */
  readonly sizeBytes: number;
  /** Reads exactly `lengthBytes` bytes at an offset into a new buffer; throws a `RangeError` where the file ends before. */
  read(offset: number, lengthBytes: number): Promise<Uint8Array<ArrayBuffer>>;
  /** Takes the size again, where others may have written to it. */
  measure?(): Promise<void>;
}

/** Bytes in memory as a source. */
export function bytesSource(bytes: Uint8Array, name: string): ByteSource {
  return {
    path: name,
    sizeBytes: bytes.length,
    // deno-lint-ignore require-await -- errors are rejections, as of a file
    async read(offset, lengthBytes) {
      checkRange({ path: name, sizeBytes: bytes.length }, offset, lengthBytes);
      return bytes.slice(offset, offset + lengthBytes) as Uint8Array<ArrayBuffer>;
    },
    [Symbol.dispose]() {},
  };
}

/**
 * Checks a range before a buffer is made for it: a hostile length must not reserve memory.
 *
 * @throws {RangeError} Where it is not within the bytes.
 */
export function checkRange(
  { path, sizeBytes }: Pick<ByteSource, "path" | "sizeBytes">,
  offset: number,
  lengthBytes: number,
): void {
  if (offset >= 0 && lengthBytes >= 0 && offset + lengthBytes <= sizeBytes) return;
  throw new InputRangeError(
    `Cannot read "${path}" as it is too short: bytes ${offset} to ${offset + lengthBytes} ` +
      `are needed, the file has ${sizeBytes}`,
  );
}

/** An open file read by ranges; close it with `using`. */
export class ByteFile implements ByteSource {
  /** Path as it was given, for messages. */
  readonly path: string;
  #sizeBytes: number;
  readonly #file: OpenFile;
  /** Size and time of the last change when it was opened; undefined where it may be written meanwhile. */
  readonly #opened: PathInfo | undefined;
  /** Reads share one file position, so they queue. */
  readonly #turns = new Turns();

  private constructor(
    path: string,
    sizeBytes: number,
    { file, opened }: { readonly file: OpenFile; readonly opened: PathInfo | undefined },
  ) {
    this.path = path;
    this.#sizeBytes = sizeBytes;
    this.#file = file;
    this.#opened = opened;
  }

  /** Size in bytes when opened or last measured. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /**
   * Opens a regular file; errors as for {@linkcode openRegularFile}.
   *
   * @param options `mayChange`: others may write to it meanwhile.
   */
  static async open(path: string, { mayChange = false } = {}): Promise<ByteFile> {
    const file = await openRegularFile(path), opened = await file.stat();
    return new ByteFile(path, opened.size, { file, opened: mayChange ? undefined : opened });
  }

  /**
   * Reads exactly `lengthBytes` bytes at an offset into a new buffer; a file that ends before is a `RangeError`, one that was
   * written since it was opened an error, too.
   */
  async read(offset: number, lengthBytes: number): Promise<Uint8Array<ArrayBuffer>> {
    checkRange(this, offset, lengthBytes);
    return await this.#turns.take(async () => {
      const bytes = new Uint8Array(lengthBytes);
      if (lengthBytes > 0) await this.#file.seek(offset, seekStart);
      let filled = 0;
      while (filled < lengthBytes) {
        const end = Math.min(filled + maxTransferBytes, lengthBytes);
        const count = await this.#file.read(bytes.subarray(filled, end));
        if (count === null) {
          throw new InputRangeError(
            `Cannot read "${this.path}" as it became shorter while it was read: ` +
              `${lengthBytes} bytes at ${offset} are needed, ${filled} were found`,
          );
        }
        filled += count;
      }
      if (this.#opened) await checkUnchanged(this.path, this.#file, this.#opened);
      return bytes;
    });
  }

  /** Takes the size again: others may have written to its end. */
  async measure(): Promise<void> {
    this.#sizeBytes = (await this.#file.stat()).size;
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }
}
