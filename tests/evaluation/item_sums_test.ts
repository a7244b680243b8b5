import { itemSums } from "../../src/evaluation/item_sums.ts";
import { perplexityMetrics } from "../../src/evaluation/perplexity.ts";
import { recallMetrics } from "../../src/evaluation/recall.ts";
import { metricOf } from "../../src/results/paired_comparison.ts";
import type { SampleRecord } from "../../src/results/records.ts";
import { assert, assertClose, test } from "../testing.ts";

const labels = { evaluation: "test", model: "longmem" };

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

test("itemSums() gives every perplexity anew, of all documents and of those drawn", () => {
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

test("itemSums() gives every accuracy of recall anew", () => {
  const metrics = recallMetrics(labels, books);
  const accuracies = metrics.filter(({ name }) => name.startsWith("recall"));
  assert.ok(accuracies.length >= 6);
  for (const metric of metrics) {
    assertClose([metricOf(itemSums(metric, books)!)], [metric.value], {
      tolerance: 1e-12 * metric.value + 1e-12,
      name: metric.name,
    });
  }
  const ships = itemSums(metrics.find(({ name }) => name === "recall ship far")!, books)!;
  assert.deepEqual([ships.items, ships.numerators, ships.denominators], [["a"], [1], [1]]);
});

test("itemSums() takes a metric for the mean of the items' score of that name, or of `correct`", () => {
  const quiz = [true, false, true].map((correct, i) => ({ item: `${i}`, correct, f1: i / 2 }));
  const metric = { ...perplexityMetrics(labels, documents)[0], name: "accuracy", value: 2 / 3 };
  assert.deepEqual(itemSums(metric, quiz)?.numerators, [1, 0, 1]);
  assert.deepEqual(itemSums({ ...metric, name: "f1", value: 0.5 }, quiz)?.numerators, [0, 0.5, 1]);
});

test("itemSums() knows nothing where the records do not give the metric's value", () => {
  const [metric] = perplexityMetrics(labels, documents);
  assert.equal(itemSums(metric, documents.slice(1)), undefined);
  assert.equal(itemSums(metric, []), undefined);
  assert.equal(itemSums({ ...metric, name: "gain over backbone" }, documents), undefined);
});
