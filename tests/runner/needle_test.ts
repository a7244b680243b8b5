import { needleMetrics } from "../evaluation/measured_metrics.ts";
import type { Experiment } from "../../src/experiment/declaration.ts";
import { resolveRun } from "../../src/experiment/resolve.ts";
import type { SampleRecord } from "../../src/results/records.ts";
import { runExperiment } from "../../src/queue/run_experiment.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, test } from "../testing.ts";
import { smallChronicle } from "./small_chronicle.ts";

const experiment = {
  name: "haystack",
  ...smallChronicle,
  memory: { ...smallChronicle.memory, retrievedTokens: 64 },
  evaluations: [{
    kind: "needle",
    models: ["backbone", "untrained-with-memory", "backbone-full-context"],
    distances: [8, 40, 120],
    needles: [1, 3],
    instances: 2,
    batchSize: 2,
  }],
} as const satisfies Experiment;

test("runExperiment() asks for needles, and says which of them the memory returns", async () => {
  for (const bank of ["per-row", "shared"] as const) {
    await withFolder(async (results) => {
      const memory = { ...experiment.memory, bank, reset: "epoch" } as const;
      const run = await runExperiment({ ...experiment, memory }, { results, device: "cpu" });
      assert.equal(run.state, "completed");
      const value = (model: string, name: string) =>
        run.metrics.find((metric) => metric.model === model && metric.name === name)?.value;
      // All of the memory is retrieved: what is in the prompt does not count, what is in the memory is found, what has left
      // it is not.
      for (const head of ["any head", "a head"]) {
        assert.equal(value("untrained-with-memory", `retrieved by ${head} at 8`), undefined);
        assert.equal(value("untrained-with-memory", `retrieved by ${head} at 40`), 1, bank);
        assert.equal(value("untrained-with-memory", `retrieved by ${head} at 120`), 0, bank);
      }
      const path = `${results}/haystack/${run.run}/samples/needle.jsonl`;
      const samples: (SampleRecord & { model: string })[] = (await Deno.readTextFile(path)).trim()
        .split("\n").map((line) => JSON.parse(line));
      assert.deepEqual(
        samples.filter(({ model }) => model === "backbone").map(({ item }) => item),
        ["1/0", "1/1", "3/0", "3/1"],
      );
      const of = (model: string) => samples.filter((sample) => sample.model === model);
      const baseline = { model: "backbone", samples: of("backbone") };
      for (const model of ["backbone", "untrained-with-memory", "backbone-full-context-80"]) {
        assert.deepEqual(
          run.metrics.filter((metric) => metric.model === model),
          needleMetrics(
            { evaluation: "needle", model },
            of(model),
            model === "backbone" ? undefined : baseline,
          ),
        );
        const retrieves = value(model, "retrieved by any head") !== undefined;
        assert.equal(retrieves, model === "untrained-with-memory");
      }
    });
  }
});

test("a limited run asks for fewer instances, and is another run", () => {
  const limited = resolveRun("haystack.ts", experiment, { limit: 1 });
  const [evaluation] = limited.experiment.evaluations;
  assert.ok(evaluation.kind === "needle" && evaluation.instances === 1);
  assert.notEqual(limited.id, resolveRun("haystack.ts", experiment).id);
});
