/**
 * Progress of runs for the person who waits for them: redrawn in place on a terminal; or, where
 * output goes to a file, plain lines of each run, fewer the longer a phase takes.
 */
import type { EvaluationProgress } from "../evaluation/evaluate.ts";
import type { RunProgress, TrainingProgress } from "../runner/run_context.ts";
import type { Display } from "./terminal.ts";
import { formatDuration } from "./duration.ts";
import { evaluationPhase, type Pace } from "./eta.ts";

/** How the progress of a run is shown. */
export interface ProgressOptions {
  /** Name of the run, before each line. */
  readonly label: string;
  /** A shorter name on a terminal; default the label. */
  readonly place?: string;
  /** Where lines are shown. */
  readonly display: Display;
  /** Tells how long the run and all runs will take; absent: only of the present phase that is said. */
  readonly pace?: Pace;
  /** Milliseconds since some moment; tests put their own clock here. */
  readonly now?: () => number;
}

/** Shortest time between two lines that are redrawn. */
const overwriteIntervalMs = 100;

/** Shortest and longest time between two lines that are not; between these, a tenth of the phase's time so far. */
const plainIntervalMs = { shortest: 10_000, longest: 300_000 };

/** Shows where a run is and how long it will take. */
export class Progress implements RunProgress {
  #options: ProgressOptions;
  #now: () => number;
  #shownAt = -Infinity;
  /** Start of the current phase, to estimate its remaining time. */
  #start = { phase: "", done: 0, at: 0 };

  /** Shows nothing until the first report. */
  constructor(options: ProgressOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Reports a training step; most are not shown. */
  step(training: TrainingProgress): void {
    const { phase, step, steps, loss, tokensPerSecond, memory } = training;
    const { left } = this.#follow(phase, step, steps);
    this.#report([
      `${phase} step ${step}/${steps}`,
      `loss ${loss.toFixed(4)}`,
      `${Math.round(tokensPerSecond)} tokens/s`,
      ...(memory ? [`memory ${memory.tokens}/${memory.capacityTokens} tokens`] : []),
      ...left,
    ], step === steps);
  }

  /** Reports an evaluated item; most are not shown. */
  item({ evaluation, model, items, total, unit }: EvaluationProgress): void {
    const phase = evaluationPhase(evaluation, model);
    const { left, perSecond } = this.#follow(phase, items, total);
    this.#report([
      `${phase} ${items}/${total} ${unit}`,
      ...(perSecond === undefined ? [] : [`${formatRate(perSecond)} ${unit}/s`]),
      ...left,
    ], items === total);
  }

  /** Shows the run's activity until the next call. */
  doing(text: string): void {
    if (this.#options.display.overwrites) this.#at([text]);
    else this.note(text);
  }

  /** Shows a line that stays. */
  note(text: string): void {
    const { label, place = label, display } = this.#options;
    this.#stay(display.overwrites ? place : label, [text]);
  }

  /** Shows the first line of a run, which stays, with its whole name. */
  begin(text: string): void {
    this.#stay(this.#options.label, [text]);
  }

  #report(parts: readonly string[], last: boolean): void {
    const { label, place = label, display, pace } = this.#options;
    const { overwrites } = display;
    const sinceMs = this.#now() - this.#shownAt;
    if (!last && sinceMs < (overwrites ? overwriteIntervalMs : this.#plainIntervalMs())) return;
    const remark = pace?.remark();
    if (last) this.#stay(overwrites ? place : label, parts);
    else if (overwrites) this.#at(parts);
    else this.#stay(label, remark === undefined ? parts : [...parts, remark]);
  }

  #at(parts: readonly string[]): void {
    const { label, place = label, display, pace } = this.#options;
    this.#shownAt = this.#now();
    const [first, ...rest] = parts;
    display.at(label, [`${place}  ${first}`, ...rest], pace?.remark());
  }

  #stay(name: string, parts: readonly string[]): void {
    this.#shownAt = this.#now();
    this.#options.display.stay(this.#options.label, [name, ...parts].join("  "));
  }

  #plainIntervalMs(): number {
    const { shortest, longest } = plainIntervalMs;
    return Math.min(longest, Math.max(shortest, (this.#now() - this.#start.at) / 10));
  }

  /** Time that a phase and the run will take at the pace so far, and items a second; nothing at its first report. */
  #follow(
    phase: string,
    done: number,
    total: number,
  ): { left: string[]; perSecond?: number } {
    const now = this.#now();
    const { label, pace } = this.#options;
    pace?.report(label, phase, done / total);
    if (phase !== this.#start.phase) this.#start = { phase, done, at: now };
    const progressed = done - this.#start.done, elapsedMs = now - this.#start.at;
    if (progressed <= 0 || elapsedMs <= 0) return { left: [] };
    const leftMs = elapsedMs / progressed * (total - done);
    const run = pace?.restOf(label, leftMs);
    return {
      left: done >= total ? [] : [
        `${formatDuration(leftMs)} left`,
        ...(run === undefined ? [] : [`run: ${run} left`]),
      ],
      perSecond: 1000 * progressed / elapsedMs,
    };
  }
}

/** A rate with two digits that say something. */
function formatRate(perSecond: number): string {
  return perSecond < 10 ? String(Number(perSecond.toPrecision(2))) : String(Math.round(perSecond));
}
