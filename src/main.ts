/**
 * The command line: `deno task run`, `deno task table`, ...
 *
 * Exit codes: 0 all done, but for runs of a folder whose data is missing; 1 a run failed or was left to another process, or a file that was named cannot be used;
 * 2 the declaration or the command line is wrong; 130 stopped by Ctrl-C.
 */
// deno-lint-ignore-file no-console -- this is where results and errors reach the person who asked
import {
  type Command,
  commandHelp,
  InputError,
  type Output,
  overview,
  positiveInteger,
  readArguments,
  UsageError,
} from "./command_line.ts";
import { chapterBreakCommand } from "./commands/chapter_break.ts";
import { dataCommand } from "./commands/data.ts";
import { describeMissing, describeSources } from "./commands/missing_data.ts";
import { describeRuns } from "./commands/dry_run.ts";
import { exportCommand } from "./commands/export.ts";
import { generateCommand } from "./commands/generate.ts";
import { importCommand } from "./commands/import.ts";
import { inductionCommand } from "./commands/induction.ts";
import { reportCommand } from "./commands/report.ts";
import { tableCommand } from "./commands/table.ts";
import type { DeviceChoice } from "./experiment/declaration.ts";
import { estimateRun } from "./experiment/estimate.ts";
import { type ResolvedRun, resolveRuns } from "./experiment/resolve.ts";
import { allowedWords } from "./suggestion.ts";
import { DeclarationError } from "./experiment/problem.ts";
import { itemSums } from "./evaluation/item_sums.ts";
import { closingText, foundText } from "./results/closing.ts";
import { currentEnvironment } from "./results/environment.ts";
import { readRunRecord, readRunRecords } from "./results/run_record.ts";
import { failureText, isForeseen } from "./runner/failure.ts";
import { Display } from "./runner/display.ts";
import { worksOf } from "./runner/pace.ts";
import { runPath } from "./runner/recorded_run.ts";
import type { RunExecutor } from "./runner/run.ts";
import {
  executeQueue,
  type QueuedState,
  type QueueOptions,
  summarizeQueue,
} from "./runner/run_queue.ts";

/** Commands print to the terminal. */
const terminal: Output = {
  print: (text) => console.log(text),
  note: (text) => console.error(text),
};

/** Every command; a new one is one line here. */
function commandTable(executor: () => Promise<RunExecutor>): Record<string, Command> {
  return {
    run: runCommand(executor),
    table: tableCommand(terminal),
    report: reportCommand(terminal),
    data: dataCommand(terminal),
    "chapter-break": chapterBreakCommand(terminal),
    import: importCommand(terminal),
    export: exportCommand(terminal),
    generate: generateCommand(terminal),
    induction: inductionCommand(terminal),
  };
}

/**
 * Runs the command line and returns its exit code.
 *
 * @param args Arguments, the command first.
 * @param executor Loads what executes a run; tests put their own here.
 */
export async function main(
  args: readonly string[],
  executor: () => Promise<RunExecutor> = loadExecutor,
): Promise<number> {
  const commands = commandTable(executor);
  const [name, ...rest] = args;
  if (name === "--help" || name === undefined) {
    (name ? console.log : console.error)(overview(commands));
    return name ? 0 : 2;
  }
  try {
    if (!Object.hasOwn(commands, name)) {
      const allowed = allowedWords(name, Object.keys(commands));
      throw new UsageError(`Cannot run command "${name}" as it is unknown: ${allowed}`);
    }
    const command = commands[name];
    if (rest.includes("--help")) {
      console.log(commandHelp(name, command));
      return 0;
    }
    return await command.execute(readArguments(command, rest));
  } catch (error) {
    const code = error instanceof UsageError || error instanceof DeclarationError
      ? 2
      : error instanceof InputError || isForeseen(error)
      ? 1
      : undefined;
    if (code === undefined) throw error;
    console.error(isForeseen(error) ? failureText(error) : (error as Error).message);
    return code;
  }
}

/** Engines are loaded only when something runs, so that `table` needs none of their permissions. */
async function loadExecutor(): Promise<RunExecutor> {
  return (await import("./runner/run.ts")).executeRun;
}

function runCommand(executor: () => Promise<RunExecutor>): Command {
  return {
    operands: "PATH...",
    help:
      "Runs the experiments that files or folders declare, or a recorded run again from its folder. Finished runs are kept, unfinished " +
      "ones resume; what another process executes is left to it. Of a folder, runs whose data is " +
      "missing are left out and listed: 0 where all others are completed, unless there are none.",
    flags: [
      {
        name: "set",
        value: "path=value",
        help: "override a field of every experiment; repeatable",
      },
      {
        name: "device",
        value: "DEVICE",
        allowed: ["auto", "webgpu", "cpu", "wasm"],
        help: "where to run",
      },
      { name: "results", value: "DIR", help: "folder of the results (default results)" },
      { name: "limit", value: "N", help: "items per evaluation at most; recorded" },
      {
        name: "dry-run",
        help: "show runs, parameters, cost and missing data; run and write nothing",
      },
      { name: "fresh", help: "start anew, whatever earlier runs left" },
      { name: "jobs", value: "N", help: "runs at once (default 1)" },
      { name: "retry-failed", help: "resume runs that have failed; else they are only listed" },
      { name: "fail-fast", help: "begin no other run after one has failed" },
    ],
    execute: async (args) => {
      if (args.operands.length === 0) {
        throw new UsageError("Cannot run as no file or folder of experiments is given");
      }
      const limit = positiveInteger(args, "limit");
      const device = args.flags.get("device")?.at(-1) as DeviceChoice | undefined;
      const runs = await resolveRuns(args.operands, {
        assignments: args.flags.get("set") ?? [],
        ...(limit !== undefined && { limit }),
        ...(device !== undefined && { device }),
      });
      const results = args.flags.get("results")?.at(-1) ?? "results";
      if (args.flags.has("dry-run")) {
        console.log(await describeRuns(runs, results, await currentEnvironment()));
        return 0;
      }
      return await executeRuns(runs, await executor(), {
        results,
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
  options: Pick<QueueOptions, "results" | "fresh" | "jobs" | "retryFailed" | "failFast">,
): Promise<number> {
  const interruption = new AbortController();
  const display = new Display({
    write: writeOut,
    overwrites: isAnimated(),
    size: () => Deno.consoleSize(),
  });
  const sameCommand = options.fresh ? "without --fresh, the same command" : "the same command";
  const complain = (text: string) => display.beside(() => console.error(text));
  const interrupt = () => {
    if (interruption.signal.aborted) {
      // Whatever is being saved is given up.
      display.end();
      complain(`Stopped at once: ${sameCommand} goes on from the last checkpoints`);
      Deno.exit(130);
    }
    complain("Stopping after a checkpoint; once more to stop at once");
    interruption.abort(new DOMException("The run was interrupted", "AbortError"));
  };
  const signals: Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];
  for (const signal of signals) Deno.addSignalListener(signal, interrupt);
  try {
    const states = await executeQueue(runs, executor, {
      ...options,
      environment: await currentEnvironment(),
      signal: interruption.signal,
      display,
      report: complain,
      worksOf: async ({ experiment }) => worksOf(await estimateRun(experiment)),
      closing: async (folder) => {
        const record = await readRunRecord(folder);
        return several(runs, record.summary.experiment)
          ? foundText(record, itemSums)
          : closingText([record], itemSums);
      },
    });
    if (!interruption.signal.aborted) await showExperiments(runs, states, options.results);
    console.log(summarizeQueue(states, options.results));
    const stopped = interruption.signal.aborted && states.includes("waiting");
    if (stopped || states.includes("interrupted")) {
      console.log(`Interrupted: ${sameCommand} goes on from the last checkpoints`);
      return 130;
    }
    const done = states.filter((state) => state === "completed" || state === "completed earlier");
    const leftOut = runs.filter((_, i) => states[i] === "left out");
    if (leftOut.length > 0) console.log(await leftOutText(leftOut));
    return done.length > 0 && done.length + leftOut.length === states.length ? 0 : 1;
  } finally {
    for (const signal of signals) Deno.removeSignalListener(signal, interrupt);
    display.end();
  }
}

/** Whether an experiment has several of the runs, whose tables are then shown together. */
function several(runs: readonly ResolvedRun[], name: string): boolean {
  return runs.filter(({ experiment }) => experiment.name === name).length > 1;
}

/** Shows the tables of each experiment of several runs, if one of these has just been completed. */
async function showExperiments(
  runs: readonly ResolvedRun[],
  states: readonly QueuedState[],
  results: string,
): Promise<void> {
  const completed = runs.filter((_, i) => states[i] === "completed");
  for (const name of new Set(completed.map(({ experiment }) => experiment.name))) {
    if (!several(runs, name)) continue;
    const shown = runs.filter((run, i) =>
      run.experiment.name === name && ["completed", "completed earlier"].includes(states[i])
    );
    try {
      const { records, damaged } = await readRunRecords(shown.map((run) => runPath(results, run)));
      for (const { path, reason } of damaged) console.error(`Left out ${path}: ${reason}`);
      if (records.length > 0) writeOut(`\n${closingText(records, itemSums, damaged)}\n`);
    } catch (error) {
      // They are completed, whether or not they can be read.
      console.error(failureText(error));
    }
  }
}

/** What is said of runs that were left out. */
async function leftOutText(runs: readonly ResolvedRun[]): Promise<string> {
  const sources = await describeSources(runs);
  return [
    "Left out, as something is missing:",
    ...(await describeMissing(runs)).map((line) => `  ${line}`),
    ...sourceLines(sources),
  ].join("\n");
}

/** Whether lines can be drawn anew: on a terminal, unless it keeps what is written as a log does. */
function isAnimated(): boolean {
  return Deno.stdout.isTerminal() && Deno.env.get("TERM") !== "dumb" && !Deno.env.get("CI");
}

function sourceLines(sources: readonly string[]): string[] {
  return sources.length === 0 ? [] : ["How to get them:", ...sources.map((line) => `  ${line}`)];
}

/** Writes text as it is, also where a pipe takes only part of it at once. */
function writeOut(text: string): void {
  let bytes = new TextEncoder().encode(text);
  while (bytes.length > 0) bytes = bytes.subarray(Deno.stdout.writeSync(bytes));
}

if (import.meta.main) Deno.exit(await main(Deno.args));
