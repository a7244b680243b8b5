/** Server-sent events, made as the client reads them; whoever makes their data does not wait for that. */

/** Milliseconds in which a client may still read why its request has ended. */
const unreadMs = 1000;

export interface EventStreamOptions {
  /** Makes the last event of an error. */
  readonly failure: (error: unknown) => string;
  /** The request's: where it aborts, the stream ends even if the client does not read. */
  readonly signal: AbortSignal;
  /** Called once, when the client has read everything, has gone away, or may read no more. */
  readonly onEnd: () => void;
}

/** A response body of events with these data. */
export function eventStream(
  data: AsyncIterable<string>,
  { failure, signal, onEnd }: EventStreamOptions,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const encoder = new TextEncoder(), iterator = data[Symbol.asyncIterator]();
  let isEnded = false, limit = () => {};
  let timer: ReturnType<typeof setTimeout> | undefined;
  const end = () => {
    if (isEnded) return;
    isEnded = true;
    clearTimeout(timer);
    signal.removeEventListener("abort", limit);
    onEnd();
  };
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(controller) {
      const giveUp = () => {
        controller.error(signal.reason);
        end();
      };
      limit = () => timer = setTimeout(giveUp, unreadMs);
      if (signal.aborted) limit();
      else signal.addEventListener("abort", limit, { once: true });
    },
    async pull(controller) {
      const { done, value } = await iterator.next()
        .catch((error) => ({ done: false, value: failure(error) }));
      if (isEnded) return;
      if (!done) return controller.enqueue(encoder.encode(`data: ${value}\n\n`));
      controller.close();
      end();
    },
    cancel: end,
  }, { highWaterMark: 0 });
}
