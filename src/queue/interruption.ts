/**
 * Ctrl-C and the signals that end a process: the first asks runs to save a checkpoint and stop, a second one stops them at
 * once.
 *
 * One press may arrive twice. `deno task` forwards a signal that its child also gets from the terminal, or from whoever
 * signals the whole process group, so further signals within a second belong to the first.
 */

export interface InterruptionOptions {
  /** Prints that runs are stopping. */
  readonly onStop: () => void;
  /** Ends the process; a save in progress is abandoned. */
  readonly onStopAtOnce: () => void;
  /** Waits for a number of milliseconds; tests put their own clock here. */
  readonly pause?: (milliseconds: number) => Promise<void>;
}

/** Signals that ask for an end. A terminal that is closed sends SIGHUP. */
const signals: readonly Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT"]
  : ["SIGINT", "SIGTERM", "SIGHUP"];

/**
 * A second is waited for in parts: a step of a training may hold up the event loop for seconds, and a signal that came
 * during the step is then handled between two parts, before the second is over.
 */
const pauses = { count: 10, milliseconds: 100 };

/** Listens to signals until it is disposed of. */
export class Interruption implements Disposable {
  readonly #controller = new AbortController();
  readonly #options: InterruptionOptions;
  readonly #handle = () => this.handle();
  #stopsAtOnce = false;

  /** Begins to listen. */
  constructor(options: InterruptionOptions) {
    this.#options = options;
    for (const signal of signals) Deno.addSignalListener(signal, this.#handle);
  }

  /** Aborted at the first signal. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  handle(): void {
    if (this.#stopsAtOnce) return this.#options.onStopAtOnce();
    if (this.signal.aborted) return; // the same press once more
    this.#options.onStop();
    this.#controller.abort(new DOMException("The run was interrupted", "AbortError"));
    this.#awaitNext();
  }

  async #awaitNext(): Promise<void> {
    const { pause = unreferencedPause } = this.#options;
    for (let i = 0; i < pauses.count; i++) await pause(pauses.milliseconds);
    this.#stopsAtOnce = true;
  }

  /** Stops listening. */
  [Symbol.dispose](): void {
    for (const signal of signals) Deno.removeSignalListener(signal, this.#handle);
  }
}

/** A pause that keeps no process alive. */
function unreferencedPause(milliseconds: number): Promise<void> {
  return new Promise((done) => Deno.unrefTimer(setTimeout(done, milliseconds)));
}
