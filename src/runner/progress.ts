/**
 * Progress of runs for the person who waits for them: one line, overwritten on a terminal, that all
 * runs of the moment share; or, where output goes to a file, a plain line of each every ten seconds.
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

/** Where lines are shown. */
export interface DisplayOptions {
  /** Shows text as it is, line breaks and carriage returns included. */
  readonly write: (text: string) => void;
  /** Whether a line can be overwritten. */
  readonly overwrites: boolean;
  /** Characters that fit a line that is overwritten; a longer one is cut off. */
  readonly columns?: () => number;
}

/** Shows lines of several runs: those that stay below each other, those of the moment beside each other in the last line. */
export class Display {
  readonly #options: DisplayOptions;
  /** What each run is at, by its label. */
  readonly #current = new Map<string, string>();
  /** Characters on the terminal's current line. */
  #width = 0;

  /** Shows nothing yet. */
  constructor(options: DisplayOptions) {
    this.#options = options;
  }

  /** Whether lines are overwritten, so that one may be shown often. */
  get overwrites(): boolean {
    return this.#options.overwrites;
  }

  /** Shows a line of a run; where it `stays`, it is the last about what the run was at. */
  show(label: string, line: string, stays: boolean): void {
    const { write, overwrites } = this.#options;
    if (!overwrites) return write(line + "\n");
    if (stays) {
      this.#current.delete(label);
      const [first, ...rest] = line.split("\n");
      write("\r" + [first.padEnd(this.#width), ...rest].join("\n") + "\n");
      this.#width = 0;
      if (this.#current.size === 0) return;
    } else {
      this.#current.set(label, line);
    }
    const columns = this.#options.columns?.() ?? Infinity;
    // In the last column some terminals begin a new line.
    const shown = [...this.#current.values()].join(" | ").slice(0, columns - 1);
    write("\r" + shown.padEnd(this.#width));
    this.#width = shown.length;
  }
}

/** How the progress of a run is shown. */
export interface ProgressOptions {
  /** Name of the run, before each line. */
  readonly label: string;
  /** A shorter name for lines that are overwritten, where several runs share one; default the label. */
  readonly place?: string;
  /** Where lines are shown. */
  readonly display: Display;
  /** What else to say in each line of the moment: how long all runs will take. */
  readonly remark?: () => string | undefined;
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
    const interval = this.#options.display.overwrites ? overwriteIntervalMs : plainIntervalMs;
    return last || this.#now() - this.#shownAt >= interval;
  }

  #show(text: string, stays: boolean): void {
    const { label, place = label, display, remark } = this.#options;
    this.#shownAt = this.#now();
    const name = stays || !display.overwrites ? label : place;
    const other = stays ? undefined : remark?.();
    display.show(label, [name, text, ...other === undefined ? [] : [other]].join("  "), stays);
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
