import { join } from "node:path";
import type { Experiment } from "../../src/experiment/declaration.ts";
import { runExperiment } from "../../src/queue/run_experiment.ts";
import declared from "../runner/declarations/tiny_sweep.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, test } from "../testing.ts";
import {
  declaration,
  outcomeOf,
  pause,
  readJson,
  readLines,
  run,
  runFolders,
  spawnRun,
  writeCorpus,
} from "./command_line_run.ts";

const corpus = await Deno.makeTempDir();
globalThis.addEventListener("unload", () => Deno.removeSync(corpus, { recursive: true }));
await writeCorpus(corpus);

const sweep = [declaration("tiny_sweep.ts"), "--set", `corpus.folder=${corpus}`];
const runs = 4;

/** One of the runs of the sweep, perhaps with other models or another seed. */
function oneRun(
  chunkTokens: number,
  retrievedTokens: number,
  { models, seed }: Partial<Pick<Experiment["evaluations"][number], "models">> & {
    seed?: number;
  } = {},
): Experiment {
  const { sweep: _sweep, evaluations: [evaluation], ...others } = declared;
  return {
    ...others,
    corpus: { train: "train", valid: "valid", test: "test", folder: corpus },
    memory: { ...declared.memory!, chunkTokens },
    evaluations: [{ ...evaluation, memory: { retrievedTokens }, ...models && { models } }],
    ...seed !== undefined && { seed },
  };
}

function folderTest(name: string, body: (folder: string) => Promise<void>): void {
  test(name, () => withFolder(body));
}

/** Executes a run in this process, with its results in a folder. */
async function execute(folder: string, experiment: Experiment): Promise<void> {
  await runExperiment(experiment, { results: join(folder, "results") });
}

/** What a sweep leaves that may depend neither on kills nor on who trained what: by run, file by file. */
type SweepResults = Map<string, Record<string, string>>;

async function resultsOf(folder: string): Promise<SweepResults> {
  const results: SweepResults = new Map();
  for (const path of await runFolders(join(folder, "results"))) {
    const files: Record<string, string> = {};
    for (const name of ["summary.json", "experiment.json", "tokenizer.json"]) {
      files[name] = await Deno.readTextFile(join(path, name));
    }
    for await (const { name } of Deno.readDir(join(path, "samples"))) {
      files[name] = await Deno.readTextFile(join(path, "samples", name));
    }
    const metrics = await readLines(path, "metrics.jsonl");
    files["metrics.jsonl"] = metrics.map(({ timing: _timing, ...line }) => JSON.stringify(line))
      .join("\n");
    files.hashes = JSON.stringify((await readJson(path, "environment.json")).hashes);
    results.set(path.split("/").at(-1)!, files);
  }
  return results;
}

let expected: Promise<SweepResults> | undefined;

/** The results of the same runs, each in a folder of its own, so that each trains everything itself. */
function trainedAlone(): Promise<SweepResults> {
  expected ??= (async () => {
    const all: SweepResults = new Map();
    for (const chunkTokens of [2, 4]) {
      for (const retrievedTokens of [16, 32]) {
        await withFolder(async (folder) => {
          await execute(folder, oneRun(chunkTokens, retrievedTokens));
          for (const [name, files] of await resultsOf(folder)) {
            const { state, experiment, run, scale, ...rest } = JSON.parse(files["summary.json"]);
            assert.equal(rest.variation, undefined);
            const variation = {
              "memory.chunkTokens": chunkTokens,
              "evaluations.0.memory.retrievedTokens": retrievedTokens,
            };
            const summary = { state, experiment, run, scale, variation, ...rest };
            files["summary.json"] = JSON.stringify(summary, null, 2) + "\n";
            all.set(name, files);
          }
        });
      }
    }
    assert.equal(all.size, runs);
    return new Map([...all].sort());
  })();
  return expected;
}

/** Which phases of a run were taken, and from how many runs. */
async function takenOf(folder: string): Promise<string[][]> {
  const taken = [];
  for (const path of await runFolders(join(folder, "results"))) {
    const environment = await readJson(path, "environment.json");
    for (const { run, weights } of Object.values<Record<string, string>>(environment.taken ?? {})) {
      assert.ok(Object.values(environment.hashes).includes(weights));
      await Deno.stat(join(folder, "results", run, "summary.json"));
    }
    taken.push(Object.keys(environment.taken ?? {}));
  }
  return taken.sort((a, b) => a.length - b.length);
}

folderTest(
  "a sweep trains once what its runs share, to the bytes of training it each time",
  async (folder) => {
    const { code, stdout, stderr } = await run(folder, ...sweep);
    assert.equal(code, 0, stderr);
    assert.match(
      stdout,
      /run 2 of 4: memory.chunkTokens=2 evaluations.0.memory.retrievedTokens=32/,
    );
    assert.match(stdout, /^4 runs: 4 completed; results are in results$/m);
    assert.deepEqual(await resultsOf(folder), await trainedAlone());
    const shared = ["backbone", "sidenet-without-memory"];
    assert.deepEqual((await takenOf(folder)).map((phases) => phases.toSorted()), [
      [],
      shared,
      ["backbone", "longmem", "sidenet-without-memory"],
      ["backbone", "longmem", "sidenet-without-memory"],
    ]);
    // Nor does a declaration that is not swept train again: it is one of the runs.
    const set = [
      "--set",
      "memory.chunkTokens=4",
      "--set",
      "evaluations.0.memory.retrievedTokens=16",
    ];
    const alone = await run(folder, ...sweep, ...set);
    assert.match(alone.stdout, /completed earlier/);
  },
);

folderTest("runs at once and two processes train what they share once", async (folder) => {
  const both = await Promise.all(
    [1, 2].map(() => outcomeOf(spawnRun(folder, [...sweep, "--jobs", "2"]))),
  );
  for (const { code, stderr, stdout } of both) {
    assert.deepEqual([code, stderr], [0, ""]);
    assert.match(stdout, /^4 runs: 4 completed|still executed by other processes/m);
  }
  assert.deepEqual(await resultsOf(folder), await trainedAlone());
  const phases = (await takenOf(folder)).flat();
  const taken = (name: string) => phases.filter((phase) => phase === name).length;
  assert.deepEqual([taken("backbone"), taken("longmem"), taken("sidenet-without-memory")], [
    3,
    2,
    3,
  ]);
  // Each run was executed by one of them.
  const environments = [];
  for (const path of await runFolders(join(folder, "results"))) {
    environments.push(await readJson(path, "environment.json"));
  }
  assert.deepEqual(environments.map(({ earlier }) => earlier.length), [0, 0, 0, 0]);
});

folderTest(
  "a Memorizing Transformer is trained where one is asked for, and taken where its memory is the same",
  async (folder) => {
    const runWith = async (
      chunkTokens: number,
      retrievedTokens: number,
      models: Experiment["evaluations"][number]["models"],
    ) => {
      await execute(folder, oneRun(chunkTokens, retrievedTokens, { models }));
      return (await takenOf(folder)).map((phases) => phases.toSorted().join());
    };
    const both = ["backbone", "memorizing-transformer"] as const;
    assert.deepEqual(await runWith(2, 16, ["backbone"]), [""]);
    assert.deepEqual(await runWith(2, 16, both), ["", "backbone,longmem"]);
    assert.deepEqual(await runWith(4, 16, both), ["", "backbone", "backbone,longmem"]);
    assert.deepEqual(await runWith(4, 32, both), [
      "",
      "backbone",
      "backbone,longmem",
      "backbone,longmem,memorizing-transformer",
    ]);
    const trained = [];
    for (const path of await runFolders(join(folder, "results"))) {
      const lines = await readLines(path, "metrics.jsonl");
      trained.push(lines.filter(({ phase }) => phase === "memorizing-transformer").length);
    }
    assert.deepEqual(trained.toSorted(), [0, 12, 12, 12]); // 9 steps and 3 validations
  },
);

folderTest(
  "weights that are cut off are not taken, nor those of another training",
  async (folder) => {
    await execute(folder, oneRun(2, 16));
    const [first] = await runFolders(join(folder, "results"));
    const weights = join(first, "checkpoint/backbone/weights.safetensors");
    await Deno.truncate(weights, (await Deno.stat(weights)).size - 4);
    const longmem = join(first, "checkpoint/longmem/phase.json");
    await Deno.writeTextFile(
      longmem,
      (await Deno.readTextFile(longmem)).replace(
        /"weights": "(?!.*"weights")[0-9a-f]/s,
        '"weights": "z',
      ),
    );
    await execute(folder, oneRun(2, 32));
    assert.deepEqual(await takenOf(folder), [[], ["sidenet-without-memory"]]);

    await execute(folder, oneRun(2, 32, { seed: 2 }));
    assert.deepEqual((await takenOf(folder)).map(({ length }) => length), [0, 0, 1]);
  },
);

folderTest("a sweep that is killed at random moments comes to the same results", async (folder) => {
  let kills = 0;
  const mostKills = 8; // after them, what is left is done in one go
  for (let attempt = 0; attempt < mostKills; attempt++) {
    // Held after a few lines it cannot end before it is killed, however fast the machine is.
    const process = spawnRun(folder, [...sweep, "--jobs", String(1 + attempt % 2)], {
      heldAfterLines: 1 + Math.floor(8 * Math.random()),
    });
    const outcome = outcomeOf(process);
    let ended = false;
    outcome.then(() => ended = true);
    // Wherever it is, loading and waiting included.
    await pause(150 + 1200 * Math.random());
    if (!ended) process.kill("SIGKILL");
    if ((await outcome).code === 0) break; // all runs are completed
    kills++;
  }
  assert.ok(kills >= 5, `only ${kills} kills came in time`);
  const { code, stderr } = await run(folder, ...sweep);
  assert.equal(code, 0, stderr);
  assert.deepEqual(await resultsOf(folder), await trainedAlone());
});
