import { evaluations } from "../../src/evaluation/evaluations.ts";
import type { MetricKey, MetricLabel } from "../../src/results/metric_catalog.ts";
import { recallMeasures } from "../../src/evaluation/recall.ts";
import { assert, test } from "../testing.ts";

function labelOf(kind: string, metric: MetricKey): MetricLabel {
  return evaluations.get(kind)!.label(metric);
}

const over = "longmem-memory-off";

test("each accuracy of recall has a place of its own", () => {
  const kinds = ["person", "ship", "label", "opening", "pair"];
  const distances = [1, 100, 200, 400, 800, 1600, 3000, 9000];
  const recalls = kinds.flatMap((kind) =>
    [10, 10_000].flatMap((end) => distances.map((distance) => ({ kind, distance, end })))
  );
  const measures = recallMeasures([{
    item: "book",
    contextTokens: 1000,
    tokens: 1,
    nats: 1,
    kinds: recalls.map(({ kind }) => kind).join(" "),
    positions: recalls.map(({ end, distance }) => 20_000 + end % 1000 + (end > 10 ? distance : 0)),
    distances: recalls.map(({ distance }) => distance),
    answers: recalls.map(() => 1),
    choices: recalls.map(() => 1),
  }]).filter(({ measure }) => measure === "recall");
  assert.ok(measures.length > 15, `${measures.length}`);
  const labels = measures.map((measure) => labelOf("recall", measure));
  assert.equal(new Set(labels.map((label) => JSON.stringify(label))).size, measures.length);
  labels.forEach(({ part, header, isProportion }, i) => {
    assert.ok(header.length <= 10, `${header} is not short`);
    assert.equal(part === "", measures[i].at!.kind === undefined && !measures[i].at!.distance);
    assert.ok(isProportion);
  });
});

test("labels place metrics in tables and call them by words", () => {
  const cases: [kind: string, metric: MetricKey, place: string, noun?: string][] = [
    ["perplexity", { measure: "perplexity" }, "|perplexity"],
    ["perplexity", { measure: "word perplexity" }, "|word perplexity"],
    [
      "perplexity",
      { measure: "perplexity", at: { length: "<5K" } },
      "perplexity by length in GPT-2 tokens|<5K",
    ],
    [
      "perplexity",
      { measure: "sign test", over },
      `gain over ${over}, document by document|sign test p`,
    ],
    ["recall", { measure: "gain", over }, "|gain"],
    ["recall", { measure: "perplexity" }, "|perplexity"],
    ["recall", { measure: "recall", at: { reach: "far" } }, "|far facts", "recall of far facts"],
    ["recall", { measure: "recall", at: { reach: "near" } }, "|near facts"],
    [
      "chapter-break",
      { measure: "accuracy", at: { prefixTokens: 4096 } },
      "|accuracy 4096",
      "accuracy after 4,096 tokens",
    ],
    [
      "chapter-break",
      { measure: "accuracy", at: { prefixTokens: 4096 }, over },
      `accuracy more than that of ${over}, by tokens before the break|4096`,
    ],
    ["needle", { measure: "accuracy" }, "|accuracy"],
    ["needle", { measure: "accuracy", at: { facts: 4 } }, "accuracy, by facts told|4"],
    ["needle", { measure: "accuracy", at: { distance: 64 } }, "accuracy, by distance in tokens|64"],
    [
      "needle",
      { measure: "retrieved by a head", at: { facts: 4, distance: 64 } },
      "retrieved by a head of 4 facts, by distance in tokens|64",
    ],
    [
      "needle",
      { measure: "accuracy", over },
      `accuracy more than that of ${over}, by distance in tokens|all`,
    ],
    [
      "needle",
      { measure: "accuracy", at: { facts: 4, distance: 64 }, over },
      `accuracy of 4 facts more than that of ${over}, by distance in tokens|64`,
    ],
    [
      "efficiency",
      { measure: "speed", at: { totalTokens: 512 }, over },
      `speed relative to ${over}, by tokens in sight|512`,
    ],
    [
      "in-context-learning",
      { measure: "accuracy", at: { task: "sst-2" } },
      "|sst-2",
      "accuracy on sst-2",
    ],
    [
      "in-context-learning",
      { measure: "accuracy", at: { task: "average" } },
      "|average",
      "accuracy, average of the tasks",
    ],
    [
      "in-context-learning",
      { measure: "accuracy", at: { task: "sst-2", seed: 3 } },
      "accuracy of each seed|sst-2 3",
    ],
    [
      "in-context-learning",
      { measure: "seed deviation", at: { of: "accuracy", task: "mr", definition: "sample" } },
      "standard deviation over seeds (sample)|mr",
    ],
    [
      "in-context-learning",
      { measure: "gain", at: { of: "accuracy", task: "mr", by: "item" }, over },
      "gains over the first model, paired by item|mr",
    ],
    ["token-loss", { measure: "nats" }, "|nats"],
    ["token-loss", { measure: "gain", over }, "|gain"],
    [
      "token-loss",
      { measure: "nats", at: { names: "first mention" } },
      "nats by mention of a name|first mention",
    ],
    [
      "token-loss",
      { measure: "gain", at: { position: "16-32" }, over },
      `gain over ${over} by tokens since the start of the document|16-32`,
    ],
    [
      "retrieval",
      { measure: "retrieved by any head", at: { tokens: 4 } },
      "|retrieved by any head (4)",
    ],
    [
      "retrieval",
      { measure: "retrieved by the best head", at: { tokens: 4 } },
      "a right chunk after 4 tokens that match|retrieved by the best head",
    ],
    [
      "retrieval",
      { measure: "retrieved by head", at: { tokens: 2, head: 3 } },
      "retrieved by each head after 2 tokens that match|3",
    ],
    [
      "retrieval",
      { measure: "retrieved by any head", at: { tokens: 2 }, over },
      `how much more often than ${over} after 2 tokens that match|retrieved by any head`,
    ],
    ["squad", { measure: "F1" }, "|F1"],
    ["squad", { measure: "exact match", at: { seed: 3 } }, "exact match of each seed|3"],
    [
      "squad",
      { measure: "seed deviation", at: { of: "F1", definition: "population" } },
      "standard deviation over seeds (population)|F1",
    ],
    [
      "squad",
      { measure: "gain", at: { of: "F1", by: "seed" }, over },
      "gains over the first model, paired by seed|F1",
    ],
  ];
  for (const [kind, metric, place, noun] of cases) {
    const label = labelOf(kind, metric);
    assert.equal(`${label.part}|${label.header}`, place);
    assert.equal(label.noun, noun, place);
    // Tables print a difference beside gains alone; proportions are the models' own.
    assert.equal(label.isGain ?? false, metric.measure === "gain", place);
    const isProportion = metric.over === undefined &&
      /^(recall|accuracy|F1|exact match|retrieved)/.test(metric.measure);
    assert.equal(label.isProportion ?? false, isProportion, place);
    assert.equal(label.isMain ?? false, metric.at?.task === "average", place);
  }
});

test("figures have points of some metrics, and each a name of its own", () => {
  const figureOf = ([kind, metric]: readonly [string, MetricKey]) =>
    labelOf(kind, metric).axis?.figure;
  const drawn = [
    ["recall", { measure: "recall", at: { reach: "far", distance: "<128" } }],
    ["needle", { measure: "accuracy", at: { distance: 64 } }],
    ["needle", { measure: "accuracy", at: { facts: 4, distance: 64 } }],
    ["needle", { measure: "retrieved by any head", at: { distance: 64 } }],
    ["efficiency", { measure: "speed", at: { totalTokens: 512 } }],
    ["efficiency", { measure: "peak memory", at: { totalTokens: 512 } }],
    ["token-loss", { measure: "gain", at: { position: "16-32" }, over }],
    ["token-loss", { measure: "gain", at: { "token distance": "16-32" }, over }],
    ["token-loss", { measure: "gain", at: { "bigram distance": "never" }, over }],
    ["chapter-break", { measure: "mean rank", at: { prefixTokens: 4096 } }],
  ] as const;
  const figures = drawn.map(figureOf);
  assert.ok(figures.every((figure) => figure !== undefined));
  assert.equal(new Set(figures).size, drawn.length);
  for (
    const metric of [
      ["efficiency", { measure: "speed", at: { totalTokens: 512 }, over }],
      ["token-loss", { measure: "gain", at: { names: "first mention" }, over }],
      ["token-loss", { measure: "nats", at: { position: "16-32" } }],
      ["needle", { measure: "reciprocal rank", at: { distance: 64 } }],
      ["needle", { measure: "accuracy" }],
      ["needle", { measure: "accuracy", at: { distance: 64 }, over }],
    ] as const
  ) assert.equal(figureOf(metric), undefined);
});
