import { z } from "zod";
import { oneOf, positiveInteger } from "../declaration/fields.ts";
import { parseForm } from "../declaration/form_problems.ts";
import { problemsIn } from "../declaration/problem.ts";
import type { DeviceChoice, Experiment } from "../experiment/declaration.ts";
import { defined } from "../defined.ts";
import { resolveRun, runLabel } from "../experiment/resolve.ts";
import { currentEnvironment } from "../results/environment.ts";
import { readSummary, type RunSummary } from "../results/records.ts";
import { deviceKinds } from "../runtime/device.ts";
import { Display } from "./terminal.ts";
import { Progress } from "./progress.ts";
import { describeHolder } from "../lock.ts";
import { lockRun, openRunFolder, recordRun, summaryPath } from "./run_lifecycle.ts";
import { executeRun } from "../runner/run.ts";
import { changesSince, outdatedNames } from "./run_queue.ts";
import { InputError, InputTypeError } from "../errors.ts";

/** How {@linkcode runExperiment} runs. */
export interface RunExperimentOptions {
  /** Folder of all results (default `results`). */
  readonly results?: string;
  /** Where it runs, instead of the declaration's choice. */
  readonly device?: DeviceChoice;
  /** Items per evaluation at most; recorded. */
  readonly limit?: number;
  /** Starts over, discarding an earlier run's results. */
  readonly fresh?: boolean;
  /** Stops the run when aborted: it leaves a checkpoint, and the same call resumes it. */
  readonly signal?: AbortSignal;
  /** Takes lines that say how far the run is; absent: nothing is said. */
  readonly write?: (text: string) => void;
}

/** The form of all options. */
const optionsForm = z.strictObject(
  {
    results: z.string(),
    device: oneOf(...deviceKinds),
    limit: positiveInteger,
    fresh: z.boolean(),
    signal: z.instanceof(AbortSignal).describe("signals"),
    write: z.custom<NonNullable<RunExperimentOptions["write"]>>((value) =>
      typeof value === "function"
    ).describe("functions"),
  } satisfies Record<keyof RunExperimentOptions, z.ZodType>,
).partial();

/**
 * Runs an experiment as `deno task run` does: trains and evaluates its models, resumes an interrupted run,
 * and records everything in `results/<experiment>/<run>/`. A run that has finished is not run again, except for
 * evaluations whose metrics have a newer version now; one that has failed is resumed.
 *
 * @param experiment The declaration, such as `defineExperiment` returns.
 * @returns Content of the run's `summary.json`: state and metrics.
 * @throws {DeclarationError} Where the declaration is wrong, or its sweep has several runs: run those of
 * {@linkcode expandSweep}.
 * @throws {TypeError} Where an option is unknown or has a value that is not allowed.
 * @throws {Deno.errors.NotFound} Where files that it names are missing.
 * @throws {Error} Where another process executes the run, where it fails, or the signal's reason where it was aborted; the folder says so, too.
 *
 * @example A backbone on a corpus of three sentences
 * ```ts
 * import assert from "node:assert/strict";
 * import { defineExperiment, runExperiment } from "@longmem/lab";
 *
 * const folder = await Deno.makeTempDir();
 * for (const [split, times] of [["train", 40], ["valid", 8], ["test", 20]] as const) {
 *   await Deno.mkdir(`${folder}/corpus/${split}`, { recursive: true });
 *   const text = "It was the best of times, it was the worst of times. ".repeat(times);
 *   await Deno.writeTextFile(`${folder}/corpus/${split}/${split}.txt`, text);
 * }
 * const { state, metrics } = await runExperiment(
 *   defineExperiment({
 *     name: "sentences",
 *     corpus: { folder: `${folder}/corpus`, train: "train", valid: "valid", test: "test" },
 *     tokenizer: { kind: "bpe", vocabSize: 280 },
 *     backbone: {
 *       kind: "pretrain",
 *       layers: 2,
 *       hiddenDim: 16,
 *       heads: 2,
 *       training: { batchSize: 1, contextTokens: 32, steps: 20, learningRate: 1e-2 },
 *     },
 *     evaluations: [{ kind: "perplexity", split: "test", models: ["backbone"], contextTokens: 32 }],
 *   }),
 *   { results: `${folder}/results`, device: "cpu" },
 * );
 * assert.equal(state, "completed");
 * const { value } = metrics.find(({ name }) => name === "perplexity")!;
 * assert.ok(value < 280); // an untrained one would have to guess
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export async function runExperiment(
  experiment: Experiment,
  options: RunExperimentOptions = {},
): Promise<RunSummary> {
  const { problems } = parseForm<unknown>(optionsForm, options);
  if (problems.length > 0) throw new InputTypeError(problemsIn("run an experiment", problems));
  const { results: folder = "results", device, limit, fresh = false, write = () => {} } = options;
  const run = resolveRun("a program", experiment, defined({ device, limit }));
  const label = runLabel(run);
  const finished = async () => {
    const earlier = fresh ? undefined : await readSummary(summaryPath(folder, run));
    return earlier?.state === "completed" && outdatedNames(run, earlier).length === 0
      ? earlier
      : undefined;
  };
  const earlier = await finished();
  if (earlier) {
    const changes = await changesSince(run, folder);
    if (changes !== "") write(`${label}  completed earlier${changes}\n`);
    return earlier;
  }
  const locked = await lockRun(folder, run);
  if ("holder" in locked) {
    throw new InputError(`Cannot run "${label}" as ${describeHolder(locked.holder)} executes it`);
  }
  using lock = locked.lock;
  const meanwhile = await finished();
  if (meanwhile) return meanwhile;
  const environment = await currentEnvironment();
  const results = await openRunFolder(run, { results: folder, environment, fresh, lock });
  const progress = new Progress({ label, display: new Display({ write, overwrites: false }) });
  const signal = options.signal ?? new AbortController().signal;
  await recordRun(run, executeRun, { results, progress, signal });
  return results.summary;
}
