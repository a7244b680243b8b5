import { ApiError } from "./api_error.ts";

/**
 * Reads the JSON of a request.
 *
 * @param signal Ends the wait for its bytes, with its reason.
 * @throws ApiError where it is too large, or not JSON.
 */
export async function readJson(
  request: Request,
  { bodyBytes, signal }: { bodyBytes: number; signal: AbortSignal },
): Promise<unknown> {
  const bytes = await readBytes(request, bodyBytes, signal);
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    const reason = (cause as Error).message.slice(0, 200);
    throw new ApiError(400, `Cannot read the body as it is not JSON in UTF-8: ${reason}`);
  }
}

async function readBytes(
  request: Request,
  bodyBytes: number,
  signal: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  const tooLarge = (bytes: string) =>
    new ApiError(
      413,
      `Cannot read the body as it is too large: current size is ${bytes} bytes, allowed are ${bodyBytes}`,
    );
  const declared = Number(request.headers.get("content-length") ?? 0);
  if (declared > bodyBytes) throw tooLarge(`${declared}`);
  if (!request.body) return new Uint8Array();
  const reader = request.body.getReader(), parts: Uint8Array<ArrayBuffer>[] = [];
  const stop = () => void reader.cancel(signal.reason).catch(() => {});
  const lost = (cause: unknown) => {
    signal.throwIfAborted();
    throw new ApiError(
      499,
      `Cannot read the body as the connection has ended: ${(cause as Error).message}`,
    );
  };
  signal.addEventListener("abort", stop, { once: true });
  try {
    for (let size = 0;;) {
      const { done, value } = await reader.read().catch(lost);
      signal.throwIfAborted();
      if (done) return await new Blob(parts).bytes();
      size += value.length;
      if (size > bodyBytes) {
        stop();
        throw tooLarge(`more than ${bodyBytes}`);
      }
      parts.push(value);
    }
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
