/**
 * A training belongs to the model under test that needs it: registering the model registers both, from the estimate of its cost
 * to its scores.
 */
import { join } from "node:path";
import { backboneTensorShapes } from "../../src/backbone/architectures.ts";
import { models } from "../../src/evaluation/models.ts";
import { inWindow } from "../../src/evaluation/models/in_window.ts";
import type { EvaluatedModel, Experiment } from "../../src/experiment/declaration.ts";
import { estimateRun } from "../../src/experiment/estimate.ts";
import { resolveRun } from "../../src/experiment/resolve.ts";
import { readSafetensors } from "../../src/formats/safetensors.ts";
import { initializeMemorizing } from "../../src/longmem/networks/memorizing_transformer.ts";
import { runExperiment } from "../../src/queue/run_experiment.ts";
import { elementCount } from "../../src/tensor.ts";
import { smallChronicle, smallTraining } from "../runner/small_chronicle.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, test } from "../testing.ts";

/** A Memorizing Transformer that remembers the first block, and of which all blocks learn. */
const wholly = inWindow("wholly-memorizing", {
  needs: ["sidenet", "memory", "adaptation"],
  readsMemory: true,
  fillsMemory: true,
  label: "a Memorizing Transformer from its first block on",
  adaptation: {
    name: "wholly",
    hashName: "all blocks",
    start: ({ sideNet: _, ...parts }) => ({
      ...parts,
      other: initializeMemorizing({ memoryBlock: 0 }, parts.backbone),
    }),
    network: "memorizing-transformer",
    part: () => ({ memoryBlock: 0 }),
    operationsPerParameter: 4,
    fields: ["adaptation", "memory"],
  },
});

const declare = (listed: readonly string[], fields: Partial<Experiment> = {}): Experiment => ({
  name: "training",
  ...smallChronicle,
  adaptation: smallTraining,
  evaluations: [{
    kind: "perplexity",
    split: "test",
    models: ["longmem", ...listed] as EvaluatedModel[],
  }],
  device: "cpu",
  ...fields,
});

test("A training is registered with its model, estimated, run and evaluated, with no other change", async () => {
  const both = ["memorizing-transformer", "wholly-memorizing"];
  assert.throws(() => resolveRun("a.ts", declare(both)), /models\.2 has a wrong value/);
  using _wholly = models.register("wholly-memorizing", wholly as never);
  const estimate = async (declaration: Experiment) =>
    (await estimateRun(resolveRun("a.ts", declaration).experiment)).trainings;

  const estimates = await estimate(declare(both));
  assert.deepEqual(
    estimates.map(({ phase }) => phase),
    ["backbone", "longmem", "memorizing-transformer", "wholly"],
  );
  assert.deepEqual((await estimate(declare([]))).map(({ phase }) => phase), [
    "backbone",
    "longmem",
  ]);
  const [, , upper, all] = estimates;
  const block = [...backboneTensorShapes({
    layers: 1,
    hiddenDim: 8,
    heads: 2,
    feedForwardDim: 32,
    vocabSize: 1,
  })].filter(([name]) => name.startsWith("transformer.h.0."))
    .reduce((sum, [, shape]) => sum + elementCount(shape), 0);
  // It trains one block more, with 4 operations more a token and parameter.
  assert.equal(all.operations! - upper.operations!, 4 * block * all.tokens);
  const [, , , otherBlock] = await estimate(declare(both, { sidenet: { memoryBlock: 0 } }));
  assert.equal(otherBlock.key, all.key, "the SideNet does not decide its weights");

  await withFolder(async (results) => {
    const run = await runExperiment(declare(both), { results });
    assert.equal(run.state, "completed");
    const folder = `${results}/training/${run.run}`;
    const lines = (await Deno.readTextFile(join(folder, "metrics.jsonl"))).trim().split("\n")
      .map((line) => JSON.parse(line));
    assert.equal(lines.filter(({ phase }) => phase === "wholly").length, 2);
    const { tensors } = await readSafetensors(
      join(folder, "checkpoint/wholly/weights.safetensors"),
    );
    assert.ok(tensors.has("transformer.h.0.attn.memory_bias"), [...tensors.keys()].join());
    const environment = JSON.parse(await Deno.readTextFile(join(folder, "environment.json")));
    assert.match(environment.hashes["all blocks"], /^[0-9a-f]{64}$/);
    const values = ["longmem", ...both].map((model) =>
      run.metrics.find((metric) => metric.model === model && metric.name === "perplexity")!.value
    );
    assert.equal(new Set(values).size, 3, values.join());
  });
});
