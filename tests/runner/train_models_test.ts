import { loadBackboneWeights, loadSideNetWeights } from "../../src/checkpoint/checkpoint.ts";
import type { LongMemCheckpoint } from "../../src/checkpoint/content.ts";
import { writeBackboneFolder, writeLongMemFolder } from "../../src/checkpoint/folder.ts";
import { readSafetensors } from "../../src/formats/safetensors.ts";
import { hashFrozen, hashTensors } from "../../src/formats/tensor_hash.ts";
import { initializeBackbone } from "../../src/backbone/initialization.ts";
import type { Experiment } from "../../src/experiment/declaration.ts";
import { loadLongMem } from "../../src/checkpoint/load.ts";
import { readFinishedRun } from "../../src/runner/load_trained_model.ts";
import { withFrozen } from "../../src/runner/train_models.ts";
import { runExperiment } from "../../src/queue/run_experiment.ts";
import { Random } from "../../src/random.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, assertClose, fixturePath, sharedTest, test } from "../testing.ts";
import { smallBackbone, smallMemory, smallSideNet } from "../training/small_training.ts";
import { readJson } from "../queue/command_line_run.ts";

test("withFrozen() refuses results of what changed a weight", async () => {
  const shape = { layers: 1, hiddenDim: 4, heads: 1, feedForwardDim: 4, vocabSize: 5 };
  const weights = initializeBackbone(shape, 1);
  assert.equal(await withFrozen({ weights }, "adaptation", () => Promise.resolve(7)), 7);
  const changing = () => {
    weights.get("transformer.h.0.attn.v_proj.weight")!.data[3] += 1e-6;
    return Promise.resolve();
  };
  await assert.rejects(withFrozen({ weights }, "adaptation", changing), {
    message: "Cannot trust the results as the frozen backbone has changed during the adaptation",
  });
});

test("withFrozen() refuses results of weights that have changed since they were loaded", async () => {
  const shape = { layers: 1, hiddenDim: 4, heads: 1, feedForwardDim: 4, vocabSize: 5 };
  const weights = initializeBackbone(shape, 1);
  const loaded = hashFrozen(weights);
  assert.equal(loaded, hashTensors(weights));
  weights.get("lm_head.bias")!.data[3] += 1e-6; // between two phases
  await assert.rejects(withFrozen({ weights }, "evaluation", () => Promise.resolve()), {
    message: "Cannot trust the results as the frozen backbone has changed during the evaluation",
  });
  assert.equal(hashFrozen(weights), loaded, "computed once");
  assert.equal(hashFrozen(new Map(weights)), hashTensors(weights), "another map");
});

const contextTokens = 16, documentTokens = 90;

/** Writes a corpus of the words of a vocabulary, and the tokenizer that gives each its id. */
async function writeWords(folder: string, vocabSize: number): Promise<Int32Array> {
  const special = ["<s>", "<pad>", "</s>", "<unk>"];
  const words = Array.from({ length: vocabSize - special.length }, (_, i) => `w${i + 4}`);
  const tokenizer = {
    "added_tokens": special.map((content, id) => ({ id, content, special: true })),
    "pre_tokenizer": { type: "WhitespaceSplit" },
    model: {
      type: "WordLevel",
      vocab: Object.fromEntries([...special, ...words].map((word, id) => [word, id])),
    },
  };
  await Deno.writeTextFile(`${folder}/tokenizer.json`, JSON.stringify(tokenizer));
  let tokens = Int32Array.of();
  for (const split of ["train", "valid", "test"]) {
    const random = new Random(split);
    const ids = Array.from({ length: documentTokens }, () => 4 + random.below(words.length));
    await Deno.mkdir(`${folder}/corpus/${split}`, { recursive: true });
    await Deno.writeTextFile(
      `${folder}/corpus/${split}/only.txt`,
      ids.map((id) => `w${id}`).join(" "),
    );
    tokens = Int32Array.of(0, ...ids, 2);
  }
  return tokens;
}

const models = [
  "backbone",
  "longmem",
  "longmem-memory-off",
  "longmem-recent-memory",
] as const;

/** Evaluates the models of a backbone and a SideNet that are read, without any training. */
function declare(
  folder: string,
  paths: { backbone: string; sidenet: string },
  { memory }: Pick<LongMemCheckpoint, "memory">,
): Experiment {
  return {
    name: "read",
    corpus: { folder: `${folder}/corpus`, train: "train", valid: "valid", test: "test" },
    tokenizer: { kind: "file", path: `${folder}/tokenizer.json` },
    backbone: { kind: "checkpoint", path: paths.backbone },
    sidenet: { kind: "checkpoint", path: paths.sidenet },
    memory,
    evaluations: [{ kind: "perplexity", split: "test", models, contextTokens }],
  };
}

/** Nats of the test document by model: as the run measures them. */
async function measuredNats(experiment: Experiment, results: string) {
  const { run, state } = await runExperiment(experiment, { results, device: "cpu" });
  assert.equal(state, "completed");
  const folder = `${results}/${experiment.name}/${run}`;
  const lines = (await Deno.readTextFile(`${folder}/samples/perplexity-test.jsonl`)).trim();
  const samples = lines.split("\n").map((line) => JSON.parse(line));
  return {
    folder,
    nats: Object.fromEntries(samples.map(({ model, nats }) => [model, nats as number])),
  };
}

/** The same, from passes over the document's segments. */
async function expectedNats(
  tokens: Int32Array,
  parts: Parameters<typeof loadLongMem>[0],
  network: "backbone" | "sidenet" | "longmem",
  forgets = false,
): Promise<number> {
  const model = await loadLongMem({ ...parts, device: "cpu" });
  let nats = 0;
  for (let start = 0; start < tokens.length - 1; start += contextTokens) {
    const end = Math.min(start + contextTokens, tokens.length - 1);
    if (forgets && start >= 2 * contextTokens) {
      await model.resetMemory();
      await model.remember(tokens.slice(start - contextTokens, start));
    }
    const scores = await model.score(
      tokens.slice(start, end),
      tokens.slice(start + 1, end + 1),
      { network },
    );
    nats += scores.reduce((sum, nll) => sum + nll, 0);
  }
  await model.close();
  return nats;
}

/** Evaluates checkpoints as a run does and checks every model against passes over the same tokens. */
async function checkReadModels(
  folder: string,
  paths: { backbone: string; sidenet: string },
  checkpoint: LongMemCheckpoint,
): Promise<void> {
  const tokens = await writeWords(folder, checkpoint.backbone.shape.vocabSize);
  const experiment = declare(folder, paths, checkpoint);
  const { nats, folder: run } = await measuredNats(experiment, `${folder}/results`);
  const parts = { ...paths, memory: checkpoint.memory };
  const expected = {
    "backbone": await expectedNats(tokens, parts, "backbone"),
    "longmem": await expectedNats(tokens, parts, "longmem"),
    "longmem-memory-off": await expectedNats(tokens, parts, "sidenet"),
    "longmem-recent-memory": await expectedNats(tokens, parts, "longmem", true),
  };
  for (const model of models) {
    assertClose([nats[model]], [expected[model]], { tolerance: 1e-3, name: model });
  }
  assert.equal(new Set(models.map((model) => nats[model].toFixed(2))).size, models.length);
  const { hashes } = await readJson(run, "environment.json");
  assert.equal(hashes["backbone"], hashTensors(checkpoint.backbone.weights));
  assert.equal(hashes["SideNet checkpoint"], hashTensors(checkpoint.sideNet.weights));
}

/** A LongMem with weights that are not as initialised. */
function smallLongMem(): LongMemCheckpoint {
  const backbone = smallBackbone(), sideNet = smallSideNet(backbone);
  const random = new Random("trained");
  for (const { data } of sideNet.weights.values()) {
    for (let i = 0; i < data.length; i++) data[i] += 0.1 * random.normal();
  }
  const { capacityTokens, chunkTokens, retrievedTokens } = smallMemory;
  return { backbone, sideNet, memory: { capacityTokens, chunkTokens, retrievedTokens } };
}

/** A small LongMem, words for it, and the experiment that reads both. */
async function writeReadable(folder: string) {
  const checkpoint = smallLongMem();
  const path = `${folder}/longmem`;
  await writeLongMemFolder(path, checkpoint);
  await writeWords(folder, checkpoint.backbone.shape.vocabSize);
  const read = declare(folder, { backbone: path, sidenet: path }, checkpoint);
  return { checkpoint, read };
}

test("a SideNet from a checkpoint is evaluated without an adaptation, as its passes have it", async () => {
  await withFolder(async (folder) => {
    const checkpoint = smallLongMem();
    await writeLongMemFolder(`${folder}/longmem`, checkpoint);
    const path = `${folder}/longmem`;
    await checkReadModels(folder, { backbone: path, sidenet: path }, checkpoint);
  });
});

sharedTest("the official files of a backbone and a LongMem are evaluated as they are", async () => {
  await withFolder(async (folder) => {
    const paths = { backbone: fixturePath("backbone.pt"), sidenet: fixturePath("longmem.pt") };
    const backbone = await loadBackboneWeights(paths.backbone);
    const { memory, ...sideNet } = await loadSideNetWeights(paths.sidenet, backbone.shape);
    await checkReadModels(folder, paths, { backbone, sideNet, memory: memory! });
  });
});

test("a SideNet from a checkpoint is refused beside another backbone, and in another shape", async () => {
  await withFolder(async (folder) => {
    const checkpoint = smallLongMem();
    await writeLongMemFolder(`${folder}/longmem`, checkpoint);
    const other = smallBackbone(2);
    await writeBackboneFolder(`${folder}/other`, other);
    await writeWords(folder, other.shape.vocabSize);
    const paths = { backbone: `${folder}/other`, sidenet: `${folder}/longmem` };
    const experiment = declare(folder, paths, checkpoint);
    const options = { results: `${folder}/results`, device: "cpu" } as const;
    await assert.rejects(
      runExperiment(experiment, options),
      /Cannot use the SideNet of ".*longmem" as it was trained on another backbone/,
    );
    const { sidenet } = paths;
    const mistaken = {
      ...experiment,
      backbone: { kind: "checkpoint", path: sidenet },
      sidenet: { kind: "checkpoint", path: sidenet, shape: { memoryBlock: 1 } },
    } as const;
    await assert.rejects(runExperiment(mistaken, options), /memoryBlock .* expected 1, found 3/);
    const larger = {
      ...mistaken,
      backbone: { kind: "checkpoint", path: sidenet, shape: { layers: 24 } },
    } as const;
    await assert.rejects(runExperiment(larger, options), /layers .* expected 24, found 4/);
  });
});

test("an adaptation goes on from a SideNet's checkpoint", async () => {
  await withFolder(async (folder) => {
    const { checkpoint, read } = await writeReadable(folder);
    const results = `${folder}/results`;
    const before = await measuredNats(read, results);
    const adapted = (learningRate: number) => {
      const adaptation = { batchSize: 1, contextTokens, steps: 2, learningRate, dropout: 0 };
      return measuredNats({ ...read, name: "adapted", adaptation }, results);
    };
    const { nats: hardly } = await adapted(1e-12);
    assertClose([hardly.longmem], [before.nats.longmem], { tolerance: 1e-3 });
    const { nats, folder: run } = await adapted(1e-2);
    assert.ok(Math.abs(nats.longmem - before.nats.longmem) > 0.1, "training changes it");

    const finished = await readFinishedRun(run);
    assert.deepEqual(finished.sideNet.shape, checkpoint.sideNet.shape);
    const { hashes } = await readJson(run, "environment.json");
    assert.equal(hashes["SideNet longmem"], hashTensors(finished.sideNet.weights));
    assert.notEqual(hashes["SideNet longmem"], hashes["SideNet checkpoint"]);
    await assert.rejects(
      readFinishedRun(before.folder),
      /Cannot take a LongMem from run ".*" as it trains none/,
    );
  });
});

test("gates that are declared fixed stay as the checkpoint has them, of both models that have some", async () => {
  await withFolder(async (folder) => {
    const { checkpoint, read } = await writeReadable(folder);
    const [evaluation] = read.evaluations;
    const results = `${folder}/results`;
    const training = { batchSize: 1, contextTokens, steps: 2, learningRate: 1e-2, dropout: 0 };
    const gatesAfter = async (gate: "learned" | "fixed") => {
      const { run } = await runExperiment({
        ...read,
        adaptation: { ...training, gate },
        evaluations: [{ ...evaluation, models: ["longmem", "memorizing-transformer"] }],
      }, { results, device: "cpu" });
      const gates = [];
      for (const phase of ["longmem", "memorizing-transformer"]) {
        const weights = `${results}/read/${run}/checkpoint/${phase}/weights.safetensors`;
        const { tensors } = await readSafetensors(weights);
        gates.push([...tensors].find(([name]) => name.endsWith("memory_bias"))![1].data);
      }
      return gates;
    };
    const before = [...checkpoint.sideNet.weights]
      .find(([name]) => name.endsWith("memory_bias"))![1].data;
    // A Memorizing Transformer has no checkpoint: its gates begin at 0.
    const fixed = [before, new Float32Array(before.length)];
    assert.deepEqual(await gatesAfter("fixed"), fixed);
    for (const [i, gates] of (await gatesAfter("learned")).entries()) {
      assert.ok(gates.every((gate, h) => gate !== fixed[i][h]));
    }
  });
});

test("an experiment without documents is asked about the texts that its evaluation brings", async () => {
  await withFolder(async (folder) => {
    const { read } = await writeReadable(folder);
    await Deno.remove(`${folder}/corpus`, { recursive: true });
    const text = (length: number, from: number) =>
      Array.from({ length }, (_, i) => `w${4 + (from + i * i) % 9}`).join(" ");
    const items = [1, 2, 3].map((i) => ({
      ctx: text(80, i),
      pos: text(8, 3 * i),
      negs: [4, 5, 6, 7, 8].map((from) => text(8, from + 5 * i)),
    }));
    await Deno.writeTextFile(`${folder}/items.json`, JSON.stringify({ ao3: { one: items } }));
    const experiment: Experiment = {
      ...read,
      name: "without_documents",
      corpus: { kind: "none" },
      evaluations: [{
        kind: "chapter-break",
        source: { kind: "file", path: `${folder}/items.json`, split: "ao3" },
        prefixTokens: 64,
        models: ["backbone", "longmem"],
        contextTokens,
      }],
    };
    const { run, state, metrics } = await runExperiment(experiment, {
      results: `${folder}/results`,
      device: "cpu",
    });
    assert.equal(state, "completed");
    const accuracy = metrics.filter(({ name }) => name === "accuracy 64");
    assert.deepEqual(accuracy.map(({ model, n }) => [model, n]), [["backbone", 3], ["longmem", 3]]);
    const { hashes } = await readJson(
      `${folder}/results/without_documents/${run}`,
      "environment.json",
    );
    assert.match(hashes.tokenizer, /^[0-9a-f]{64}$/);
  });
});

test("runs with a backbone whose blocks only its weights tell refuse a SideNet that needs others", async () => {
  await withFolder(async (folder) => {
    const backbone = { ...smallBackbone(), contextTokens };
    await writeBackboneFolder(`${folder}/model`, backbone);
    await writeWords(folder, backbone.shape.vocabSize);
    const { layers, heads } = backbone.shape;
    const experiment: Experiment = {
      name: "blocks",
      corpus: { folder: `${folder}/corpus`, train: "train", valid: "valid", test: "test" },
      tokenizer: { kind: "file", path: `${folder}/tokenizer.json` },
      backbone: {
        kind: "checkpoint",
        path: `${folder}/model/backbone.safetensors`,
        shape: { heads },
      },
      sidenet: { memoryBlock: layers },
      memory: smallMemory,
      device: "cpu",
      evaluations: [{
        kind: "perplexity",
        split: "test",
        contextTokens,
        models: ["untrained-with-memory"],
      }],
    };
    await assert.rejects(runExperiment(experiment, { results: `${folder}/results` }), {
      message:
        `Cannot declare experiment "blocks" as sidenet.memoryBlock must be below the backbone's layers: ` +
        `current value is ${layers}, allowed are integers from 0 to ${layers - 1}`,
    });
  });
});
