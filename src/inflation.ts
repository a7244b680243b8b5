/** Gzip by Node's modules, which Deno has, too. */
import { Readable } from "node:stream";
import { promisify } from "node:util";
import { createGunzip, gunzip as gunzipOf } from "node:zlib";

/**
 * Uncompresses gzip data.
 *
 * @returns undefined where it is more than `maxBytes`.
 */
export async function gunzip(
  bytes: Uint8Array,
  maxBytes: number,
): Promise<Uint8Array | undefined> {
  try {
    return await promisify(gunzipOf)(bytes, { maxOutputLength: maxBytes });
  } catch (error) {
    if ((error as { code?: unknown }).code === "ERR_BUFFER_TOO_LARGE") return undefined;
    throw error;
  }
}

/** Uncompresses gzip data in parts. */
export function gunzipParts(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
): AsyncIterable<Uint8Array<ArrayBuffer>> {
  return Readable.fromWeb(stream as never).pipe(createGunzip());
}
