/**
 * Downloads: bounded in size and waiting, continued where they were cut off, kept only if they have the right bytes.
 */
import { createHash, type Hash } from "node:crypto";
import { InputError, InputRangeError, InputTypeError, isInputError } from "../errors.ts";
import {
  ifThere,
  makeFolderOf,
  openContent,
  openRegularFile,
  readTextBytes,
  removeIfThere,
  writeAll,
  writing,
} from "../files.ts";

/** A file to be fetched. */
export interface Download {
  readonly url: string;
  readonly target: string;
  /** SHA-256 (hexadecimal) that its bytes must have; absent where another hash is given. */
  readonly sha256?: string;
  /** MD5 (hexadecimal) that they must have, where its server knows no better hash. */
  readonly md5?: string;
  /** The hash by which git names its bytes, SHA-1 (hexadecimal). */
  readonly gitHash?: string;
  /** Sent with the request, but not to another host to which it leads. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Meaning of an HTTP status, to complete "Cannot fetch ... as"; undefined if it has no particular one. */
  readonly refusal?: (status: number) => string | undefined;
}

/** How long and how much is waited for. */
export interface DownloadOptions {
  /** Milliseconds until a server must answer (default 30,000). */
  readonly answerMs?: number;
  /** Milliseconds in which a thousand bytes must come (default 30,000). */
  readonly stallMs?: number;
  /** Most bytes (default 2^30). */
  readonly maxBytes?: number;
  /** How often a download that is cut off is continued, or asked for again where the server is busy, before it fails (default 2). */
  readonly retries?: number;
  /** Most milliseconds that a busy server may ask to wait (default 60,000). */
  readonly busyMs?: number;
  /** Called with the bytes so far, and with those of the whole where the server says. */
  readonly progress?: (bytes: number, totalBytes: number | undefined) => void;
}

/** Fewer bytes than these in the time of `stallMs` are a stall. */
const leastBytes = 1_000;

/**
 * Fetches a file and writes it, whole or not at all, if it has the expected bytes. The part fetched before a download was
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
  const { url, target } = download;
  const expected = expectedHash(download);
  const partial = `${target}.download`;
  await makeFolderOf(target);
  for (let left = options.retries ?? 2;; left--) {
    const start = (await ifThere(Deno.stat(partial)))?.size ?? 0;
    let isContinued: boolean;
    try {
      isContinued = await receive(download, partial, start, options);
    } catch (error) {
      if (error instanceof BusyError) {
        await error.wait(left, options);
        continue;
      }
      if (!(error instanceof InterruptedError)) throw error;
      const { size } = await Deno.stat(partial);
      if (left > 0 && size > 0) continue;
      throw new InputError(
        `Cannot fetch "${url}" as ${error.message}: current number of bytes is ${size}; ` +
          "fetching again continues there if the server allows",
        { cause: error },
      );
    }
    const { hash, sizeBytes } = await expected.compute(partial);
    if (hash === expected.hash) break;
    await removeIfThere(partial);
    // The beginning may be of an older file.
    if (isContinued && left > 0) continue;
    throw new InputRangeError(
      `Cannot keep "${url}" as it is not the file that it was: expected ${expected.name} ${expected.hash}, ` +
        `found ${hash} (${sizeBytes} bytes)`,
    );
  }
  await writing(target, () => Deno.rename(partial, target));
}

/** The hash that the bytes of a download must have, its name for errors, and its computation. */
function expectedHash({ sha256, md5, gitHash }: Download) {
  if (gitHash !== undefined) return { name: "git's hash", hash: gitHash, compute: gitHashOf };
  if (md5 === undefined) return { name: "SHA-256", hash: sha256, compute: hashFile };
  return { name: "MD5", hash: md5, compute: (path: string) => hashFile(path, "md5") };
}

/** A download ended before its end. */
class InterruptedError extends Error {}

/** A server asks to be asked again later. */
class BusyError extends Error {
  readonly #url: string;
  readonly #status: number;
  readonly #waitMs: number;

  constructor(url: string, { status, headers }: Response) {
    super(`status ${status}`);
    this.#url = url;
    this.#status = status;
    const asked = headers.get("retry-after") ?? "1", seconds = Number(asked);
    const waitMs = Number.isFinite(seconds) ? 1000 * seconds : Date.parse(asked) - Date.now();
    this.#waitMs = Number.isFinite(waitMs) ? Math.max(0, waitMs) : 1000;
  }

  /** Whether a status says so. */
  static is({ status }: Response): boolean {
    return status === 429 || status === 503;
  }

  /** Waits as long as the server asks, if it may be asked again and that is not too long. */
  async wait(left: number, { busyMs = 60_000 }: Pick<DownloadOptions, "busyMs">): Promise<void> {
    if (left <= 0 || this.#waitMs > busyMs) {
      throw new InputError(
        `Cannot fetch "${this.#url}" as its server is busy: its status is ${this.#status}, and it asks to wait ` +
          `${Math.ceil(this.#waitMs / 1000)} s`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, this.#waitMs));
  }
}

/**
 * Fetches an answer whole, for an interface that takes one: bounded in size and waiting, and asked for again where the server is
 * busy.
 *
 * @throws {Error} As for {@linkcode downloadFile}; other statuses than those of a busy server are returned.
 */
export async function fetchBounded(
  url: string,
  options: Pick<DownloadOptions, "answerMs" | "maxBytes" | "retries" | "busyMs"> & {
    readonly headers?: HeadersInit;
    /** The status whose body is read; those of others are left out (default: all are read). */
    readonly status?: number;
  } = {},
): Promise<Response> {
  const { answerMs = 30_000, maxBytes = 2 ** 25, headers = {} } = options;
  for (let left = options.retries ?? 2;; left--) {
    using watch = new Watch();
    watch.expect(answerMs);
    const response = await request(url, headers, watch);
    if (BusyError.is(response)) {
      await response.body?.cancel();
      await new BusyError(url, response).wait(left, options);
      continue;
    }
    if (options.status !== undefined && response.status !== options.status) {
      await response.body?.cancel();
      return new Response(null, { status: response.status, headers: response.headers });
    }
    const parts: Uint8Array<ArrayBuffer>[] = [];
    let bytes = 0;
    try {
      for await (const part of response.body ?? []) {
        bytes += part.length;
        if (bytes > maxBytes) {
          throw new InputRangeError(
            `Cannot fetch "${url}" as it is too large: allowed are up to ${maxBytes} bytes`,
          );
        }
        parts.push(part);
      }
    } catch (cause) {
      if (isInputError(cause)) throw cause;
      if (left > 0 && !watch.isOver) continue;
      const reason = watch.isOver
        ? `it has not come in ${answerMs / 1000} s`
        : `the connection was cut off (${reasonOf(cause, url)})`;
      throw new InputError(`Cannot fetch "${url}" as ${reason}`, { cause });
    }
    const { status, headers: answered } = response;
    return new Response(status === 204 || status === 304 ? null : new Blob(parts), {
      status,
      headers: answered,
    });
  }
}

/** Receives a file from an offset on, or from its beginning where the server sends that. Returns whether it continued. */
async function receive(
  download: Download,
  partial: string,
  start: number,
  options: DownloadOptions,
): Promise<boolean> {
  const { url } = download;
  const { answerMs = 30_000, stallMs = 30_000, maxBytes = 2 ** 30, progress } = options;
  using watch = new Watch();
  watch.expect(answerMs);
  const response = await request(url, {
    ...download.headers,
    // Ranges of compressed bytes could not be joined.
    "accept-encoding": "identity",
    ...(start > 0 ? { range: `bytes=${start}-` } : {}),
  }, watch);
  if (response.status === 416 && start > 0) {
    // The part already on disk is as long as the file or longer.
    await response.body?.cancel();
    await removeIfThere(partial);
    return await receive(download, partial, 0, options);
  }
  if (!response.ok) {
    await response.body?.cancel();
    if (BusyError.is(response)) throw new BusyError(url, response);
    throw new InputRangeError(
      `Cannot fetch "${url}" as ${
        download.refusal?.(response.status) ??
          `the server refuses: its status is ${response.status}`
      }`,
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
      await writing(partial, () => writeAll(file, value));
      progress?.(bytes, total);
    }
  } catch (cause) {
    if (isInputError(cause)) throw cause;
    throw new InterruptedError(
      watch.isOver
        ? `fewer than ${leastBytes} bytes came in ${stallMs / 1000} s`
        : `the connection was cut off (${reasonOf(cause, url)})`,
      { cause },
    );
  } finally {
    await reader.cancel().catch(() => {});
  }
  await writing(partial, () => file.syncData());
  return isContinued;
}

async function request(url: string, headers: HeadersInit, watch: Watch): Promise<Response> {
  try {
    return await fetch(url, { signal: watch.signal, headers });
  } catch (cause) {
    throw watch.isOver
      ? new InputError(
        `Cannot fetch "${url}" as its server does not answer: it was waited for ${
          watch.ms / 1000
        } s`,
        { cause },
      )
      : new InputTypeError(
        `Cannot fetch "${url}" as its server cannot be reached: ${reasonOf(cause, url)}`,
        { cause },
      );
  }
}

/** The cause's message without the URL, which ours has: the error itself only says "fetch failed". */
function reasonOf(error: unknown, url: string): string {
  let innermost = error as Error;
  while (innermost.cause instanceof Error) innermost = innermost.cause;
  const href = URL.parse(url)?.href ?? url;
  return innermost.message.replace(` for url (${href})`, "").replace(` for ${href}`, "");
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
 * Hash (hexadecimal) and size of a file, read in parts; of a name that ends in `.gz` those of its content, or of its own
 * bytes where that is cut off or damaged.
 */
export async function hashFile(
  path: string,
  algorithm: "sha256" | "md5" = "sha256",
): Promise<{ hash: string; sizeBytes: number }> {
  if (path.endsWith(".gz")) {
    const content = await openContent(path);
    try {
      return await hashOf(content, createHash(algorithm));
    } catch {
      // Not the expected bytes.
    }
  }
  return await hashOf((await openRegularFile(path)).readable, createHash(algorithm));
}

/** The hash by which git names a file's bytes, and their number; of a name that ends in `.gz` those of its content. */
export async function gitHashOf(path: string): Promise<{ hash: string; sizeBytes: number }> {
  if (path.endsWith(".gz")) {
    const bytes = await readTextBytes(path);
    const hash = createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
    return { hash, sizeBytes: bytes.length };
  }
  const file = await openRegularFile(path);
  const { size } = await file.stat();
  return await hashOf(file.readable, createHash("sha1").update(`blob ${size}\0`));
}

async function hashOf(parts: AsyncIterable<Uint8Array>, hash: Hash) {
  let sizeBytes = 0;
  for await (const part of parts) {
    hash.update(part);
    sizeBytes += part.length;
  }
  return { hash: hash.digest("hex"), sizeBytes };
}
