import type { RunSummary } from "../../src/results/run_folder.ts";
import { onlyRun, outcomeOf, readJson, spawnRun } from "../runner/command_line_run.ts";
import { assert, repositoryPath, test } from "../testing.ts";

test("quickstart.ts: after 100 steps a memory recalls far facts, and only the book's own does", async () => {
  const results = await Deno.makeTempDir();
  try {
    const outcome = await outcomeOf(spawnRun(repositoryPath("."), [
      "experiments/quickstart.ts",
      ...["--results", results, "--device", "cpu", "--limit", "4"],
      ...[
        "--set",
        "adaptation.steps=100",
        "--set",
        "adaptation.warmupSteps=10",
        "--set",
        "corpus.books.train=60",
      ],
    ]));
    assert.equal(outcome.code, 0, outcome.stderr);
    const summary: RunSummary = await readJson(await onlyRun(results), "summary.json");
    assert.equal(summary.state, "completed");
    const value = (model: string, name: string) =>
      summary.metrics.find((metric) => metric.model === model && metric.name === name)?.value ??
        assert.fail(`${model} has no ${name}`);
    assert.ok(
      value("longmem", "recall person far") > 0.9,
      `${value("longmem", "recall person far")}`,
    );
    assert.ok(
      value("longmem", "recall label far") > 0.8,
      `${value("longmem", "recall label far")}`,
    );
    for (
      const model of [
        "backbone",
        "sidenet-without-memory",
        "longmem-memory-off",
        "longmem-other-document",
      ]
    ) {
      const far = value(model, "recall person far");
      assert.ok(far < 0.08, `${model} recalls ${far} of far persons, which it cannot know`);
    }
    assert.ok(value("backbone", "recall person near") > 0.95);
    assert.ok(value("longmem", "gain over backbone") > 0.1);
  } finally {
    await Deno.remove(results, { recursive: true });
  }
});
