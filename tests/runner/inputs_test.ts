import { dirname, join } from "node:path";
import { hashCorpus } from "../../src/text/corpora/files.ts";
import { changedInputs, describeChanges, recordInputs } from "../../src/runner/inputs.ts";
import type { RunEnvironment } from "../../src/results/records.ts";
import type { RunContext } from "../../src/runner/run_context.ts";
import { resolvedExperiment } from "../experiment/resolved.ts";
import { withFolder } from "../temporary_folder.ts";
import { initializeBackbone } from "../../src/backbone/initialization.ts";
import { writeBackboneFolder } from "../../src/checkpoint/folder.ts";
import { assert, test } from "../testing.ts";
import { onlyRun, readJson, run, runTest, writeCorpus } from "../queue/command_line_run.ts";
import { tiny } from "../queue/tiny_results.ts";

/** Files of every kind that experiments read, and what names them in a record. */
const inputs: [name: string, file: string][] = [
  ["corpus train", "corpus/train/train_1.txt"],
  ["corpus valid", "corpus/valid/valid_0.txt"],
  ["corpus test", "corpus/test/test_2.txt"],
  ["corpus.folder", "corpus/index.json"],
  ["tokenizer.path", "tokenizer.json"],
  ["tokenizer.path", "tokenizer_config.json"],
  ["tokenizer.path", "generation_config.json"],
  ["backbone.path", "backbone/backbone.safetensors"],
  ["backbone.path", "backbone/config.json"],
  ["sidenet.path", "sidenet.pt"],
  ["evaluations.0.source.path", "items.json"],
  ["evaluations.1.folder", "squad/dev-v1.1.json"],
  ["evaluations.1.folder", "squad/dev-article-split.json"],
  ["evaluations.2.source.folder", "sentences/SST-2/train.tsv"],
  ["evaluations.2.source.folder", "sentences/SST-2/dev.tsv"],
];

/** An experiment that reads all of them. */
function declare(folder: string) {
  const memory = { capacityTokens: 64, chunkTokens: 4, retrievedTokens: 16 };
  const models = ["backbone"], contextTokens = 32, memoryDemonstrations = 2;
  return resolvedExperiment({
    name: "inputs",
    corpus: { folder: `${folder}/corpus`, train: "train", valid: "valid", test: "test" },
    tokenizer: { kind: "file", path: `${folder}/tokenizer.json` },
    backbone: { kind: "checkpoint", path: `${folder}/backbone` },
    sidenet: { kind: "checkpoint", path: `${folder}/sidenet.pt` },
    memory,
    evaluations: [
      {
        kind: "chapter-break",
        source: { kind: "file", path: `${folder}/items.json`, split: "pg19" },
        prefixTokens: [32],
        models,
        contextTokens,
      },
      { kind: "squad", folder: `${folder}/squad`, memoryDemonstrations, models, contextTokens },
      {
        kind: "in-context-learning",
        source: {
          kind: "sentences",
          folder: `${folder}/sentences`,
          tasks: ["sst-2"],
          memoryDemonstrations,
        },
        models,
        contextTokens,
      },
    ],
  });
}

/** What a run of an experiment has recorded of the files it read. */
async function recordOf(
  experiment: ReturnType<typeof declare>,
): Promise<Pick<RunEnvironment, "hashes" | "inputs">> {
  const hashes: Record<string, string> = {};
  for (const split of ["train", "valid", "test"] as const) {
    if (experiment.corpus.kind !== "files") break;
    hashes[`corpus ${split}`] = await hashCorpus(experiment.corpus, split);
  }
  let inputs = {};
  const results = {
    environment: { hashes },
    recordHash: (name: string, sha256: string) =>
      Promise.resolve(assert.equal(hashes[name], sha256)),
    recordInputs: (read: Record<string, string>) => Promise.resolve(inputs = read),
  };
  await recordInputs(experiment, { results } as unknown as RunContext);
  return { hashes, inputs };
}

test("changedInputs() names every input that has changed, with both hashes", async () => {
  await withFolder(async (folder) => {
    await writeCorpus(join(folder, "corpus"));
    for (const [name, file] of inputs) {
      if (!name.startsWith("corpus ")) {
        await Deno.mkdir(dirname(join(folder, file)), { recursive: true });
        await Deno.writeTextFile(join(folder, file), `contents of ${file}`);
      }
    }
    const experiment = declare(folder);
    const recorded = await recordOf(experiment);
    assert.deepEqual(
      Object.keys(recorded.inputs!).toSorted(),
      [...new Set(inputs.map(([name]) => name).filter((name) => !name.startsWith("corpus ")))]
        .toSorted(),
    );
    assert.deepEqual(await changedInputs(experiment, recorded), []);
    for (const [name, file] of inputs) {
      const path = join(folder, file), before = await Deno.readTextFile(path);
      await Deno.writeTextFile(path, before.replace(/.$/s, "?")); // of the same length
      const changes = await changedInputs(experiment, recorded);
      assert.deepEqual(changes.map((change) => change.name), [name], file);
      const [{ current, recorded: earlier }] = changes;
      assert.match(current, /^[0-9a-f]{64}$/);
      assert.equal(earlier, { ...recorded.hashes, ...recorded.inputs }[name]);
      assert.equal(
        describeChanges(changes),
        `${name} has changed (SHA-256 is ${current.slice(0, 12)}, recorded is ${
          earlier.slice(0, 12)
        })`,
      );
      await Deno.writeTextFile(path, before);
    }
    assert.deepEqual(await changedInputs(experiment, recorded), []);
    // Files that a run does without make another input where they come or go.
    const index = join(folder, "corpus/index.json"), contents = await Deno.readTextFile(index);
    await Deno.remove(index);
    const namesOf = async (record: typeof recorded) =>
      (await changedInputs(experiment, record)).map(({ name }) => name);
    assert.deepEqual(await namesOf(recorded), ["corpus.folder"]);
    const without = await recordOf(experiment);
    assert.deepEqual(await namesOf(without), []);
    await Deno.writeTextFile(index, contents);
    assert.deepEqual(await namesOf(without), ["corpus.folder"]);
    // A document more is another corpus; what is gone is nothing to compare with.
    await Deno.writeTextFile(join(folder, "corpus/test/test_3.txt"), "One more.");
    const [added] = await changedInputs(experiment, recorded);
    assert.equal(added.name, "corpus test");
    for (const name of ["corpus", "squad", "items.json"]) {
      await Deno.remove(join(folder, name), { recursive: true });
    }
    assert.deepEqual(await changedInputs(experiment, recorded), []);
    // Nor are inputs that a record does not have, as of earlier versions.
    await Deno.writeTextFile(join(folder, "tokenizer.json"), "another");
    assert.deepEqual(await changedInputs(experiment, { hashes: recorded.hashes }), []);
  });
});

runTest("a finished run says which of its inputs have changed since", async (folder) => {
  const small = ["--set", "adaptation.steps=3", "--set", "evaluations.0.models=backbone"];
  const first = await run(folder, tiny, ...small);
  assert.equal(first.code, 0, first.stderr);
  const again = await run(folder, tiny, ...small);
  assert.match(again.stdout, /completed earlier$/m);
  for (const split of ["train", "test"]) {
    const path = join(folder, `corpus/${split}/${split}_0.txt`);
    const text = await Deno.readTextFile(path);
    await Deno.writeTextFile(path, text.replace("king", "queen"));
    const changed = await run(folder, tiny, ...small);
    assert.equal(changed.code, 0, changed.stderr);
    assert.match(
      changed.stdout,
      new RegExp(
        `completed earlier; since then corpus ${split} has changed ` +
          `\\(SHA-256 is [0-9a-f]{12}, recorded is [0-9a-f]{12}\\): --fresh runs it again$`,
        "m",
      ),
    );
    await Deno.writeTextFile(path, text);
  }
  const { hashes } = await readJson(await onlyRun(join(folder, "results")), "environment.json");
  await Deno.writeTextFile(
    join(folder, "corpus/test/test_0.txt"),
    "The king sailed home. ".repeat(40),
  );
  const fresh = await run(folder, tiny, ...small, "--fresh");
  assert.equal(fresh.code, 0, fresh.stderr);
  const anew = await readJson(await onlyRun(join(folder, "results")), "environment.json");
  assert.notEqual(anew.hashes["corpus test"], hashes["corpus test"]);
  assert.match((await run(folder, tiny, ...small)).stdout, /completed earlier$/m);
});

runTest(
  "what a vocabulary is trained on counts as read, also where nothing else reads it",
  async (folder) => {
    const shape = { layers: 1, hiddenDim: 8, heads: 1, feedForwardDim: 16, vocabSize: 280 };
    const weights = initializeBackbone(shape, 1);
    await writeBackboneFolder(join(folder, "backbone"), { shape, weights });
    const path = join(folder, "declared.ts");
    await Deno.writeTextFile(
      path,
      `export default ${
        JSON.stringify({
          name: "untrained",
          corpus: { folder: "corpus", train: "train", valid: "valid", test: "test" },
          tokenizer: { kind: "bpe", vocabSize: 280 },
          backbone: { kind: "checkpoint", path: "backbone" },
          evaluations: [{
            kind: "perplexity",
            split: "test",
            models: ["backbone"],
            contextTokens: 16,
          }],
          ...{ device: "cpu", threads: 1 },
        })
      };\n`,
    );
    const first = await run(folder, path);
    assert.equal(first.code, 0, first.stderr);
    assert.match((await run(folder, path)).stdout, /completed earlier$/m);
    await Deno.writeTextFile(join(folder, "corpus/train/train_0.txt"), "Other words. ".repeat(200));
    assert.match(
      (await run(folder, path)).stdout,
      /completed earlier; since then corpus train has changed \(SHA-256/,
    );
  },
);

test("changedInputs() notices another commit of a model of the Hub", async () => {
  await withFolder(async (folder) => {
    const earlier = Deno.env.get("HF_HUB_CACHE");
    Deno.env.set("HF_HUB_CACHE", folder);
    try {
      const model = join(folder, "models--a--b");
      const fetched = async (commit: string) => {
        await Deno.mkdir(join(model, "snapshots", commit), { recursive: true });
        await Deno.mkdir(join(model, "refs"), { recursive: true });
        await Deno.writeTextFile(join(model, "refs/main"), commit);
        await Deno.writeTextFile(join(model, "snapshots", commit, "model.safetensors"), commit);
      };
      await fetched("1".repeat(40));
      const backbone = { kind: "checkpoint", path: "hf:a/b" } as const;
      const experiment = { ...declare(folder), backbone };
      const recorded = await recordOf({ ...experiment, corpus: { kind: "none" } });
      assert.deepEqual(Object.keys(recorded.inputs!), ["backbone.path"]);
      assert.deepEqual(await changedInputs(experiment, { ...recorded, hashes: {} }), []);
      await fetched("2".repeat(40));
      const changes = await changedInputs(experiment, { ...recorded, hashes: {} });
      assert.deepEqual(changes.map(({ name }) => name), ["backbone.path"]);
    } finally {
      if (earlier === undefined) Deno.env.delete("HF_HUB_CACHE");
      else Deno.env.set("HF_HUB_CACHE", earlier);
    }
  });
});
