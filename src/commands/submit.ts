/**
 * `deno task submit`: from paths of declarations to a job of a SLURM cluster.
 */
import { resolve } from "node:path";
import {
  type Command,
  type CommandArguments,
  lastValue,
  type Output,
  UsageError,
} from "../command_line.ts";
import { type ClusterConfig, clusterPart, mostDefaultTasks } from "../cluster/config.ts";
import {
  commandArguments,
  denoCache,
  isOfThisMachine,
  missingPackages,
  neededPackages,
  repository,
} from "../cluster/node_needs.ts";
import { submitScript } from "../cluster/slurm.ts";
import { slurmScript } from "../cluster/slurm_script.ts";
import {
  newScriptPath,
  recordSubmission,
  submissionsFolder,
  writeScript,
} from "../cluster/submission.ts";
import { parseForm } from "../declaration/form_problems.ts";
import { InputError } from "../errors.ts";
import { startsProcesses } from "../evaluation/evaluations.ts";
import { type ResolvedRun, runLabel } from "../experiment/resolve.ts";
import { environmentVariable } from "../system.ts";
import { runPath } from "../queue/run_lifecycle.ts";
import { outdatedNames } from "../queue/run_queue.ts";
import { quoted } from "../shell.ts";
import { readRunSummary } from "../results/read_runs.ts";
import { deviceFlag } from "./device_flag.ts";
import { describeMissing, describeSources, missingNames } from "./missing_data.ts";
import { limitFlag, namedRuns, resultsFlag, setFlag } from "./named_runs.ts";

/** Settings of the cluster by the flags that override them. */
const settingFlags = [
  { name: "partition", value: "NAME", help: "partition, or several with commas" },
  { name: "account", value: "NAME", help: "account that is charged" },
  {
    name: "time",
    value: "TIME",
    help:
      "longest turn of a task: 30 (minutes), 12:00:00, 2-00:00:00. Before it is over, the task saves a checkpoint and waits for " +
      "another turn",
  },
  { name: "gpus", value: "N", help: "GPUs of each task" },
  { name: "cpus", value: "N", help: "cores of each task" },
  { name: "memory", value: "SIZE", help: "main memory of each task: 16G, 8000M" },
  {
    name: "tasks",
    value: "N",
    help:
      `tasks at once (default: one for each unfinished run, at most ${mostDefaultTasks}); all work on the same runs`,
  },
] as const satisfies readonly { name: keyof ClusterConfig; value: string; help: string }[];

/** `submit PATH...`: lets a SLURM cluster run experiments. */
export function submitCommand(output: Output): Command {
  return {
    operandsArePaths: true,
    onlyReads: ({ flags }) => flags.has("dry-run"),
    flags: [
      ...settingFlags,
      setFlag("run"),
      { ...deviceFlag, help: "where to run" },
      { ...resultsFlag, help: `${resultsFlag.help}; nodes must see it under the same path` },
      limitFlag("run"),
      { name: "retry-failed", help: "resume failed runs, too" },
      { name: "dry-run", help: "print the batch script; submit and write nothing" },
    ],
    execute: (args) => submit(args, output),
  };
}

async function submit(args: CommandArguments, output: Output): Promise<number> {
  const flagged = flaggedSettings(args);
  const { runs, results: folder } = await namedRuns(args, "submit");
  const { tasks: wanted, ...settings } = mergeSettings(runs, flagged);
  const results = resolve(folder);
  const { unfinished, completed, failed } = await sortRuns(runs, results);
  if (args.flags.has("retry-failed")) unfinished.push(...failed.splice(0));
  if (unfinished.length === 0) {
    output.print(
      `Nothing to submit: of ${runs.length} runs, ${completed.length} are completed and ${failed.length} failed` +
        (failed.length > 0 ? "; --retry-failed resumes them" : ""),
    );
    return 0;
  }
  const tasks = Math.min(wanted ?? mostDefaultTasks, unfinished.length);
  const needsProcesses = unfinished.some(({ experiment }) =>
    experiment.evaluations.some(startsProcesses)
  );
  const denoDir = denoCache();
  const packages = neededPackages(
    unfinished.map(({ experiment }) => experiment.device),
    (settings.gpus ?? 0) > 0,
  );
  const lacking = await lackingHere(unfinished, denoDir, packages, output);
  await noteLocalFolders([repository, results, denoDir, Deno.execPath()], output);
  const path = newScriptPath(results);
  const libraryPath = environmentVariable("LD_LIBRARY_PATH");
  const script = slurmScript({
    ...{ settings, tasks, denoDir, packages, stamp: path },
    folder: Deno.cwd(),
    // Programs of limited permissions are started without it.
    ...(libraryPath !== undefined && { libraryPath }),
    deno: Deno.execPath(),
    args: [
      ...commandArguments(needsProcesses ? "measure" : "run"),
      ...runArguments(args, results),
    ],
    logs: submissionsFolder(results),
  });
  if (args.flags.has("dry-run")) {
    for (const text of lacking) output.note(text);
    output.print(script.trimEnd());
    return 0;
  }
  if (lacking.length > 0) {
    throw new InputError(
      ["Cannot submit as nodes would lack:", ...lacking].join("\n  "),
    );
  }
  await writeScript(path, script);
  const job = await submitScript(path).catch(async (error) => {
    await Deno.remove(path).catch(() => {});
    throw error;
  });
  await recordSubmission(results, {
    job,
    submittedAt: new Date().toISOString(),
    tasks,
    files: [...new Set(unfinished.map(({ file }) => file))],
    runs: unfinished.map(runLabel),
  });
  output.print(job);
  const logs = submissionsFolder(results);
  output.note(
    `Submitted job ${job}: tasks ${tasks}, runs ${unfinished.length} of ${runs.length}; ` +
      `"${statusCommandLine(args)}" shows them, and logs are in ${logs}`,
  );
  return 0;
}

/**
 * The settings that flags give.
 *
 * @throws {UsageError} Where a value is not allowed.
 */
function flaggedSettings(args: CommandArguments): ClusterConfig {
  const given = settingFlags.flatMap(({ name }) => {
    const text = lastValue(args, name);
    if (text === undefined) return [];
    const isNumber = ["gpus", "cpus", "tasks"].includes(name) && /^\d+$/.test(text);
    return [[name, isNumber ? Number(text) : text] as const];
  });
  const { declared, problems } = parseForm(clusterPart.schema, Object.fromEntries(given));
  if (problems.length > 0) {
    const [{ path, message }] = problems;
    throw new UsageError(`Cannot read --${path} as it ${message}`);
  }
  return clusterPart.fill(declared!);
}

/**
 * The settings that experiments declare, with those of flags in their place.
 *
 * @throws {UsageError} Where experiments of one job declare different ones, and no flag decides.
 */
function mergeSettings(runs: readonly ResolvedRun[], flagged: ClusterConfig): ClusterConfig {
  const merged: Record<string, unknown> = { ...flagged };
  for (const { name } of settingFlags) {
    if (flagged[name] !== undefined) continue;
    const declared = new Map(
      runs.map(({ experiment, file }) => [experiment.cluster?.[name], file] as const),
    );
    const [first, second] = [...declared];
    if (second !== undefined) {
      const say = ([value, file]: typeof first) => `${value ?? "none"} in ${file}`;
      throw new UsageError(
        `Cannot submit one job as experiments declare different cluster.${name}: ${say(first)}, ${
          say(second)
        }; --${name} decides, or each is submitted alone`,
      );
    }
    if (first[0] !== undefined) merged[name] = first[0];
  }
  return merged;
}

/** Runs by their states. */
async function sortRuns(runs: readonly ResolvedRun[], results: string) {
  const unfinished: ResolvedRun[] = [], completed: ResolvedRun[] = [], failed: ResolvedRun[] = [];
  for (const run of runs) {
    // A damaged summary is the run's to report.
    const summary = await readRunSummary(runPath(results, run)).catch(() => undefined);
    const isOutdated = summary !== undefined && outdatedNames(run, summary).length > 0;
    if (summary?.state === "completed" && !isOutdated) completed.push(run);
    else (summary?.state === "failed" ? failed : unfinished).push(run);
  }
  return { unfinished, completed, failed };
}

/** Arguments that a task passes on to the runs; paths as given, as tasks run in the same folder. */
function runArguments({ operands, flags }: CommandArguments, results: string): string[] {
  const valued = ["set", "device", "limit"].flatMap((name) =>
    (flags.get(name) ?? []).map((value) => `--${name}=${value}`)
  );
  return [
    ...valued,
    ...(flags.has("retry-failed") ? ["--retry-failed"] : []),
    `--results=${results}`,
    "--",
    ...operands,
  ];
}

/** The command that shows the runs of a submission. */
function statusCommandLine({ operands, flags }: CommandArguments): string {
  const shared = ["results", "set", "limit"].flatMap((name) =>
    (flags.get(name) ?? []).map((value) => `--${name} ${quoted(value)}`)
  );
  return ["deno task status", ...operands.map(quoted), ...shared].join(" ");
}

/** Lists missing files on this machine, a line each; data of runs that may be left out is only noted. */
async function lackingHere(
  runs: readonly ResolvedRun[],
  denoDir: string,
  packages: readonly string[],
  output: Output,
): Promise<string[]> {
  const missing = await missingPackages(denoDir, packages);
  const required = runs.filter(({ optional }) => !optional);
  const lacksData = (await missingNames(required)).length > 0;
  const optional = runs.filter(({ optional }) => optional);
  if ((await missingNames(optional)).length > 0) {
    output.note(["Left out, as data is missing:", ...await describeMissing(optional)].join("\n  "));
  }
  return [
    ...(missing.length > 0
      ? [
        `packages in Deno's cache ${denoDir}: ${missing.join(", ")}; "deno cache ${
          missing.map((name) => `npm:${name.replace(/\/([^/]*)$/, "@$1")}`).join(" ")
        }" fetches them`,
      ]
      : []),
    ...(lacksData ? (await describeMissing(required)).map((text) => `data of ${text}`) : []),
    ...(lacksData ? (await describeSources(required)).map((text) => `how to get ${text}`) : []),
  ];
}

/** Notes which of the paths that nodes need are on a file system of this machine. */
async function noteLocalFolders(paths: readonly string[], output: Output): Promise<void> {
  const areLocal = await Promise.all(paths.map(isOfThisMachine));
  const local = paths.filter((_, i) => areLocal[i]);
  if (local.length === 0) return;
  output.note(
    `On a disk of this machine, so that nodes see them only if it is shared with them: ${
      local.join(", ")
    }; a task that does not see them ends with an error`,
  );
}
