/**
 * Estimates the time that runs will take from their remaining FLOPs and the throughput so far. Approximate, since
 * some parts are faster than others; a lower bound where the cost of a part is unknown.
 */
import { modelName } from "../evaluation/models.ts";
import { defined } from "../defined.ts";
import type { Estimate } from "../experiment/estimate.ts";
import { formatDuration } from "./duration.ts";

/** A part of a run: a training, or the evaluation of one model. */
export interface Work {
  /** The phase as the run reports it. */
  readonly phase: string;
  /** Floating-point operations; absent where they are not known. */
  readonly operations?: number;
  /** Key of a training; of several runs with the same key only the first performs it. */
  readonly training?: string;
}

/** The parts of a run, in the order in which it does them. */
export function worksOf({ trainings, evaluations }: Estimate): Work[] {
  return [
    ...trainings.map(({ phase, operations, key }) => defined({ phase, training: key, operations })),
    ...evaluations.flatMap(({ name, models }) =>
      models.map(({ model, operations }) =>
        defined({ phase: evaluationPhase(name, modelName(model)), operations })
      )
    ),
  ];
}

/** How a run reports the evaluation of a model. */
export function evaluationPhase(evaluation: string, model: string): string {
  return `${evaluation} ${model}`;
}

interface PlannedRun {
  readonly works: readonly Work[];
  /** Where in its parts it is; -1 before the first. */
  place: number;
  /** How much of that part is done, of 1. */
  fraction: number;
  /** Operations that were done while it was watched, and since when. */
  done: number;
  startedAt: number | undefined;
  finished: boolean;
}

/** Follows runs, and estimates how long they will take. */
export class Pace {
  readonly #runs = new Map<string, PlannedRun>();
  readonly #now: () => number;
  #startedAt: number | undefined;
  #done = 0;

  /** @param now Milliseconds since some moment; tests put their own clock here. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Takes the runs that are to be done, in order, by their labels, with their parts. */
  plan(runs: ReadonlyMap<string, readonly Work[]>): void {
    const trained = new Set<string>();
    for (const [label, works] of runs) {
      const planned = works.map((work) => {
        const taken = work.training !== undefined && trained.has(work.training);
        if (work.training !== undefined) trained.add(work.training);
        return taken ? { ...work, operations: 0 } : work;
      });
      this.#runs.set(label, {
        works: planned,
        place: -1,
        fraction: 0,
        done: 0,
        startedAt: undefined,
        finished: false,
      });
    }
  }

  /** Records a run's progress in a phase, from 0 to 1. Work done before does not count for the pace. */
  report(label: string, phase: string, fraction: number): void {
    const run = this.#runs.get(label);
    const place = run?.works.findIndex((work) => work.phase === phase) ?? -1;
    if (!run || place < 0) return;
    this.#startedAt ??= this.#now();
    run.startedAt ??= this.#now();
    if (place === run.place) {
      const done = (fraction - run.fraction) * (run.works[place].operations ?? 0);
      run.done += done;
      this.#done += done;
    }
    run.place = place;
    run.fraction = fraction;
  }

  /** A run has ended, or is left as it is. */
  finish(label: string): void {
    const run = this.#runs.get(label);
    if (run) run.finished = true;
  }

  /** Time that a run will take after its present phase: `over 3 min`; undefined where nothing follows or can be said. */
  restOf(label: string, phaseLeftMs: number): string | undefined {
    const run = this.#runs.get(label);
    if (!run || run.startedAt === undefined || run.place === run.works.length - 1) return undefined;
    const rest = run.works.slice(run.place + 1);
    return formatLeft(phaseLeftMs, rest, run.done / (this.#now() - run.startedAt));
  }

  /** Time that all runs will take and how many are done, in words; undefined for a single run. */
  remark(): string | undefined {
    const runs = [...this.#runs.values()];
    if (runs.length < 2) return undefined;
    const done = runs.filter(({ finished }) => finished).length;
    const counted = `all runs: ${done} of ${runs.length} done`;
    if (this.#startedAt === undefined) return counted;
    const works = runs.filter(({ finished }) => !finished).flatMap(leftOf);
    const left = formatLeft(0, works, this.#done / (this.#now() - this.#startedAt));
    return left === undefined ? counted : `${counted}, ${left} left`;
  }
}

function leftOf({ works, place, fraction }: PlannedRun): Work[] {
  return works.slice(Math.max(place, 0)).map((work, i) =>
    i > 0 || place < 0 || work.operations === undefined
      ? work
      : { ...work, operations: work.operations * (1 - fraction) }
  );
}

function formatLeft(
  sureMs: number,
  works: readonly Work[],
  operationsPerMs: number,
): string | undefined {
  if (!(operationsPerMs > 0) || works.length === 0) return undefined;
  const operations = works.reduce((sum, work) => sum + (work.operations ?? 0), 0);
  const isKnown = works.every((work) => work.operations !== undefined);
  return `${isKnown ? "about" : "over"} ${formatDuration(sureMs + operations / operationsPerMs)}`;
}
