/**
 * A kill loses at most the work since the last checkpoint: trials of kill -9 at random moments, after which the run goes
 * on to the bytes of one that nothing disturbed.
 *
 *     deno run --allow-all tests/queue/crash_trials.ts [TRIALS [SEED]]   24 trials unless said otherwise
 */
// deno-lint-ignore-file no-console -- a script reports on the console
import { join } from "node:path";
import { Random } from "../../src/random.ts";
import { assert } from "../testing.ts";
import { onlyRun, outcomeOf, pause, run, spawnRun, withCorpus } from "./command_line_run.ts";
import { expectedResults, resultsOf, tiny } from "./tiny_results.ts";

/** When a process is killed: after a time, or when a file is half written, or a checkpoint is. */
export const killMoments = ["time", "file", "checkpoint"] as const;

/**
 * Kills a run some times and lets it come to its end.
 *
 * @returns How often it was killed before it had ended.
 * @throws {AssertionError} Where the results are not those of an undisturbed run, or more than the work since a checkpoint was lost.
 */
export async function crashTrial(
  folder: string,
  moment: typeof killMoments[number],
  { random, kills }: { readonly random: Random; readonly kills: number },
): Promise<number> {
  const results = join(folder, "results");
  const kept: string[] = [];
  let killed = 0;
  for (let i = 0; i < kills; i++) {
    const process = spawnRun(folder, [tiny]);
    const outcome = outcomeOf(process);
    let ended = false;
    outcome.then(() => ended = true);
    if (moment === "time") {
      // The first time the run, of some two seconds, is surely under way.
      await pause(100 + random.below(i === 0 ? 800 : 2500));
    } else await sighting(results, moment, 1 + random.below(25), () => ended);
    if (!ended) process.kill("SIGKILL");
    if ((await outcome).code !== 0) killed++;
    kept.push(...await checkpointedLines(results));
  }
  const { code, stderr } = await run(folder, tiny);
  assert.equal(code, 0, stderr);
  assert.deepEqual(await resultsOf(folder), await expectedResults());
  const path = await onlyRun(results);
  const lines = new Set((await Deno.readTextFile(join(path, "metrics.jsonl"))).split("\n"));
  for (const line of kept) assert.ok(lines.has(line), `was computed again: ${line}`);
  const left = (await filesBelow(results)).filter((file) => file.endsWith(".part"));
  assert.deepEqual(left, []);
  return killed;
}

/** Waits until so many half-written files, or checkpoints, have been seen. */
async function sighting(
  results: string,
  moment: "file" | "checkpoint",
  count: number,
  ended: () => boolean,
): Promise<void> {
  const seen = new Set<string>();
  while (!ended()) {
    const files = await filesBelow(results);
    for (const file of files) {
      if (moment === "file" && file.endsWith(".part")) seen.add(file);
      const [folder] = /^.*\/step_\d+(?=\/)/.exec(file) ?? [];
      const isWhole = folder === undefined || files.includes(`${folder}/state.json`);
      if (moment === "checkpoint" && !isWhole) seen.add(folder);
    }
    if (seen.size >= (moment === "file" ? count : Math.ceil(count / 4))) return;
    await pause(0);
  }
}

async function filesBelow(folder: string): Promise<string[]> {
  const files: string[] = [];
  try {
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      const path = join(folder, name);
      files.push(...isDirectory ? await filesBelow(path) : [path]);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error; // removed meanwhile
  }
  return files;
}

/** Lines of metrics, times included, that no continued training may compute again. */
async function checkpointedLines(results: string): Promise<string[]> {
  const path = await onlyRun(results).catch(() => undefined);
  if (!path) return [];
  const files = await filesBelow(join(path, "checkpoint"));
  const reached = new Map<string, number>();
  for (const file of files) {
    const [, phase, name] = /\/checkpoint\/([^/]+)\/(.+)$/.exec(file)!;
    const step = /^step_(\d+)\/state\.json$/.exec(name)?.[1];
    const last = name === "weights.safetensors" ? Infinity : Number(step ?? 0);
    reached.set(phase, Math.max(last, reached.get(phase) ?? 0));
  }
  const text = await Deno.readTextFile(join(path, "metrics.jsonl")).catch(() => "");
  return text.split("\n").slice(0, -1).filter((line) => {
    const { phase, step } = JSON.parse(line);
    return step <= (reached.get(phase) ?? 0);
  });
}

if (import.meta.main) {
  const trials = Number(Deno.args[0] ?? 24), random = new Random(Deno.args[1] ?? "crashes");
  let wrong = 0;
  for (let trial = 0; trial < trials; trial++) {
    const moment = killMoments[trial % killMoments.length], kills = 1 + random.below(3);
    try {
      let killed = 0;
      await withCorpus(async (folder) => {
        killed = await crashTrial(folder, moment, { random, kills });
      });
      console.log(`${trial + 1}: killed ${killed} times (${moment}), the same results`);
    } catch (error) {
      wrong++;
      console.log(`${trial + 1}: ${moment}: ${error}`);
    }
  }
  console.log(`${trials - wrong} of ${trials} killed runs came to the same results`);
  Deno.exit(wrong === 0 ? 0 : 1);
}
