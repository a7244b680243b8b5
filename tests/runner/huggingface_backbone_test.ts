import { initializeBackbone } from "../../src/backbone/initialization.ts";
import { readHuggingFaceShape } from "../../src/checkpoint/huggingface.ts";
import { describeRuns } from "../../src/commands/dry_run.ts";
import type { Experiment } from "../../src/experiment/declaration.ts";
import { resolveSweep } from "../../src/experiment/resolve.ts";
import { runExperiment } from "../../src/queue/run_experiment.ts";
import { currentEnvironment } from "../../src/results/environment.ts";
import { huggingFaceTensors, writeHuggingFace } from "../checkpoint/huggingface_folder.ts";
import { writeCorpus } from "../queue/command_line_run.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, test } from "../testing.ts";

const training = { batchSize: 2, contextTokens: 32, steps: 2, learningRate: 1e-3 };

const config = {
  "model_type": "llama",
  "num_hidden_layers": 2,
  "hidden_size": 16,
  "num_attention_heads": 4,
  "num_key_value_heads": 2,
  "intermediate_size": 24,
  "vocab_size": 280,
  "rope_theta": 10_000,
  "tie_word_embeddings": true,
};

test("a backbone of Hugging Face's format is adapted and evaluated like any other", () =>
  withFolder(async (folder) => {
    await writeCorpus(`${folder}/corpus`);
    const path = `${folder}/llama`;
    await Deno.mkdir(path);
    await Deno.writeTextFile(`${path}/config.json`, JSON.stringify(config));
    const shape = await readHuggingFaceShape(path);
    const weights = initializeBackbone(shape, 1, { kind: "scaled" });
    await writeHuggingFace(path, config, huggingFaceTensors({ shape, weights }), { shards: 2 });
    const experiment: Experiment = {
      name: "llama",
      corpus: { folder: `${folder}/corpus`, train: "train", valid: "valid", test: "test" },
      tokenizer: { kind: "bpe", vocabSize: 280 },
      backbone: { kind: "checkpoint", path },
      sidenet: { memoryBlock: 1 },
      memory: {
        capacityTokens: 128,
        retrievedTokens: 16,
        positions: { kind: "distance", tokens: 32 },
      },
      adaptation: training,
      evaluations: [{
        kind: "perplexity",
        split: "test",
        models: ["backbone", "longmem", "sidenet-without-memory", "memorizing-transformer", {
          model: "infllm",
          capacityTokens: 128,
          chunkTokens: 4,
          retrievedTokens: 16,
        }, { model: "backbone-sliding-window", windowTokens: 64 }],
        maxDocuments: 1,
      }],
      device: "cpu",
    };
    const resolved = resolveSweep("llama.ts", experiment);
    const described = await describeRuns(
      resolved,
      `${folder}/results`,
      await currentEnvironment(),
    );
    // 280 x 16 embeddings, two blocks of 1,952 and a norm; a SideNet layer has four gates besides.
    assert.match(described, /backbone of 8,400 parameters, SideNet of 1,972 parameters/);
    const run = await runExperiment(experiment, { results: `${folder}/results` });
    assert.equal(run.state, "completed");
    const found = run.metrics.filter(({ name }) => name === "perplexity");
    assert.equal(found.length, 6);
    for (const { value } of found) assert.ok(value > 1 && value < 1000, `${value}`);
  }));
