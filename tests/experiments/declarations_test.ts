import { parseHubReference } from "../../src/checkpoint/hub_cache.ts";
import { estimateRun, missingPaths } from "../../src/experiment/estimate.ts";
import { resolveRuns } from "../../src/experiment/resolve.ts";
import { dataSetOf, readDataSets } from "../../src/data/data_set.ts";
import { assert, repositoryPath, test } from "../testing.ts";

test("every experiment that ships is declared without a mistake, under a name of its own", async () => {
  const runs = await resolveRuns(["experiments"], { assignments: [] });
  const files = Map.groupBy(runs, ({ experiment }) => experiment.name);
  for (const [name, declared] of files) {
    assert.equal(new Set(declared.map(({ file }) => file)).size, 1, `${name} is declared twice`);
  }
  assert.ok(files.size >= 12, `${files.size} experiments`);
});

test("the results that ship are those of the declarations as they stand", async () => {
  const declared = await resolveRuns(["experiments", "tests/bench/efficiency.ts"]);
  const names = new Set(declared.map(({ experiment }) => experiment.name));
  const runs = new Set(declared.map(({ experiment, id }) => `${experiment.name}/${id}`));
  const recorded = await resolveRuns(["results"]);
  for (const { experiment: { name }, id } of recorded) {
    assert.ok(names.has(name), `no experiment is called ${name}`);
    assert.ok(runs.has(`${name}/${id}`), `${name} does not declare ${id}`);
  }
});

test("whatever an experiment misses, it or data/datasets.json says where it comes from", async () => {
  const dataSets = await readDataSets(repositoryPath("data/datasets.json"));
  for (const { experiment } of await resolveRuns(["experiments"])) {
    for (const { path, source } of await missingPaths(experiment)) {
      // Models of the Hub and files of benchmarks say themselves where they come from.
      const found = dataSetOf(path, dataSets) ?? parseHubReference(path) ?? source;
      assert.ok(found, `${experiment.name} reads ${path}, which is in no data set`);
    }
  }
});

test("the paper's experiments have the released model's sizes and train nothing", async () => {
  const runs = await resolveRuns(["experiments/paper"]);
  assert.ok(runs.length >= 14, `${runs.length} runs`);
  for (const { experiment } of runs) {
    const { backboneParameters, sidenetParameters, trainings } = await estimateRun(experiment);
    assert.deepEqual(
      [experiment.scale, backboneParameters, sidenetParameters, trainings],
      ["paper", 407_072_768, 151_083_024, []],
      experiment.name,
    );
  }
});

test("the novels' experiments share the training of one", async () => {
  const runs = await resolveRuns(["experiments/novels"]);
  const trained = runs.filter(({ experiment }) => !experiment.name.endsWith("_small"));
  assert.ok(new Set(trained.map(({ experiment }) => experiment.name)).size >= 5);
  const trainings = trained.map(({ experiment }) => {
    const { corpus, tokenizer, backbone, sidenet, memory, adaptation, seed } = experiment;
    // Whose works the documents are decides errors and controls, not what is trained.
    const documents = { ...corpus, clusters: undefined };
    return JSON.stringify({ documents, tokenizer, backbone, sidenet, memory, adaptation, seed });
  });
  assert.equal(new Set(trainings).size, 1);
});
