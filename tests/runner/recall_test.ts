import { recallMetrics } from "../evaluation/measured_metrics.ts";
import type { Experiment } from "../../src/experiment/declaration.ts";
import { modelName } from "../../src/evaluation/models.ts";
import { resolveRun } from "../../src/experiment/resolve.ts";
import type { SampleRecord } from "../../src/results/records.ts";
import { runExperiment } from "../../src/queue/run_experiment.ts";
import { writeBooks } from "../../src/text/chronicle/book.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, assertClose, test } from "../testing.ts";
import { smallBooks, smallChronicle, smallTraining } from "./small_chronicle.ts";

const models = [
  "backbone",
  "longmem",
  "longmem-memory-off",
  "longmem-other-document",
  "memorizing-transformer",
  { model: "backbone-sliding-window", windowTokens: 40 },
] as const;

const experiment = {
  name: "voyage",
  ...smallChronicle,
  corpus: { ...smallBooks, books: { train: 1, valid: 2, test: 3 } },
  adaptation: smallTraining,
  evaluations: [
    { kind: "recall", split: "test", models, batchSize: 2, maxDocuments: 2 },
    { kind: "perplexity", split: "test", models, batchSize: 2, maxDocuments: 2 },
  ],
} as const satisfies Experiment;

test("runExperiment() measures recall and, in the same pass, what perplexity measures", async () => {
  await withFolder(async (results) => {
    const { state, metrics, run } = await runExperiment(experiment, { results, device: "cpu" });
    assert.equal(state, "completed");

    const { corpus } = resolveRun("voyage.ts", experiment).experiment;
    assert.ok(corpus.kind === "chronicle");
    const books = writeBooks({ ...corpus.config, pretraining: { books: 1, drills: 1 } }, {
      seed: `${corpus.seed}/test`,
      count: 3,
    });
    const recalls = books.map((book) => book.recalls.length);
    const path = `${results}/voyage/${run}/samples/recall-test.jsonl`;
    const samples: (SampleRecord & { model: string })[] = (await Deno.readTextFile(path)).trim()
      .split("\n").map((line) => JSON.parse(line));
    const of = (wanted: string) => samples.filter(({ model }) => model === wanted);
    for (const model of models.map(modelName)) {
      const own = metrics.filter((metric) => metric.model === model);
      const recall = own.filter(({ evaluation }) => evaluation === "recall-test");
      const asked = recall.filter(({ name }) => /^recall all /.test(name));
      const sum = (values: readonly number[]) => values.reduce((total, x) => total + x, 0);
      assert.equal(sum(asked.map(({ n }) => n)), recalls[0] + recalls[1]);
      assert.equal(sum(asked.map(({ total }) => total!)), sum(recalls));

      // The records say what was asked and answered: the books' answers, in their places.
      const [first, second, ...others] = of(model);
      assert.deepEqual(others, []);
      [first, second].forEach(({ item, positions, answers, choices }, i) => {
        assert.equal(item, books[i].name);
        assert.deepEqual(positions, books[i].recalls.map(({ position }) => position));
        assert.deepEqual(answers, books[i].recalls.map(({ answer }) => answer));
        assert.equal((choices as number[]).length, recalls[i]);
      });
      const baseline = model === "backbone"
        ? {}
        : { baseline: { model: "backbone", samples: of("backbone") } };
      assert.deepEqual(
        recall,
        recallMetrics({ evaluation: "recall-test", model }, of(model), { all: books, ...baseline }),
      );

      for (const name of ["perplexity", "gain over backbone"]) {
        const [fromRecall, fromPerplexity] = ["recall-test", "perplexity-test"].map((evaluation) =>
          own.find((metric) => metric.evaluation === evaluation && metric.name === name)
        );
        assert.equal(fromRecall === undefined, model === "backbone" && name !== "perplexity");
        if (fromRecall === undefined) continue;
        assertClose([fromRecall.value], [fromPerplexity!.value], { tolerance: 1e-4, name });
        assert.deepEqual(
          [fromRecall.n, fromRecall.total, fromRecall.metricVersion],
          [fromPerplexity!.n, fromPerplexity!.total, fromPerplexity!.metricVersion],
        );
      }
    }
  });
});
