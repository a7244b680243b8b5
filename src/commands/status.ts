/**
 * `deno task status`: the states of runs, where they ran, and which jobs of a cluster work on them.
 */
import { dirname, join } from "node:path";
import type { Command, Output } from "../command_line.ts";
import { describeTask } from "../cluster/cluster_task.ts";
import { listTasks, type QueuedTask } from "../cluster/slurm.ts";
import { logPath, readSubmissions, type Submission } from "../cluster/submission.ts";
import { failureText, isForeseen } from "../errors.ts";
import { runLabel } from "../experiment/resolve.ts";
import { isDamage, readOfEach, readRunSummary } from "../results/read_runs.ts";
import { formatVariation, readEnvironment } from "../results/records.ts";
import { limitFlag, namedRuns, resultsFlag, setFlag } from "./named_runs.ts";
import { countStates, stateColumn } from "./run_states.ts";

/** `status PATH...`: lists runs and the jobs that work on them. */
export function statusCommand(output: Output): Command {
  return {
    operandsArePaths: true,
    flags: [
      setFlag("submit"),
      resultsFlag,
      limitFlag("submit"),
    ],
    execute: async (args) => {
      const { runs, results } = await namedRuns(args, "show runs");
      const files = new Set(runs.map(({ file }) => file));
      const submissions = (await readSubmissions(results))
        .filter((submission) => submission.files.some((file) => files.has(file)));
      const labels = new Map<string, string | undefined>(runs.map((run) =>
        [
          runLabel(run),
          run.variation ? formatVariation(run.variation) : undefined,
        ] as const
      ));
      // Runs that were submitted with other fields set are the same files', too.
      for (const label of submissions.flatMap(({ runs }) => runs)) {
        if (!labels.has(label)) labels.set(label, undefined);
      }
      // A run that is named by its folder is there, unless --results says that it is run again elsewhere.
      const folders = new Map(
        args.flags.has("results") ? [] : runs.filter(({ recorded }) => recorded)
          .map((run) => [runLabel(run), dirname(run.file)] as const),
      );
      const pathOf = (label: string) => folders.get(label) ?? join(results, label);
      output.print(await describeRuns(labels, pathOf));
      if (submissions.length > 0) {
        output.print("\n" + await describeJobs(submissions, results, output));
      }
      return 0;
    },
  };
}

/** Each run with its state and where it ran last, and how many there are in each state. */
async function describeRuns(
  labels: ReadonlyMap<string, string | undefined>,
  pathOf: (label: string) => string,
): Promise<string> {
  const rows = await readOfEach([...labels], async ([label, declared]) => {
    const path = pathOf(label);
    try {
      const summary = await readRunSummary(path);
      const variation = declared ??
        (summary?.variation && formatVariation(summary.variation));
      const place = summary ? await placeOf(path) : undefined;
      return { state: summary?.state ?? "planned", label, variation, place };
    } catch (error) {
      if (!(error instanceof Error) || !isDamage(error)) throw error;
      return { state: "damaged", label, variation: declared, place: error.message };
    }
  });
  return [
    ...rows.map(({ state, label, variation, place }) =>
      [stateColumn(state), label, variation, place].filter((text) => text !== undefined)
        .join("  ")
    ),
    countStates(rows.map(({ state }) => state)),
  ].join("\n");
}

/** Where a run runs, or ran last; undefined where its record does not say. */
async function placeOf(path: string): Promise<string | undefined> {
  const environment = await readEnvironment(join(path, "environment.json"));
  if (!environment) return undefined;
  const { host, cluster } = environment;
  const machine = cluster?.node ?? host;
  const parts = [
    ...(cluster ? [describeTask(cluster)] : []),
    ...(machine === undefined ? [] : [`on ${machine}`]),
  ];
  return parts.length > 0 ? parts.join(" ") : undefined;
}

/** Each job with its tasks, as far as SLURM still lists them. */
async function describeJobs(
  submissions: readonly Submission[],
  results: string,
  output: Output,
): Promise<string> {
  let listed: QueuedTask[] | undefined;
  try {
    listed = await listTasks();
  } catch (error) {
    if (!isForeseen(error)) throw error;
    output.note(failureText(error));
  }
  return submissions.flatMap(({ job, submittedAt, tasks, runs }) => {
    const own = listed?.filter((task) => task.job === job);
    return [
      `job ${job}: ${tasks} tasks for ${runs.length} runs, submitted ${submittedAt}` +
      (own?.length === 0 ? "; ended" : ""),
      ...(own ?? []).map((task) => `  ${describeQueued(task, results)}`),
    ];
  }).join("\n");
}

function describeQueued(
  { job, task, state, node, elapsed, limit, reason }: QueuedTask,
  results: string,
): string {
  const begun = /^\d+$/.test(task) && node !== "";
  return [
    `task ${task}`,
    state,
    ...(node === "" ? [] : [`on ${node}`]),
    ...(begun ? [`${elapsed} of ${limit}`] : []),
    ...(reason === "None" || reason === "" ? [] : [reason]),
    ...(begun ? [logPath(results, job, task)] : []),
  ].join("  ");
}
