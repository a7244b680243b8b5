import { initializeBackbone } from "../../src/backbone/initialization.ts";
import { writeBackboneFolder } from "../../src/checkpoint/folder.ts";
import type { EvaluationDeclaration, Experiment } from "../../src/experiment/declaration.ts";
import { runExperiment } from "../../src/queue/run_experiment.ts";
import { readSummary } from "../../src/results/records.ts";
import { vocabulary } from "../../src/text/chronicle/vocabulary.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, test } from "../testing.ts";
import { smallBooks, smallChronicle } from "./small_chronicle.ts";

const models = ["backbone"] as const;
const evaluations: readonly EvaluationDeclaration[] = [
  { kind: "perplexity", split: "test", models, contextTokens: 16 },
  { kind: "recall", split: "test", models, contextTokens: 16 },
  {
    kind: "chapter-break",
    models,
    contextTokens: 64,
    prefixTokens: 64,
    source: { kind: "chronicle", firstChapter: 6 },
  },
  {
    kind: "in-context-learning",
    source: { kind: "chronicle", tasks: 1 },
    models,
    contextTokens: 64,
  },
  { kind: "needle", models, contextTokens: 64, distances: [64], instances: 1 },
];

test("A run whose weights overflow fails in whatever evaluation, and records no number", async () => {
  await withFolder(async (folder) => {
    const shape = { layers: 2, hiddenDim: 8, heads: 2, feedForwardDim: 32 };
    const backbone = { ...shape, vocabSize: vocabulary.length };
    const weights = initializeBackbone(backbone, 1);
    const { data } = weights.get("transformer.ln_f.weight")!;
    data.forEach((value, i) => data[i] = value * 3e38);
    await writeBackboneFolder(`${folder}/backbone`, { shape: backbone, weights });
    const { sidenet: _sidenet, memory: _memory, ...declared } = smallChronicle;
    for (const [i, evaluation] of evaluations.entries()) {
      const experiment: Experiment = {
        name: `overflow-${i}`,
        ...declared,
        corpus: {
          ...smallBooks,
          config: { ...smallBooks.config, book: { chapters: 8, sentencesPerChapter: 8 } },
        },
        backbone: { kind: "checkpoint", path: `${folder}/backbone` },
        evaluations: [evaluation],
      };
      await assert.rejects(
        runExperiment(experiment, { results: folder, device: "cpu" }),
        /^RangeError: Cannot evaluate model "backbone" in "[a-z-]+" as the likelihood of the token at position \d+ of .* must be finite: current value is NaN nats$/,
        evaluation.kind,
      );
      const [run] = await Array.fromAsync(Deno.readDir(`${folder}/overflow-${i}`));
      const summary = await readSummary(`${folder}/overflow-${i}/${run.name}/summary.json`);
      assert.equal(summary?.state, "failed");
      assert.deepEqual(summary.metrics, []);
    }
  });
});
