/**
 * One Ctrl-C is one: trials of signals that a whole process group gets, through `deno task`, which forwards what its child
 * gets as well.
 *
 *     deno run --allow-all tests/queue/signal_trials.ts [TRIALS]   30 trials unless said otherwise
 */
// deno-lint-ignore-file no-console -- a script reports on the console
import { spawn } from "node:child_process";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { Random } from "../../src/random.ts";
import { assert, repositoryPath } from "../testing.ts";
import {
  declaration,
  onlyRun,
  pause,
  readJson,
  readLines,
  withCorpus,
} from "./command_line_run.ts";

/** The signals that are to save a checkpoint. */
export const endingSignals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Runs `deno task run` in a process group of its own and signals the group during its first training.
 *
 * @param options `times`: how often the signal is sent, at once; `delayMs`: waited after the first step.
 * @throws {AssertionError} Unless the run saved the step it was at and says that it was interrupted.
 */
export async function signalTrial(
  folder: string,
  signal: typeof endingSignals[number],
  { times = 1, delayMs = 0 }: { readonly times?: number; readonly delayMs?: number } = {},
): Promise<void> {
  const results = join(folder, "results");
  const assignments = [
    `corpus.folder=${join(folder, "corpus")}`,
    "backbone.training.steps=100000",
    "backbone.training.checkpointEverySteps=100000",
  ].flatMap((assignment) => ["--set", assignment]);
  const task = spawn(
    Deno.execPath(),
    ["task", "--quiet", "run", declaration("tiny.ts"), ...assignments, "--results", results],
    {
      cwd: repositoryPath("."),
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...Deno.env.toObject(), NO_COLOR: "1" },
    },
  );
  let said = "";
  for (const stream of [task.stdout, task.stderr]) {
    stream.on("data", (data: Buffer) => said += data.toString());
  }
  const ended = new Promise<number | null>((done) => task.on("close", done));
  let over = false;
  ended.then(() => over = true);
  while (!over) {
    const path = await onlyRun(results).catch(() => undefined);
    if (path && (await readLines(path, "metrics.jsonl").catch(() => [])).length > 0) break;
    await pause(5);
  }
  await pause(delayMs);
  assert.ok(!over, said);
  for (let i = 0; i < times; i++) Deno.kill(-task.pid!, signal);
  await ended;
  assert.doesNotMatch(said, /Stopped at once/);
  assert.match(said, /Stopping after a checkpoint; a second Ctrl-C stops at once/);
  assert.match(said, /1 run: 1 interrupted/);
  const path = await onlyRun(results);
  assert.equal((await readJson(path, "summary.json")).state, "interrupted");
  const { phase, step } = (await readLines(path, "metrics.jsonl")).at(-1);
  const saved = `step_${String(step).padStart(6, "0")}`;
  assert.equal((await readJson(path, "checkpoint", phase, saved, "state.json")).step, step);
}

if (import.meta.main) {
  const trials = Number(Deno.args[0] ?? 30);
  const random = new Random("signals");
  let wrong = 0;
  for (let trial = 0; trial < trials; trial++) {
    const signal = endingSignals[trial % endingSignals.length];
    const delayMs = random.below(300);
    try {
      await withCorpus((folder) => signalTrial(folder, signal, { delayMs }));
      console.log(`${trial + 1}: ${signal} after ${delayMs} ms saved a checkpoint`);
    } catch (error) {
      wrong++;
      console.log(`${trial + 1}: ${signal} after ${delayMs} ms: ${error}`);
    }
  }
  console.log(`${trials - wrong} of ${trials} signals were taken for one`);
  Deno.exit(wrong === 0 ? 0 : 1);
}
