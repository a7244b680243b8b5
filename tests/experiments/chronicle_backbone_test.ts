import { loadBackboneWeights } from "../../src/checkpoint/checkpoint.ts";
import { hashTensors } from "../../src/formats/tensor_hash.ts";
import { resolveRuns } from "../../src/experiment/resolve.ts";
import type { RunEnvironment, RunSummary } from "../../src/results/records.ts";
import { readJson } from "../queue/command_line_run.ts";
import { assert, repositoryPath, test } from "../testing.ts";

test("the backbone that ships is the one that its declaration, as it stands, has made", async () => {
  const [run] = await resolveRuns([repositoryPath("experiments/pretrain/chronicle.ts")], {
    assignments: [],
  });
  const folder = repositoryPath(`results/${run.experiment.name}/${run.id}`);
  const summary: RunSummary = await readJson(folder, "summary.json");
  assert.equal(summary.state, "completed");
  const environment: RunEnvironment = await readJson(folder, "environment.json");
  assert.equal(environment.dirty, false);
  const { weights } = await loadBackboneWeights(repositoryPath("data/chronicle/backbone"));
  assert.equal(hashTensors(weights), environment.hashes.backbone);
});
