/**
 * `deno task run`: from paths of declarations to runs, tables and an exit code.
 */
import { type Command, lastValue, type Output, positiveInteger } from "../command_line.ts";
import { defined } from "../defined.ts";
import { metricCatalog, readTabulatedRun } from "../evaluation/metric_catalog.ts";
import { estimateRun } from "../experiment/estimate.ts";
import type { ResolvedRun } from "../experiment/resolve.ts";
import { closingText, foundText } from "../results/run_summary.ts";
import { currentEnvironment } from "../results/environment.ts";
import { readRunRecords } from "../results/read_runs.ts";
import { Display } from "../queue/terminal.ts";
import { failureText } from "../errors.ts";
import { worksOf } from "../queue/eta.ts";
import { Interruption } from "../queue/interruption.ts";
import { runPath } from "../queue/run_lifecycle.ts";
import type { RunExecutor } from "../runner/run_context.ts";
import {
  executeQueue,
  isCompleted,
  type QueuedState,
  type QueueOptions,
  summarizeQueue,
} from "../queue/run_queue.ts";
import { deviceFlag } from "./device_flag.ts";
import { offlineFlag } from "./model_source.ts";
import { namedRuns, resultsFlag } from "./named_runs.ts";
import { describeRuns } from "./dry_run.ts";
import { describeMissing, describeSources } from "./missing_data.ts";
import { terminalSize, unlessClosed, writeOut } from "../standard_output.ts";
import { prepareTensorboard } from "../results/tensorboard.ts";

/**
 * `run PATH...`: executes the runs of experiments, and shows their results.
 *
 * @param executor Loads the function that executes a run.
 */
export function runCommand(output: Output, executor: () => Promise<RunExecutor>): Command {
  return {
    operandsArePaths: true,
    onlyReads: ({ flags }) => flags.has("dry-run"),
    flags: [
      {
        name: "set",
        value: "path=value",
        help:
          "override a field of every experiment, or sweep it: sweep.seed=1,2,4 or 1..5; repeatable. Paths in it are relative to " +
          "the repository, as in declarations",
      },
      { ...deviceFlag, help: "where to run" },
      resultsFlag,
      {
        name: "tensorboard",
        value: "FOLDER",
        isPath: true,
        help: "write the curves of trainings there, too, for TensorBoard",
      },
      {
        name: "limit",
        value: "N",
        help: "items per evaluation at most, for a first look; recorded",
      },
      {
        name: "dry-run",
        help: "show runs, parameters, cost and missing data; run and write nothing",
      },
      { name: "fresh", help: "discard earlier results and checkpoints, and start again" },
      offlineFlag,
      { name: "jobs", value: "N", help: "runs at once (default 1)" },
      { name: "retry-failed", help: "resume failed runs, which are otherwise only listed" },
      { name: "fail-fast", help: "start no further run after one has failed" },
    ],
    execute: async (args) => {
      const { runs, results } = await namedRuns(args, "run");
      if (args.flags.has("dry-run")) {
        output.print(await describeRuns(runs, results, await currentEnvironment()));
        return 0;
      }
      const curves = defined({ tensorboard: lastValue(args, "tensorboard") });
      if (curves.tensorboard !== undefined) await prepareTensorboard(curves.tensorboard);
      return await executeRuns(runs, await executor(), {
        output,
        results,
        ...curves,
        fresh: args.flags.has("fresh"),
        jobs: positiveInteger(args, "jobs") ?? 1,
        retryFailed: args.flags.has("retry-failed"),
        failFast: args.flags.has("fail-fast"),
      });
    },
  };
}

/** Executes runs that are not finished. Ctrl-C stops them after a checkpoint, and begins no other. */
async function executeRuns(
  runs: readonly ResolvedRun[],
  executor: RunExecutor,
  { output, ...options }:
    & Pick<
      QueueOptions,
      "results" | "tensorboard" | "fresh" | "jobs" | "retryFailed" | "failFast"
    >
    & { readonly output: Output },
): Promise<number> {
  const display = new Display({
    write: show,
    overwrites: isAnimated(),
    size: terminalSize,
  });
  const sameCommand = options.fresh ? "without --fresh, the same command" : "the same command";
  const complain = (text: string) => display.beside(() => output.note(text));
  using interruption = new Interruption({
    onStop: () => complain("Stopping after a checkpoint; a second Ctrl-C stops at once"),
    onStopAtOnce: () => {
      display.end();
      complain(`Stopped at once: ${sameCommand} continues from the last checkpoints`);
      Deno.exit(130);
    },
  });
  try {
    const states = await executeQueue(runs, executor, {
      ...options,
      environment: await currentEnvironment(),
      signal: interruption.signal,
      display,
      report: complain,
      worksOf: async ({ experiment }) => worksOf(await estimateRun(experiment)),
      closing: async (folder) => {
        const run = await readTabulatedRun(folder);
        return several(runs, run.summary.experiment)
          ? foundText(run, metricCatalog)
          : closingText([run], metricCatalog);
      },
    });
    if (!interruption.signal.aborted) await showExperiments(runs, states, { output, ...options });
    output.print(summarizeQueue(states, options.results));
    const stopped = interruption.signal.aborted && states.includes("waiting");
    if (stopped || states.includes("interrupted")) {
      output.print(`Interrupted: ${sameCommand} continues from the last checkpoints`);
      return 130;
    }
    const leftOut = runs.filter((_, i) => states[i] === "left out");
    if (leftOut.length > 0) output.print(await leftOutText(leftOut));
    // Another process reports the runs that it still executes.
    const done = states.filter((state) =>
      isCompleted(state) || state === "locked" || state === "taken over"
    );
    return done.length > 0 && done.length + leftOut.length === states.length ? 0 : 1;
  } finally {
    display.end();
  }
}

/** Writes to the output; runs go on where nobody reads it any more. */
function show(text: string): void {
  unlessClosed(() => writeOut(text));
}

/** Whether an experiment has several of the runs, whose tables are then shown together. */
function several(runs: readonly ResolvedRun[], name: string): boolean {
  return runs.filter(({ experiment }) => experiment.name === name).length > 1;
}

/** Shows the tables of each experiment of several runs, if one of these has just been completed, here or elsewhere. */
async function showExperiments(
  runs: readonly ResolvedRun[],
  states: readonly QueuedState[],
  { output, results }: { readonly output: Output; readonly results: string },
): Promise<void> {
  const completed = runs.filter((_, i) =>
    states[i] === "completed" || states[i] === "completed elsewhere"
  );
  for (const name of new Set(completed.map(({ experiment }) => experiment.name))) {
    if (!several(runs, name)) continue;
    const shown = runs.filter((run, i) => run.experiment.name === name && isCompleted(states[i]));
    try {
      const { records, damaged } = await readRunRecords(
        shown.map((run) => runPath(results, run)),
        readTabulatedRun,
      );
      for (const { path, reason } of damaged) output.note(`Left out ${path}: ${reason}`);
      if (records.length > 0) show(`\n${closingText(records, metricCatalog, damaged)}\n`);
    } catch (error) {
      // They are completed, whether or not they can be read.
      output.note(failureText(error));
    }
  }
}

/** Message about runs that were left out. */
async function leftOutText(runs: readonly ResolvedRun[]): Promise<string> {
  const missing = await describeMissing(runs), sources = await describeSources(runs);
  return [
    ["Left out, as something is missing:", ...missing].join("\n  "),
    ...(sources.length > 0 ? [["How to get them:", ...sources].join("\n  ")] : []),
  ].join("\n");
}

/** Whether lines can be redrawn: on a terminal, unless its output is kept like a log. */
function isAnimated(): boolean {
  return Deno.stdout.isTerminal() && Deno.env.get("TERM") !== "dumb" && !Deno.env.get("CI");
}
