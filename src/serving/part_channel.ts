import type { CompletionPart } from "./completion.ts";

export interface ChoicePart extends CompletionPart {
  /** Place of the prompt in the request. */
  readonly index: number;
}

/** Parts on their way from whoever computes them to whoever sends them. */
export function partChannel() {
  const parts: ChoicePart[] = [];
  let isEnded = false, failure: { error: unknown } | undefined, wake = () => {};
  return {
    put(part: ChoicePart) {
      parts.push(part);
      wake();
    },
    end() {
      isEnded = true;
      wake();
    },
    fail(error: unknown) {
      failure = { error };
      wake();
    },
    parts: (async function* () {
      for (;;) {
        const part = parts.shift();
        if (part) yield part;
        else if (failure) throw failure.error;
        else if (isEnded) return;
        else await new Promise<void>((resolve) => wake = resolve);
      }
    })(),
  };
}
