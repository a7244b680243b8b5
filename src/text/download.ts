/**
 * Downloads: bounded in size and waiting, continued where they were cut off, kept only if they have the right bytes.
 */
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { dirname } from "node:path";
import { InputError, InputRangeError, InputTypeError, isInputError } from "../errors.ts";
import { ifThere, maxTransferBytes, openRegularFile, removeIfThere, writing } from "../files.ts";

/** What is fetched. */
export interface Download {
  /** Where it is fetched from. */
  readonly url: string;
  /** Where it is written. */
  readonly target: string;
  /** SHA-256 (hexadecimal) that its bytes must have. */
  readonly sha256: string;
}

/** How long and how much is waited for. */
export interface DownloadOptions {
  /** Milliseconds until a server must answer (default 30,000). */
  readonly answerMs?: number;
  /** Milliseconds in which a thousand bytes must come (default 30,000). */
  readonly stallMs?: number;
  /** Most bytes (default 2^30). */
  readonly maxBytes?: number;
  /** How often a download that is cut off is continued before it fails (default 2). */
  readonly retries?: number;
  /** Called with the bytes so far, and with those of the whole where the server says. */
  readonly progress?: (bytes: number, totalBytes: number | undefined) => void;
}

/** Fewer bytes than these in the time of `stallMs` are a stall. */
const leastBytes = 1_000;

/**
 * Fetches a file and writes it, whole or not at all, if it has the bytes that it should have. What came before a download was
 * cut off stays beside the file, as `TARGET.download`, and the next one continues there if the server allows.
 *
 * @throws {TypeError} Where the server cannot be reached.
 * @throws {RangeError} Where it answers with an error, with too many bytes or with others.
 * @throws {Error} Where it does not answer, or stalls or is cut off again and again.
 */
export async function downloadFile(
  download: Download,
  options: DownloadOptions = {},
): Promise<void> {
  const { url, target, sha256 } = download;
  const partial = `${target}.download`;
  await writing(target, () => Deno.mkdir(dirname(target), { recursive: true }));
  for (let left = options.retries ?? 2;; left--) {
    const start = (await ifThere(Deno.stat(partial)))?.size ?? 0;
    let isContinued: boolean;
    try {
      isContinued = await receive(url, partial, start, options);
    } catch (error) {
      if (!(error instanceof InterruptedError)) throw error;
      const { size } = await Deno.stat(partial);
      if (left > 0 && size > 0) continue;
      throw new InputError(
        `Cannot fetch "${url}" as ${error.message}: current number of bytes is ${size}; ` +
          "fetching again continues there if the server allows",
        { cause: error },
      );
    }
    const { hash, sizeBytes } = await hashFile(partial);
    if (hash === sha256) break;
    await removeIfThere(partial);
    // The beginning may be of an older file.
    if (isContinued && left > 0) continue;
    throw new InputRangeError(
      `Cannot keep "${url}" as it is not the file that it was: expected SHA-256 ${sha256}, found ${hash} ` +
        `(${sizeBytes} bytes)`,
    );
  }
  await writing(target, () => Deno.rename(partial, target));
}

/** A download ended before its end. */
class InterruptedError extends Error {}

/** Receives a file from an offset on, or from its beginning where the server sends that. Returns whether it continued. */
async function receive(
  url: string,
  partial: string,
  start: number,
  { answerMs = 30_000, stallMs = 30_000, maxBytes = 2 ** 30, progress }: DownloadOptions,
): Promise<boolean> {
  using watch = new Watch();
  watch.expect(answerMs);
  const response = await request(url, start, watch);
  if (response.status === 416 && start > 0) {
    // What is there is as long as the file or longer.
    await response.body?.cancel();
    await removeIfThere(partial);
    return await receive(url, partial, 0, {
      answerMs,
      stallMs,
      maxBytes,
      ...(progress && { progress }),
    });
  }
  if (!response.ok) {
    await response.body?.cancel();
    throw new InputRangeError(
      `Cannot fetch "${url}" as the server refuses: its status is ${response.status}`,
    );
  }
  const isContinued = response.status === 206 &&
    response.headers.get("content-range")?.startsWith(`bytes ${start}-`) === true;
  let bytes = isContinued ? start : 0;
  const length = Number(response.headers.get("content-length") ?? NaN);
  const total = Number.isSafeInteger(length) ? bytes + length : undefined;
  const checkSize = async (size: number) => {
    if (size <= maxBytes) return;
    await removeIfThere(partial);
    throw new InputRangeError(
      `Cannot fetch "${url}" as it is too large: allowed are up to ${maxBytes} bytes, current number is ${size} or more`,
    );
  };
  await checkSize(total ?? 0);
  using file = await writing(
    partial,
    () =>
      Deno.open(partial, {
        create: true,
        append: isContinued,
        truncate: !isContinued,
        write: true,
      }),
  );
  const reader = (response.body ?? new Blob().stream()).getReader();
  try {
    let sinceExpected = Infinity;
    while (true) {
      if (sinceExpected >= leastBytes) {
        watch.expect(stallMs);
        sinceExpected = 0;
      }
      const { done, value } = await reader.read();
      if (done) break;
      sinceExpected += value.length;
      bytes += value.length;
      await checkSize(bytes);
      await writing(partial, async () => {
        for (let written = 0; written < value.length;) {
          written += await file.write(value.subarray(written, written + maxTransferBytes));
        }
      });
      progress?.(bytes, total);
    }
  } catch (cause) {
    if (isInputError(cause)) throw cause;
    throw new InterruptedError(
      watch.isOver
        ? `fewer than ${leastBytes} bytes came in ${stallMs / 1000} s`
        : `the connection was cut off (${reasonOf(cause)})`,
      { cause },
    );
  } finally {
    await reader.cancel().catch(() => {});
  }
  await writing(partial, () => file.syncData());
  return isContinued;
}

async function request(url: string, start: number, watch: Watch): Promise<Response> {
  try {
    return await fetch(url, {
      signal: watch.signal,
      headers: {
        // Ranges of compressed bytes could not be joined.
        "accept-encoding": "identity",
        ...(start > 0 ? { range: `bytes=${start}-` } : {}),
      },
    });
  } catch (cause) {
    throw watch.isOver
      ? new InputError(
        `Cannot fetch "${url}" as its server does not answer: it was waited for ${
          watch.ms / 1000
        } s`,
        { cause },
      )
      : new InputTypeError(
        `Cannot fetch "${url}" as its server cannot be reached: ${reasonOf(cause)}`,
        { cause },
      );
  }
}

/** The message of what caused an error: "fetch failed" is the last of several. */
function reasonOf(error: unknown): string {
  let innermost = error as Error;
  while (innermost.cause instanceof Error) innermost = innermost.cause;
  return innermost.message;
}

/** Ends a download that takes longer than is expected. */
class Watch implements Disposable {
  readonly #controller = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Milliseconds that were last expected. */
  ms = 0;

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Whether it has taken longer. */
  get isOver(): boolean {
    return this.signal.aborted;
  }

  /** Expects something within a time from now on. */
  expect(ms: number): void {
    clearTimeout(this.#timer);
    this.ms = ms;
    this.#timer = setTimeout(() => this.#controller.abort(), ms);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}

/**
 * SHA-256 (hexadecimal) and size of a file, read in parts; of a name that ends in `.gz` those of what it holds, or of its own
 * bytes where that is cut off or damaged.
 */
export async function hashFile(path: string): Promise<{ hash: string; sizeBytes: number }> {
  if (path.endsWith(".gz")) {
    const compressed = await openRegularFile(path);
    try {
      return await hashOf(Readable.fromWeb(compressed.readable as never).pipe(createGunzip()));
    } catch {
      // Not the bytes that they should be, whatever they are.
    }
  }
  return await hashOf((await openRegularFile(path)).readable);
}

async function hashOf(parts: AsyncIterable<Uint8Array>) {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  for await (const part of parts) {
    hash.update(part);
    sizeBytes += part.length;
  }
  return { hash: hash.digest("hex"), sizeBytes };
}
