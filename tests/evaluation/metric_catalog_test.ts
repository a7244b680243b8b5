import {
  metricCatalog,
  readReportedRun,
  readTabulatedRun,
} from "../../src/evaluation/metric_catalog.ts";
import { modelName } from "../../src/evaluation/models.ts";
import { metricOf } from "../../src/results/paired_comparison.ts";
import type { Metric, SampleRecord } from "../../src/results/records.ts";
import { run } from "../results/run_records.ts";
import { assert, assertClose, repositoryPath, test } from "../testing.ts";
import { perplexityMetrics, recallMetrics } from "./measured_metrics.ts";

const labels = { evaluation: "test", model: "longmem" };

/** The sums of a metric of a run of one evaluation, as tables take them. */
function itemSums(metric: Metric, samples: readonly SampleRecord[], kind = "perplexity") {
  const records = samples.map((sample) => ({ model: "longmem", ...sample }));
  return metricCatalog.sums(
    run({
      declaration: { evaluations: [{ name: "test", kind }] },
      samples: new Map([["test", records]]),
    }),
    metric,
  );
}

const documents: SampleRecord[] = [
  { item: "a", bucket: "<5K", tokens: 100, words: 80, nats: 310 },
  { item: "b", bucket: "5K-10K", tokens: 700, words: 500, nats: 2000 },
  { item: "c", bucket: "<5K", tokens: 50, words: 45, nats: 170 },
];

/** Two books with far and near recalls: the second has no ship. */
const books: SampleRecord[] = [
  {
    ...documents[0],
    contextTokens: 8,
    kinds: "person ship person",
    positions: [5, 300, 400],
    distances: [3, 290, 150],
    answers: [7, 8, 9],
    choices: [7, 8, 1],
  },
  {
    ...documents[1],
    contextTokens: 8,
    kinds: "person label",
    positions: [205, 310],
    distances: [200, 305],
    answers: [7, 8],
    choices: [7, 3],
  },
];

test("metricCatalog.sums() gives every perplexity anew, of all documents and of those drawn", () => {
  const metrics = perplexityMetrics(labels, documents);
  assert.deepEqual(metrics.map(({ name }) => name), [
    "perplexity",
    "perplexity <5K",
    "perplexity 5K-10K",
    "word perplexity",
  ]);
  for (const metric of metrics) {
    const sums = itemSums(metric, documents)!;
    assertClose([metricOf(sums)], [metric.value], { tolerance: 1e-9, name: metric.name });
  }
  const [all, short] = metrics.map((metric) => itemSums(metric, documents)!);
  const drawn = perplexityMetrics(labels, [documents[2], documents[2], documents[1]]);
  assertClose([metricOf(all, [2, 2, 1])], [drawn[0].value], { tolerance: 1e-9 });
  assert.deepEqual(short.items, ["a", "c"]);
});

test("metricCatalog.contradiction() is the number of the items where another is recorded by the same definition", () => {
  const [recorded] = perplexityMetrics(labels, documents);
  const numberOf = (change: Partial<Metric>, state: "completed" | "running" = "completed") => {
    const metric = { ...recorded, ...change };
    const samples = documents.map((sample) => ({ model: "longmem", ...sample }));
    return metricCatalog.contradiction(
      run({
        declaration: { evaluations: [{ name: "test", kind: "perplexity", models: ["longmem"] }] },
        samples: new Map([["test", samples]]),
        summary: { metrics: [metric], state },
      }),
      metric,
    );
  };
  assert.equal(numberOf({}), undefined);
  assert.equal(numberOf({ value: recorded.value + 1e-12 }), undefined, "rounding");
  const { value, n } = numberOf({ value: 8 * recorded.value })!;
  assertClose([value, n], [Math.exp(2480 / 850), 3], { tolerance: 1e-12 });
  // Records that are there twice give the same number, but a smaller error.
  assert.deepEqual(numberOf({ n: 6 }), { value, n });
  // Another definition gives another number, and records of a run that goes on may be on their way.
  assert.equal(numberOf({ value: 1, metricVersion: 1 }), undefined);
  assert.equal(numberOf({ value: 1, modelVersion: 7 }), undefined);
  assert.equal(numberOf({ value: 1 }, "running"), undefined);
  assert.equal(numberOf({ value: 1, model: "backbone" }), undefined, "of which there are no items");
});

test("metricCatalog.contradiction() knows numbers that are no ratios of sums, too", () => {
  const before = documents.map((sample) => ({ ...sample, nats: Number(sample.nats) + 30 }));
  const metrics = perplexityMetrics(labels, documents, { model: "backbone", samples: before });
  const samples = [
    ...documents.map((sample) => ({ model: "longmem", ...sample })),
    ...before.map((sample) => ({ ...sample, model: "backbone" })),
  ];
  const models = ["backbone", "longmem"];
  const numberOf = (metric: Metric) =>
    metricCatalog.contradiction(
      run({
        declaration: { evaluations: [{ name: "test", kind: "perplexity", models }] },
        samples: new Map([["test", samples]]),
        summary: { metrics: [metric], state: "completed" },
      }),
      metric,
    );
  assert.ok(metrics.some(({ measure }) => measure === "share gained"));
  for (const metric of metrics) {
    const { name, value, n } = metric;
    assert.equal(numberOf(metric), undefined, name);
    const other = numberOf({ ...metric, value: value + 0.5 })!;
    assertClose([other.value, other.n], [value, n], { tolerance: 1e-9, name });
  }
});

test("metricCatalog.sums() gives every accuracy of recall anew", () => {
  const metrics = recallMetrics(labels, books);
  const accuracies = metrics.filter(({ name }) => name.startsWith("recall"));
  assert.ok(accuracies.length >= 6);
  for (const metric of metrics) {
    assertClose([metricOf(itemSums(metric, books, "recall")!)], [metric.value], {
      tolerance: 1e-12 * metric.value + 1e-12,
      name: metric.name,
    });
  }
  const ships = itemSums(metrics.find(({ name }) => name === "recall ship far")!, books, "recall")!;
  assert.deepEqual([ships.items, ships.numerators, ships.denominators], [["a"], [1], [1]]);
});

test("metricCatalog takes a gain for a difference of nats, token by token", () => {
  const before = documents.map((sample) => ({ ...sample, nats: Number(sample.nats) + 30 }));
  const baseline = { model: "backbone", samples: before };
  const metrics = perplexityMetrics(labels, documents, baseline);
  const gain = metrics.find(({ measure }) => measure === "gain")!;
  const mean = metrics.find(({ measure }) => measure === "mean gain")!;
  assert.deepEqual([gain.name, gain.over], ["gain over backbone", "backbone"]);
  const both = [...documents, ...before.map((sample) => ({ ...sample, model: "backbone" }))];
  const sums = itemSums(gain, both)!;
  assert.deepEqual([sums.items, sums.numerators], [["a", "b", "c"], [30, 30, 30]]);
  assertClose([metricOf(sums)], [gain.value], { tolerance: 1e-12 });
  assertClose(itemSums(mean, both)!.numerators, [30 / 100, 30 / 700, 30 / 50], {
    tolerance: 1e-12,
  });
  const other = { ...gain, value: gain.value + 1e-6 };
  assert.equal(itemSums(other, both), undefined, "another number than that of the records");
  assert.equal(itemSums(gain, documents), undefined, "nothing is known of the baseline");
  assert.equal(itemSums(gain, both.slice(0, -1)), undefined, "other documents");
});

test("metricCatalog.sums() knows nothing where the records do not give the metric's value", () => {
  const [metric] = perplexityMetrics(labels, documents);
  assert.equal(itemSums(metric, documents.slice(1)), undefined);
  assert.equal(itemSums(metric, []), undefined);
  assert.equal(itemSums({ ...metric, at: { length: ">1M" } }, documents), undefined);
  assert.equal(itemSums(metric, documents, "needle"), undefined, "records of another kind");
  assert.equal(itemSums(metric, documents, "unheard-of"), undefined);
  const [, , ...few] = documents.map(({ nats: _nats, ...sample }) => sample as SampleRecord);
  assert.equal(itemSums(metric, [...documents, ...few]), undefined, "a record without nats");
});

test("metricCatalog.reach() says how much text a model predicts from", () => {
  const models = [
    "backbone",
    "longmem",
    { model: "longmem-other-document", texts: 2, seed: 1 },
    { model: "backbone-sliding-window", windowTokens: 512 },
    { model: "knn-lm", capacityTokens: 1024, retrievedTokens: 4, lambda: 0.25, temperature: 1 },
    { model: "infllm", capacityTokens: 2048, chunkTokens: 4, retrievedTokens: 16 },
  ];
  const evaluation = { name: "test", contextTokens: 128, memory: { capacityTokens: 4096 }, models };
  const reaches = (kind: string) => {
    const record = run({ declaration: { evaluations: [{ ...evaluation, kind }] } });
    return models.map((model) => modelName(model))
      .map((model) => metricCatalog.reach(record, { evaluation: "test", model }));
  };
  assert.deepEqual(reaches("perplexity"), [
    "128 tokens",
    "128 tokens and 4,096 in memory",
    "128 tokens and 4,096 in memory, of other texts",
    "512 tokens",
    "128 tokens and 1,024 in memory",
    "128 tokens and 2,048 in memory",
  ]);
  assert.deepEqual(new Set(reaches("efficiency")), new Set([undefined]), "whose lengths vary");
  assert.deepEqual(new Set(reaches("unheard-of")), new Set([undefined]));
});

test("metricCatalog knows the main model, and which runs start processes", () => {
  const declared = (kind: string, models: readonly unknown[]) =>
    run({ declaration: { evaluations: [{ name: "test", kind, models }] } });
  const isMain = (model: string, models: readonly unknown[] = ["backbone", "longmem"]) =>
    metricCatalog.isMain(declared("perplexity", models), { evaluation: "test", model });
  assert.equal(isMain("longmem"), true);
  assert.equal(isMain("backbone"), false);
  assert.equal(isMain("longmem", ["unheard-of"]), false, "of a record without it");
  assert.equal(metricCatalog.startsProcesses(declared("efficiency", [])), true);
  assert.equal(metricCatalog.startsProcesses(declared("perplexity", [])), false);
  assert.equal(metricCatalog.startsProcesses(declared("unheard-of", [])), false);
  assert.equal(metricCatalog.startsProcesses(run({})), false);
});

test("readTabulatedRun() holds sums in the place of items, and no lines of trainings", async () => {
  const path = repositoryPath("results/chronicle_seeds/m4096-c4-k64-seed1-caf18cd7");
  const { training, ...reported } = await readReportedRun(path);
  assert.ok(training.length > 0);
  assert.ok(!("samples" in reported));
  assert.ok(reported.sums.size > 0);
  assert.ok([...reported.sums.keys()].every((metric) => reported.summary.metrics.includes(metric)));
  assert.deepEqual(await readTabulatedRun(path), { ...reported, training: [] });
});
