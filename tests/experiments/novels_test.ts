import type { Metric, RunSummary } from "../../src/results/records.ts";
import { onlyRun, outcomeOf, readJson, spawnRun } from "../queue/command_line_run.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, repositoryPath, sharedPath, sharedTest } from "../testing.ts";

sharedTest(
  "language_modeling_small.ts trains and evaluates on real novels, as a user runs it",
  async () => {
    await withFolder(async (results) => {
      const outcome = await outcomeOf(spawnRun(repositoryPath("."), [
        "experiments/novels/language_modeling_small.ts",
        ...[
          "--results",
          results,
          "--device",
          "cpu",
          "--set",
          `corpus.folder=${sharedPath("data/novels")}`,
          // Half of what validations and evaluations read.
          ...["--set", "corpus.maxDocuments.valid=1", "--set", "corpus.maxDocuments.test=2"],
        ],
      ]));
      assert.equal(outcome.code, 0, outcome.stderr);
      const summary: RunSummary = await readJson(await onlyRun(results), "summary.json");
      assert.equal(summary.state, "completed");
      const metric = (model: string, name: string): Metric => {
        const found = summary.metrics.find((metric) =>
          metric.model === model && metric.name === name
        );
        return found ?? assert.fail(`${model} has no ${name}`);
      };
      const perplexity = (model: string) => metric(model, "perplexity").value;
      // A model that knows nothing has the vocabulary's 1024; letter frequencies alone bring it to some 400.
      assert.ok(perplexity("backbone") < 300, `backbone: ${perplexity("backbone")}`);
      for (
        const model of [
          "longmem",
          "sidenet-without-memory",
          "longmem-memory-off",
          "longmem-other-document",
        ]
      ) {
        assert.equal(metric(model, "perplexity").n, 2);
        assert.ok(
          metric(model, "gain over backbone").value > 0.003,
          `${model} gains by adaptation`,
        );
      }
      assert.ok(perplexity("untrained-with-memory") > perplexity("longmem") + 1);
      assert.notEqual(perplexity("longmem"), perplexity("longmem-memory-off"));
      assert.notEqual(perplexity("longmem"), perplexity("longmem-other-document"));
    });
  },
);
