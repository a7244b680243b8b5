import { resolveRuns } from "../../src/experiment/resolve.ts";
import type { RunSummary } from "../../src/results/records.ts";
import { readJson } from "../queue/command_line_run.ts";
import { assert, repositoryPath, test } from "../testing.ts";

/** What LongMem must reach for every seed, and what no model without the book's memory may exceed, as far as it is bounded. */
const bounds: Readonly<Record<string, readonly [least: number, most: number]>> = {
  "recall all far": [0.9, 0.15],
  "recall person far": [0.93, 0.08],
  "recall label far": [0.88, 0.19],
  "recall opening far": [0.7, 0.12],
  "accuracy 4096": [0.9, 0.28],
  "accuracy reviews": [0.9, 0.22],
};

const controls = [
  "backbone",
  "sidenet-without-memory",
  "longmem-memory-off",
  "longmem-other-document",
];

test("the recorded answers of three seeds are those of the declaration as it stands, and far from chance", async () => {
  const runs = await resolveRuns([repositoryPath("experiments/chronicle/seeds.ts")], {
    assignments: [],
  });
  assert.equal(runs.length, 3);
  for (const { experiment, id } of runs) {
    const folder = repositoryPath(`results/${experiment.name}/${id}`);
    const { state, metrics }: RunSummary = await readJson(folder, "summary.json");
    assert.equal(state, "completed");
    const value = (model: string, name: string) =>
      metrics.find((metric) => metric.model === model && metric.name === name)?.value ??
        assert.fail(`${model} has no ${name}`);
    for (const [name, [least, most]] of Object.entries(bounds)) {
      assert.ok(value("longmem", name) >= least, `seed ${experiment.seed}: ${name}`);
      for (const control of controls) {
        assert.ok(value(control, name) <= most, `seed ${experiment.seed}: ${name} of ${control}`);
      }
    }
    const gain = value("longmem", "gain over backbone");
    assert.ok(gain >= 0.22, `seed ${experiment.seed} gains ${gain} nats a token`);
    assert.ok(gain - value("sidenet-without-memory", "gain over backbone") >= 0.17);
  }
});
