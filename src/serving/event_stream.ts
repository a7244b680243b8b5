/**
 * Server-sent events. They are made at their own speed and kept until the client reads them, so that a slow client holds up
 * nobody else.
 */

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
  const encoder = new TextEncoder(), events: Uint8Array<ArrayBuffer>[] = [];
  let isMade = false, isEnded = false, wake = () => {}, giveUp = () => {};
  let timer: ReturnType<typeof setTimeout> | undefined;
  const make = async () => {
    const add = (text: string) => {
      events.push(encoder.encode(`data: ${text}\n\n`));
      wake();
    };
    try {
      for await (const text of data) add(text);
    } catch (error) {
      add(failure(error));
    }
    isMade = true;
    wake();
    if (isEnded) return;
    if (signal.aborted) timer = setTimeout(giveUp, unreadMs);
    else signal.addEventListener("abort", giveUp, { once: true });
  };
  const end = () => {
    if (isEnded) return;
    isEnded = true;
    clearTimeout(timer);
    signal.removeEventListener("abort", giveUp);
    onEnd();
  };
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(controller) {
      giveUp = () => {
        if (isEnded) return;
        controller.error(signal.reason);
        end();
      };
      void make();
    },
    async pull(controller) {
      while (events.length === 0 && !isMade) {
        await new Promise<void>((resolve) => wake = resolve);
      }
      if (isEnded) return;
      const event = events.shift();
      if (event) return controller.enqueue(event);
      controller.close();
      end();
    },
    cancel: end,
  }, { highWaterMark: 0 });
}
