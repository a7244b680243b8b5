import { defineExperiment, type Experiment } from "../../mod.ts";
import { initializeBackbone } from "../../src/backbone/initialization.ts";
import { byteCharacters } from "../../src/text/byte_level_bpe.ts";
import { huggingFaceBackbone } from "../../src/checkpoint/huggingface_backbone.ts";
import { generateCommand } from "../../src/commands/generate.ts";
import { dataCommand } from "../../src/commands/data.ts";
import { describeSources } from "../../src/commands/missing_data.ts";
import { estimateRun } from "../../src/experiment/estimate.ts";
import { resolveRun } from "../../src/experiment/resolve.ts";
import { runExperiment } from "../../src/queue/run_experiment.ts";
import { huggingFaceTensors, writeHuggingFace } from "../checkpoint/huggingface_folder.ts";
import { type HubServer, startHub } from "../checkpoint/hub_server.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, repositoryPath, test } from "../testing.ts";
import { execute, recordedOutput } from "./recorded_output.ts";

const repo = "tellers/small", commit = "3".repeat(40), separator = "<|endoftext|>";

/** A small model with GPT-2's kind of tokenizer, on a server. */
async function publish(server: HubServer, folder: string): Promise<void> {
  const shape = {
    architecture: "gpt2",
    layers: 2,
    hiddenDim: 16,
    heads: 2,
    feedForwardDim: 64,
    vocabSize: 257,
    settings: { positions: 32 },
  };
  const tensors = huggingFaceTensors({ shape, weights: initializeBackbone(shape, 1) });
  await writeHuggingFace(folder, {
    "model_type": "gpt2",
    "n_embd": 16,
    "n_layer": 2,
    "n_head": 2,
    "n_positions": 32,
    "vocab_size": 257,
  }, tensors);
  const part = { type: "ByteLevel", "add_prefix_space": false };
  const vocab = Object.fromEntries([...byteCharacters, separator].map((token, id) => [token, id]));
  const json = {
    "tokenizer.json": {
      normalizer: null,
      "added_tokens": [{ id: 256, content: separator, special: true }],
      "pre_tokenizer": part,
      decoder: part,
      model: { type: "BPE", vocab, merges: [] },
    },
    "tokenizer_config.json": { "bos_token": separator, "eos_token": separator },
  };
  const files = new Map(
    Object.entries(json).map(([name, value]) => [name, {
      bytes: new TextEncoder().encode(JSON.stringify(value)),
    }]),
  );
  for (const [name, lfs] of [["config.json", false], ["model.safetensors", true]] as const) {
    const bytes = await Deno.readFile(`${folder}/${name}`);
    files.set(name, { bytes, ...(lfs ? { lfs } : {}) });
  }
  server.commits.set(commit, files);
  server.branches.set("main", commit);
}

/** Sets variables of the environment while something is done. */
async function withEnvironment(
  variables: Record<string, string>,
  use: () => Promise<void>,
): Promise<void> {
  const before = Object.keys(variables).map((name) => [name, Deno.env.get(name)] as const);
  for (const [name, value] of Object.entries(variables)) Deno.env.set(name, value);
  try {
    await use();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) Deno.env.delete(name);
      else Deno.env.set(name, value);
    }
  }
}

test("data fetches a model of the Hub, and a run reads it, its tokenizer and records its commit", () =>
  withFolder(async (folder) => {
    await using server = startHub(repo);
    await publish(server, `${folder}/published`);
    const cache = `${folder}/cache`;
    const variables = { HF_ENDPOINT: server.url, HF_HUB_CACHE: cache, HF_HUB_OFFLINE: "" };
    await withEnvironment(variables, async () => {
      const corpus = `${folder}/corpus`;
      await Deno.mkdir(corpus);
      const text = "It was the best of times. ".repeat(12);
      for (const split of ["train", "valid", "test"]) {
        await Deno.writeTextFile(`${corpus}/${split}.txt`, `${split}: ${text}`);
      }
      const experiment = defineExperiment({
        name: "from_the_hub",
        corpus: { folder: corpus, train: "train.txt", valid: "valid.txt", test: "test.txt" },
        tokenizer: { kind: "huggingface" },
        backbone: { kind: "huggingface", repo },
        sidenet: { memoryBlock: 1 },
        memory: { capacityTokens: 64, chunkTokens: 4, retrievedTokens: 8 },
        adaptation: { batchSize: 1, contextTokens: 16, steps: 2, learningRate: 1e-3 },
        evaluations: [{ kind: "perplexity", split: "test", models: ["backbone", "longmem"] }],
      });
      const run = resolveRun("x.ts", experiment);
      const data = async (...args: string[]) => {
        const output = recordedOutput();
        const code = await execute(dataCommand(output), ...args);
        return { code, text: output.printed.join("\n") };
      };
      const options = { results: `${folder}/results`, device: "cpu" } as const;

      const path = "hf:tellers/small";
      const continued = defineExperiment({
        name: "continued",
        corpus: experiment.corpus,
        tokenizer: {
          kind: "file",
          path: `${cache}/models--tellers--small/snapshots/${commit}/tokenizer.json`,
        },
        backbone: {
          kind: "pretrain",
          architecture: "gpt2",
          ...{ layers: 2, hiddenDim: 16, heads: 2, settings: { positions: 32 } },
          initialization: { kind: "checkpoint", path },
          training: { batchSize: 1, contextTokens: 16, steps: 1, learningRate: 1e-3 },
        },
        evaluations: [{ kind: "perplexity", split: "test", models: ["backbone"] }],
      });
      const byPath = { ...experiment, backbone: { kind: "checkpoint", path } } as const;
      const missingOf = async (experiment: Experiment) =>
        (await estimateRun(resolveRun("x.ts", experiment).experiment)).missing;

      // Not fetched: nothing is known of its cost, and everything says the command.
      const command = "deno task data hf:tellers/small";
      for (const other of [continued, byPath]) assert.ok((await missingOf(other)).includes(path));
      assert.deepEqual((await estimateRun(run.experiment)).missing, ["hf:tellers/small"]);
      assert.deepEqual(await describeSources([run]), [`hf:tellers/small: ${command}`]);
      await assert.rejects(runExperiment(experiment, options), {
        name: "MissingDataError",
        message:
          /backbone\.repo is not in the Hub's cache .*\n {2}deno task data hf:tellers\/small$/,
      });
      const offline = await data("--offline", "hf:tellers/small");
      assert.equal(offline.code, 1);
      assert.match(offline.text, /^hf:tellers\/small: missing\n.*\n {2}to get it: deno task data/);
      await withEnvironment({ HF_HUB_OFFLINE: "1" }, async () => {
        assert.equal((await data("hf:tellers/small")).code, 1);
      });
      assert.deepEqual(server.requests, [], "nothing was asked for");

      const fetched = await data("hf:tellers/small");
      assert.equal(fetched.code, 0, fetched.text);
      assert.match(fetched.text, new RegExp(`^hf:tellers/small: complete\n  commit: ${commit}\n`));
      assert.equal((await data("hf:tellers/small", "--offline")).code, 0);
      await assert.rejects(data("hf:tellers"), /has no model "tellers"/);
      const asked = server.requests.length;
      await assert.rejects(data("hf:../../etc"), /its name is malformed/);

      const estimate = await estimateRun(run.experiment);
      assert.deepEqual(estimate.missing, []);
      assert.equal(estimate.backboneParameters, 257 * 16 + 32 * 16 + 2 * 3_280 + 32);
      const { state, run: id } = await runExperiment(experiment, options);
      assert.equal(state, "completed");
      const { hashes, inputs } = JSON.parse(
        await Deno.readTextFile(`${options.results}/from_the_hub/${id}/environment.json`),
      );
      assert.equal(hashes["backbone commit"], commit);
      for (const other of [continued, byPath]) {
        assert.deepEqual(await missingOf(other), []);
        assert.equal((await runExperiment(other, options)).state, "completed");
      }
      for (const field of ["backbone.repo", "tokenizer"]) {
        assert.match(inputs[field], /^[0-9a-f]{64}$/);
      }
      await Deno.writeTextFile(`${folder}/document.txt`, text);
      const said = recordedOutput();
      const flags = ["--tokens", "3", "--device", "cpu", "--offline", "--prompt", "It"];
      const document = ["--document", `${folder}/document.txt`];
      const model = ["--backbone", "hf:tellers/small"];
      assert.equal(await execute(generateCommand(said), ...model, ...document, ...flags), 0);
      assert.match(said.printed[0], /^It/);
      await assert.rejects(
        execute(generateCommand(said), "--backbone", "hf:tellers/large", ...document, ...flags),
        /\n {2}deno task data hf:tellers\/large$/,
      );
      // A declaration may say what the model must be.
      const backbone = { kind: "huggingface", repo } as const;
      await huggingFaceBackbone.stored.read({
        ...backbone,
        shape: { layers: 2, settings: { positions: 32 } },
      });
      const held = await huggingFaceBackbone.stored.read({ ...backbone, frozenWeights: "float16" });
      assert.equal(held.backbone.frozenType, "float16");
      await assert.rejects(
        huggingFaceBackbone.stored.read({ ...backbone, shape: { layers: 3 } }),
        /its layers is another one: expected 3, found 2/,
      );
      await assert.rejects(
        huggingFaceBackbone.stored.read({ ...backbone, shape: { settings: { positions: 64 } } }),
        /its positions is another one: expected 64, found 32/,
      );
      assert.equal(server.requests.length, asked, "only data uses the network");
    });
  }));

test("runs are named by a model's repository and revision", () => {
  const id = (backbone: object) =>
    resolveRun(
      "x.ts",
      {
        name: "x",
        corpus: { kind: "none" },
        tokenizer: { kind: "huggingface" },
        backbone,
        evaluations: [{
          kind: "chapter-break",
          source: { kind: "file", path: "x.json", split: "test" },
          contextTokens: 32,
          models: ["backbone"],
        }],
      } as never,
    ).id;
  const main = id({ kind: "huggingface", repo });
  assert.equal(id({ kind: "huggingface", repo, revision: "main" }), main);
  const others = [
    { repo: "tellers/large" },
    { repo, revision: "step1000" },
    { path: "tellers/small" },
  ].map((fields) => id({ kind: "huggingface", ...fields }));
  assert.equal(new Set([main, ...others]).size, 4);
  for (
    const [fields, message] of [
      [{}, /backbone\.repo is missing, and so is backbone\.path/],
      [{ repo, path: "x" }, /backbone\.path must not be given beside backbone\.repo/],
      [{ path: "x", revision: "main" }, /backbone\.revision must not be given without/],
      [{ repo: "../x" }, /backbone\.repo/],
      [{ repo, revision: "../x" }, /backbone\.revision/],
    ] as const
  ) assert.throws(() => id({ kind: "huggingface", ...fields }), message);
  assert.throws(
    () =>
      id({
        kind: "pretrain",
        size: "tiny",
        training: { batchSize: 1, contextTokens: 8, steps: 1 },
      }),
    /tokenizer\.kind must not be huggingface where backbone\.kind is pretrain/,
  );
});

test("the task of data may fetch models of the Hub", () =>
  withFolder(async (folder) => {
    await using server = startHub(repo);
    await publish(server, `${folder}/published`);
    const { tasks } = JSON.parse(await Deno.readTextFile(repositoryPath("deno.json")));
    const [, permissions] = /^deno run (.*) src\/main\.ts data$/.exec(tasks.data.command)!;
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--quiet", "--no-prompt", "--no-check"],
        ...["--config", repositoryPath("deno.json"), ...permissions.split(" ")],
        ...[repositoryPath("src/main.ts"), "data", "hf:tellers/small"],
      ],
      cwd: folder,
      env: { NO_COLOR: "1", HF_ENDPOINT: server.url, HF_HOME: `${folder}/hf` },
    }).output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
    assert.match(new TextDecoder().decode(stdout), /^hf:tellers\/small: complete\n/);
    const snapshot = `${folder}/hf/hub/models--tellers--small/snapshots/${commit}`;
    assert.ok((await Deno.lstat(`${snapshot}/model.safetensors`)).isSymlink);
  }));

test("table reads declarations of models of the Hub, though it may not read the environment", () =>
  withFolder(async (folder) => {
    const { tasks } = JSON.parse(await Deno.readTextFile(repositoryPath("deno.json")));
    const [, permissions] = /^deno run (.*) src\/main\.ts table$/.exec(tasks.table.command)!;
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--quiet", "--no-prompt", "--no-check"],
        ...["--config", repositoryPath("deno.json"), ...permissions.split(" ")],
        ...[repositoryPath("src/main.ts"), "table", repositoryPath("experiments/models/gpt2.ts")],
      ],
      cwd: folder,
      env: { NO_COLOR: "1" },
    }).output();
    const said = new TextDecoder().decode(stderr);
    assert.ok(code <= 1, said);
    assert.doesNotMatch(said, /Requires|NotCapable/);
  }));
