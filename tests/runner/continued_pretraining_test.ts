/** A backbone that is trained further from a checkpoint. */
import { defineExperiment, type Experiment } from "../../mod.ts";
import { initializeBackbone } from "../../src/backbone/initialization.ts";
import { writeBackboneFolder } from "../../src/checkpoint/folder.ts";
import { missingPaths } from "../../src/experiment/estimate.ts";
import { resolveRun } from "../../src/experiment/resolve.ts";
import { runExperiment } from "../../src/queue/run_experiment.ts";
import { openTokenizer } from "../../src/text/tokenizers/tokenizers.ts";
import { trainByteLevelBpe } from "../../src/text/bpe_trainer.ts";
import { formatTokenizerJson } from "../../src/text/tokenizer_json.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, assertClose, test } from "../testing.ts";
import { smallChronicle, smallTraining } from "./small_chronicle.ts";

const { sidenet: _, memory: __, ...small } = smallChronicle;
const evaluations = [{
  kind: "perplexity",
  split: "test",
  models: ["backbone"],
  batchSize: 1,
}] as const;

/** The small backbone, trained from a checkpoint by steps that hardly change it. */
const from = (path: string, change: object = {}): Experiment =>
  defineExperiment({
    ...small,
    name: "continued",
    backbone: {
      ...small.backbone,
      initialization: { kind: "checkpoint", path },
      training: { ...smallTraining, learningRate: 1e-12 },
      ...change,
    },
    evaluations: [{ ...evaluations[0], contextTokens: 16 }],
  });

test("a backbone that is trained further starts as the checkpoint", () =>
  withFolder(async (folder) => {
    const path = `${folder}/start`;
    const shape = {
      layers: 2,
      hiddenDim: 8,
      heads: 2,
      feedForwardDim: 32,
      vocabSize: (await openTokenizer({ kind: "chronicle" })).vocabSize,
    };
    const missing = await missingPaths(resolveRun("a test", from(path)).experiment);
    assert.deepEqual(missing, [{ field: "backbone.initialization.path", path }]);
    await writeBackboneFolder(path, { shape, weights: initializeBackbone(shape, 77) });

    const perplexity = async (experiment: Experiment) => {
      const { state, metrics } = await runExperiment(experiment, {
        results: `${folder}/results`,
        device: "cpu",
      });
      assert.equal(state, "completed");
      return metrics.find(({ name }) => name === "perplexity")!.value;
    };
    const continued = await perplexity(from(path));
    const { backbone: ___, ...rest } = from(path);
    const start = await perplexity({ ...rest, backbone: { kind: "checkpoint", path } });
    const random = await perplexity({ ...rest, backbone: small.backbone });
    assertClose([continued], [start], { tolerance: 1e-6 });
    assert.ok(Math.abs(random - start) > 1e-3, `${random} without a checkpoint, ${start} of it`);

    await assert.rejects(
      runExperiment(from(path, { layers: 3 }), { results: `${folder}/results`, device: "cpu" }),
      /start" as its layers is another one: expected 3, found 2/,
    );
    const other = { ...shape, architecture: "gpt2", settings: { positions: 32 } };
    const weights = initializeBackbone(other, 1);
    await writeBackboneFolder(`${folder}/other`, { shape: other, weights });
    await assert.rejects(
      runExperiment(from(`${folder}/other`), { results: `${folder}/results`, device: "cpu" }),
      /other" as its architecture is another one: expected "longmem_gpt2", found "gpt2"/,
    );
  }));

test("a checkpoint with padded embeddings is trained further, one with too few is refused", () =>
  withFolder(async (folder) => {
    const text = "It was the best of times, it was the worst of times. ".repeat(20);
    const splits = { train: "best.txt", valid: "worst.txt", test: "spring.txt" };
    for (const [split, file] of Object.entries(splits)) {
      await Deno.writeTextFile(`${folder}/${file}`, `${split}: ${text}`);
    }
    const vocabSize = 270, tokenizer = `${folder}/tokenizer.json`;
    await Deno.writeTextFile(
      tokenizer,
      formatTokenizerJson(trainByteLevelBpe([text], { vocabSize })),
    );
    const run = async (embeddings: number) => {
      const path = `${folder}/${embeddings}`;
      const shape = {
        layers: 2,
        hiddenDim: 8,
        heads: 2,
        feedForwardDim: 32,
        vocabSize: embeddings,
      };
      await writeBackboneFolder(path, { shape, weights: initializeBackbone(shape, 77) });
      return await runExperiment({
        ...from(path),
        corpus: { kind: "files", folder, ...splits },
        tokenizer: { kind: "file", path: tokenizer },
      }, { results: `${folder}/results`, device: "cpu" });
    };
    assert.equal((await run(vocabSize + 6)).state, "completed");
    await assert.rejects(
      run(vocabSize - 1),
      /backbone\.initialization\.path "[^"]*269" as the backbone's vocabulary must hold the tokenizer's 270 tokens: current size is 269/,
    );
  }));

test("the checkpoint that a training starts from is part of its run", () => {
  const ids = ["a", "b"].map((path) => resolveRun("a test", from(path)).id);
  assert.notEqual(ids[0], ids[1]);
});
