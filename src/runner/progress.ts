/**
 * Progress of a run for the person who waits for it: one line, overwritten on a terminal, or a plain
 * line every ten seconds where output goes to a file.
 */

/** What a training reports after each step. */
export interface TrainingProgress {
  /** What is trained: `backbone`, `longmem`, ... */
  readonly phase: string;
  /** Updates done. */
  readonly step: number;
  /** Updates there will be. */
  readonly steps: number;
  /** Loss of the last batch, in nats a token. */
  readonly loss: number;
  /** Tokens trained on per second, lately. */
  readonly tokensPerSecond: number;
  /** Tokens the memory holds, of those it has room for. */
  readonly memory?: { readonly tokens: number; readonly capacityTokens: number };
}

/** What an evaluation reports after each item. */
export interface EvaluationProgress {
  /** Name of the evaluation. */
  readonly evaluation: string;
  /** Model that is evaluated. */
  readonly model: string;
  /** Items done. */
  readonly items: number;
  /** Items there will be. */
  readonly total: number;
}

/** Where progress is shown. */
export interface ProgressOptions {
  /** Name of the run, before each line. */
  readonly label: string;
  /** Shows text as it is, line breaks and carriage returns included. */
  readonly write: (text: string) => void;
  /** Whether a line can be overwritten. */
  readonly overwrites: boolean;
  /** Milliseconds since some moment; tests put their own clock here. */
  readonly now?: () => number;
}

/** Shortest time between two lines that are not overwritten, and between two that are. */
const plainIntervalMs = 10_000;
const overwriteIntervalMs = 100;

/** Shows where a run is and how long it will take. */
export class Progress {
  #options: ProgressOptions;
  #now: () => number;
  #shownAt = -Infinity;
  /** Characters on the terminal's current line. */
  #width = 0;
  /** Where the current phase began, to tell how long the rest takes. */
  #start = { phase: "", done: 0, at: 0 };

  /** Shows nothing until the first report. */
  constructor(options: ProgressOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Reports a training step; most are not shown. */
  step(training: TrainingProgress): void {
    const { phase, step, steps, loss, tokensPerSecond, memory } = training;
    const left = this.#timeLeft(phase, step, steps);
    if (!this.#due(step === steps)) return;
    const parts = [
      `${phase} step ${step}/${steps}`,
      `loss ${loss.toFixed(4)}`,
      `${Math.round(tokensPerSecond)} tokens/s`,
      ...(memory ? [`memory ${memory.tokens}/${memory.capacityTokens}`] : []),
      ...left,
    ];
    this.#show(parts.join("  "), step === steps);
  }

  /** Reports an evaluated item; most are not shown. */
  item({ evaluation, model, items, total }: EvaluationProgress): void {
    const phase = `${evaluation} ${model}`;
    const left = this.#timeLeft(phase, items, total);
    if (!this.#due(items === total)) return;
    this.#show([`${phase}  ${items}/${total}`, ...left].join("  "), items === total);
  }

  /** Shows a line that stays. */
  note(text: string): void {
    this.#show(text, true);
  }

  #due(last: boolean): boolean {
    const interval = this.#options.overwrites ? overwriteIntervalMs : plainIntervalMs;
    return last || this.#now() - this.#shownAt >= interval;
  }

  /** Ends the line where it `stays`; else the next one overwrites it, if lines can be. */
  #show(text: string, stays: boolean): void {
    const { label, write, overwrites } = this.#options;
    const line = `${label}  ${text}`;
    this.#shownAt = this.#now();
    if (!overwrites) return write(line + "\n");
    write("\r" + line.padEnd(this.#width) + (stays ? "\n" : ""));
    this.#width = stays ? 0 : line.length;
  }

  /** The time that the rest of a phase takes at the pace so far; nothing at its first and last report. */
  #timeLeft(phase: string, done: number, total: number): string[] {
    const now = this.#now();
    if (phase !== this.#start.phase) this.#start = { phase, done, at: now };
    const progressed = done - this.#start.done;
    if (progressed <= 0 || done >= total) return [];
    const leftMs = (now - this.#start.at) / progressed * (total - done);
    return [`${formatDuration(leftMs)} left`];
  }
}

/** A duration as people say it: `42 s`, `3 min`, `2 h 05 min`. */
export function formatDuration(milliseconds: number): string {
  const seconds = Math.ceil(milliseconds / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.ceil(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}
