/**
 * What a run does with records that were damaged while it was interrupted.
 */
import { join } from "node:path";
import type { Experiment } from "../../src/experiment/declaration.ts";
import { runExperiment } from "../../src/queue/run_experiment.ts";
import declared from "../runner/declarations/tiny.ts";
import { copyFolder, withFolder } from "../temporary_folder.ts";
import { assert, test } from "../testing.ts";
import { onlyRun, readJson, readLines, signalAfterLines, writeCorpus } from "./command_line_run.ts";
import { type Results, resultsOf, tiny } from "./tiny_results.ts";

const corpus = await Deno.makeTempDir();
globalThis.addEventListener("unload", () => Deno.removeSync(corpus, { recursive: true }));
await writeCorpus(corpus);

const [evaluation] = declared.evaluations;
const splits = { train: "train", valid: "valid", test: "test" };
const short: Experiment = { ...declared, corpus: { ...splits, folder: corpus } };
const longer: Experiment = {
  ...short,
  adaptation: { ...declared.adaptation!, steps: 24 },
  evaluations: [{ ...evaluation, models: ["backbone", "longmem"] }],
};

/** Runs an experiment in this process, with its results in a folder; returns what it said. */
async function runIn(folder: string, experiment: Experiment): Promise<string> {
  let said = "";
  const write = (text: string) => void (said += text);
  await runExperiment(experiment, { results: join(folder, "results"), write });
  return said;
}

/** A run that was interrupted with two checkpoints, and one that nothing disturbed. */
interface Prepared {
  readonly interrupted: string;
  readonly expected: Results;
  /** Steps of its checkpoints, the newest first. */
  readonly steps: readonly [number, number];
}

let prepared: Promise<Prepared> | undefined;

function prepare(): Promise<Prepared> {
  prepared ??= (async () => {
    const expected = await withFolder(async (folder) => {
      await runIn(folder, longer);
      return await resultsOf(folder);
    });
    const interrupted = await Deno.makeTempDir();
    globalThis.addEventListener(
      "unload",
      () => Deno.removeSync(interrupted, { recursive: true }),
    );
    const backbone = 12, adaptation = 10; // lines
    const { code } = await signalAfterLines(backbone + adaptation, "SIGINT", interrupted, [
      tiny,
      ...["--set", `corpus.folder=${corpus}`],
      ...["--set", "adaptation.steps=24"],
      ...["--set", "evaluations.0.models=backbone,longmem"],
    ]);
    assert.equal(code, 130);
    const folder = join(await onlyRun(join(interrupted, "results")), "checkpoint/longmem");
    const names = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
    const [newest, previous] = names.filter((name) => name.startsWith("step_"))
      .map((name) => Number(name.slice("step_".length))).sort((a, b) => b - a);
    assert.ok(newest > previous && previous >= 4, `steps are ${newest} and ${previous}`);
    return { interrupted, expected, steps: [newest, previous] };
  })();
  return prepared;
}

async function flipBit(path: string): Promise<void> {
  const bytes = await Deno.readFile(path);
  bytes[bytes.length - 2] ^= 0x10;
  await Deno.writeFile(path, bytes);
}

/** Changes the lines of a phase in `metrics.jsonl`. */
async function changeLines(
  run: string,
  phase: string,
  change: (lines: string[]) => string[],
): Promise<void> {
  const path = join(run, "metrics.jsonl");
  const lines = (await Deno.readTextFile(path)).trimEnd().split("\n");
  const of = (line: string) => JSON.parse(line).phase === phase;
  const changed = [...lines.filter((line) => !of(line)), ...change(lines.filter(of))];
  await Deno.writeTextFile(path, changed.map((line) => `${line}\n`).join(""));
}

function checkpointPath(run: string, step: number): string {
  return join(run, "checkpoint/longmem", `step_${String(step).padStart(6, "0")}`);
}

type Damage = (run: string, steps: Prepared["steps"]) => Promise<void>;

/** Damages from which the earlier checkpoint helps, and what is said of the newer. */
const mended: [name: string, damage: Damage, said: RegExp][] = [
  [
    "a flipped bit of the newest checkpoint",
    (run, [newest]) => flipBit(join(checkpointPath(run, newest), "parameters.safetensors")),
    /longmem: Cannot resume from "\S+" as "\S+parameters.safetensors" is damaged: .*; continuing from "\S+"/,
  ],
  [
    "a newest checkpoint whose state is cut off",
    (run, [newest]) => Deno.truncate(join(checkpointPath(run, newest), "state.json"), 90),
    /longmem: Cannot resume from "\S+state.json" as it is not JSON; continuing from "\S+"/,
  ],
  [
    "a newest checkpoint whose state is a folder",
    async (run, [newest]) => {
      const path = join(checkpointPath(run, newest), "state.json");
      await Deno.remove(path);
      await Deno.mkdir(path);
    },
    /longmem: Cannot read "\S+state.json" as it is not a regular file: it is a folder; continuing from "\S+"/,
  ],
  [
    "metrics that reach the earlier checkpoint only",
    (run, [, previous]) =>
      changeLines(
        run,
        "longmem",
        (lines) => lines.filter((line) => JSON.parse(line).step <= previous),
      ),
    /longmem: Cannot resume from "\S+" as "\S+metrics.jsonl" must have a line for each of its \d+ steps: .*; continuing from "\S+"/,
  ],
];

for (const [name, damage, said] of mended) {
  test(`a run continues from the checkpoint before: ${name}`, async () => {
    const { interrupted, expected, steps } = await prepare();
    await withFolder(async (folder) => {
      await copyFolder(interrupted, folder);
      await damage(await onlyRun(join(folder, "results")), steps);
      assert.match(await runIn(folder, longer), said);
      assert.deepEqual(await resultsOf(folder), expected);
    });
  });
}

/** Damages that no checkpoint helps against, and the error. */
const refused: [name: string, damage: Damage, error: RegExp][] = [
  [
    "both checkpoints damaged",
    async (run, steps) => {
      for (const step of steps) {
        await flipBit(join(checkpointPath(run, step), "adam_means.safetensors"));
      }
    },
    /^Cannot resume from "(\S+)" as .*adam_means.safetensors" is damaged: .*; Cannot resume from "(?!\1)\S+" as .* is damaged: .*; --fresh starts the run again$/,
  ],
  [
    "the second half of the metrics",
    async (run) => {
      const path = join(run, "metrics.jsonl");
      await Deno.truncate(path, Math.floor((await Deno.stat(path)).size / 2));
    },
    /metrics.jsonl" must have a line for each of its \d+ steps: .*; --fresh starts the run again$/,
  ],
  [
    "all metrics",
    (run) => Deno.remove(join(run, "metrics.jsonl")),
    /^Cannot record training "backbone" as "\S+metrics.jsonl" must have a line for each of its 9 steps: after 0 lines of backbone, the current one is none, allowed is train 1; --fresh/,
  ],
  [
    "a line of a training that is finished",
    (run) => changeLines(run, "backbone", (lines) => lines.toSpliced(4, 1)),
    /^Cannot record training "backbone" as .*: after 4 lines of backbone, the current one is train 5, allowed is train 4; --fresh/,
  ],
  [
    "a line twice",
    (run) => changeLines(run, "longmem", (lines) => lines.toSpliced(2, 0, lines[1])),
    /: after 2 lines of longmem, the current one is train 2, allowed is train 3; .*--fresh/,
  ],
  [
    "a flipped bit of finished weights",
    (run) => flipBit(join(run, "checkpoint/backbone/weights.safetensors")),
    /^Cannot continue with "\S+backbone\/weights.safetensors" as it is damaged: .*; --fresh/,
  ],
  [
    "what finished weights come of, cut off",
    (run) => Deno.truncate(join(run, "checkpoint/backbone/phase.json"), 60),
    /^Cannot read "\S+backbone\/phase.json" as it is not JSON: .*; --fresh starts the run again$/,
  ],
  [
    "what finished weights come of, emptied",
    (run) => Deno.writeTextFile(join(run, "checkpoint/backbone/phase.json"), "{}"),
    /^Cannot read "\S+backbone\/phase.json" as it does not say what determines .*; --fresh/,
  ],
];

for (const [name, damage, error] of refused) {
  test(`a run refuses to continue, and keeps what is there: ${name}`, async () => {
    const { interrupted, steps } = await prepare();
    await withFolder(async (folder) => {
      await copyFolder(interrupted, folder);
      const path = await onlyRun(join(folder, "results"));
      await damage(path, steps);
      const metrics = await Deno.readTextFile(join(path, "metrics.jsonl")).catch(() => "");
      await assert.rejects(runIn(folder, longer));
      const { state, error: recorded } = await readJson(path, "summary.json");
      assert.equal(state, "failed");
      assert.match(recorded, error);
      assert.equal(await Deno.readTextFile(join(path, "metrics.jsonl")).catch(() => ""), metrics);
      for (const step of steps) await Deno.stat(join(checkpointPath(path, step), "state.json"));
    });
  });
}

type SampleDamage = (lines: string[]) => string[];

/** Damages of records of items, as a power cut or an editor leaves them; the first three lines are the backbone's. */
const ofSamples: readonly (readonly [name: string, damage: SampleDamage])[] = [
  ["all are gone", () => []],
  ["one of the first model is missing", (lines) => lines.toSpliced(1, 1)],
  ["one of a later model is there twice", (lines) => lines.toSpliced(4, 0, lines[4])],
  ["the second half is missing", (lines) => lines.slice(0, lines.length / 2)],
  [
    "another number",
    (lines) =>
      lines.with(5, lines[5].replace(/"nats":(\d)/, (_, digit) => `"nats":${(digit + 1) % 9 + 1}`)),
  ],
  [
    "a field of another type",
    (lines) => lines.with(2, lines[2].replace(/"tokens":\d+/, '"tokens":0')),
  ],
];

test("a run that goes on scores the models again whose records do not give their numbers", async () => {
  await withFolder(async (folder) => {
    await runIn(folder, short);
    const expected = await resultsOf(folder);
    const path = await onlyRun(join(folder, "results"));
    const samples = join(path, "samples/perplexity-test.jsonl");
    const interrupt = async (damage: SampleDamage) => {
      const summary = await readJson(path, "summary.json");
      await Deno.writeTextFile(
        join(path, "summary.json"),
        JSON.stringify({ ...summary, state: "interrupted" }),
      );
      const before = expected.files["samples/perplexity-test.jsonl"];
      const after = damage(before.trimEnd().split("\n")).map((line) => `${line}\n`).join("");
      assert.notEqual(after, before);
      await Deno.writeTextFile(samples, after);
    };
    for (const [name, damage] of ofSamples) {
      await interrupt(damage);
      await runIn(folder, short);
      assert.deepEqual(await resultsOf(folder), expected, name);
    }
    // In another order they give the same numbers, but not of the same items as those of the next model.
    await interrupt(([a, b, ...others]) => [b, a, ...others.slice(0, 1)]);
    await assert.rejects(runIn(folder, short));
    const { error } = await readJson(path, "summary.json");
    assert.match(
      error,
      /^Cannot compare "sidenet-without-memory" with "backbone" in "perplexity-test" as item 1 must be the same: current items are test_0 and test_1; --fresh starts the run again$/,
    );
  });
});

test("a run trains itself what others have lost lines of", async () => {
  await withFolder(async (folder) => {
    const small: Experiment = {
      ...short,
      adaptation: { ...declared.adaptation!, steps: 3 },
      evaluations: [{ ...evaluation, models: ["backbone"] }],
    };
    await runIn(folder, small);
    const first = await onlyRun(join(folder, "results"));
    const { taken } = await readJson(first, "environment.json");
    assert.equal(taken, undefined);
    const lines = await readLines(first, "metrics.jsonl");
    // A validation of the backbone is missing; the training has all its steps.
    await changeLines(first, "backbone", (lines) => lines.filter((_, i) => i !== 3));
    const said = await runIn(folder, {
      ...small,
      evaluations: [{ ...evaluation, models: ["backbone"], batchSize: 1 }],
    });
    assert.match(said, /longmem: taken from tiny\//);
    assert.doesNotMatch(said, /backbone: taken from/);
    const names = await Array.fromAsync(Deno.readDir(join(folder, "results/tiny")));
    const second = names.map(({ name }) => join(folder, "results/tiny", name))
      .find((path) => path !== first)!;
    const untimed = ({ timing: _timing, ...line }: Record<string, unknown>) => line;
    assert.deepEqual(
      (await readLines(second, "metrics.jsonl")).map(untimed),
      lines.map(untimed),
    );
  });
});
