import { accuracyNames } from "../../src/evaluation/recall.ts";
import {
  fieldNoun,
  isProportion,
  metricLabel,
  metricNoun,
} from "../../src/results/metric_label.ts";
import { assert, test } from "../testing.ts";

test("metricLabel() gives each accuracy of recall a place of its own", () => {
  const places = accuracyNames.map((name) => JSON.stringify(metricLabel(name)));
  assert.equal(new Set(places).size, accuracyNames.length);
  for (const name of accuracyNames) {
    const { part, header } = metricLabel(name);
    assert.ok(header.length <= 10, `${header} is not short`);
    assert.equal(part === "", name.startsWith("recall all "), name);
  }
  const { part, header } = metricLabel("recall far <128");
  assert.deepEqual([part, header], ["far facts by distance in tokens", "<128"]);
});

test("isProportion() tells means of fractions from their differences and from all else", () => {
  for (
    const name of ["accuracy", "accuracy sst-2", "recall far 128-256", "retrieved by a head at 64"]
  ) {
    assert.ok(isProportion(name), name);
  }
  for (
    const name of [
      "accuracy 4096 over backbone",
      "accuracy seed deviation (sample)",
      "gain over backbone accuracy by seed",
      "perplexity",
      "speed 512",
    ]
  ) assert.ok(!isProportion(name), name);
});

test("metricLabel() leaves what it does not know in the first table", () => {
  for (const name of ["perplexity", "word perplexity", "accuracy"]) {
    assert.deepEqual(metricLabel(name), { part: "", header: name });
  }
});

test("metricLabel() says below a table over what a gain is", () => {
  assert.deepEqual(metricLabel("gain over backbone"), {
    part: "",
    header: "gain",
    meaning: "over backbone",
  });
});

test("metricLabel() keeps the accuracies of ChapterBreak in the first table and puts the rest by prefix", () => {
  assert.deepEqual(metricLabel("accuracy 4096"), { part: "", header: "accuracy 4096" });
  const { part, header } = metricLabel("mean rank 8192");
  assert.deepEqual([part !== "", header], [true, "8192"]);
  const over = metricLabel("accuracy 4096 over backbone");
  assert.match(over.part, /\bbackbone\b/);
  assert.equal(over.header, "4096");
});

test("metricLabel() sets the measures of needles apart by distance", () => {
  const places: Record<string, [part: string, header: string]> = {
    "accuracy": ["", "accuracy"],
    "retrieved by any head": ["", "retrieved by any head"],
    "accuracy of 4": ["accuracy, by facts told", "4"],
    "accuracy at 64": ["accuracy, by distance in tokens", "64"],
    "retrieved by a head of 4 at 64": [
      "retrieved by a head of 4 facts, by distance in tokens",
      "64",
    ],
    "accuracy over backbone": ["accuracy more than that of backbone, by distance in tokens", "all"],
    "accuracy of 4 at 64 over longmem-memory-off": [
      "accuracy of 4 facts more than that of longmem-memory-off, by distance in tokens",
      "64",
    ],
  };
  for (const [name, place] of Object.entries(places)) {
    const { part, header } = metricLabel(name);
    assert.deepEqual([part, header], place, name);
  }
});

test("metricLabel() knows of which metrics a figure has points, and each figure by its own name", () => {
  const figureOf = (name: string) => metricLabel(name).axis?.figure;
  const drawn = [
    "recall far <128",
    "accuracy at 64",
    "accuracy of 4 at 64",
    "retrieved by any head at 64",
    "speed 512",
    "peak memory 512",
    "mean rank 4096",
  ];
  const figures = drawn.map(figureOf);
  assert.ok(figures.every((figure) => figure !== undefined));
  assert.equal(new Set(figures).size, drawn.length);
  for (
    const name of [
      "speed 512 relative to backbone",
      "reciprocal rank at 64",
      "accuracy",
      "accuracy at 64 over backbone",
    ]
  ) assert.equal(figureOf(name), undefined, name);
});

test("figures call metrics and swept fields by words where there are any", () => {
  assert.equal(metricNoun("recall all far"), "recall of far facts");
  assert.equal(metricNoun("accuracy 4096"), "accuracy after 4,096 tokens");
  assert.equal(metricNoun("accuracy sst-2"), "accuracy on sst-2");
  assert.equal(metricNoun("perplexity"), "perplexity");
  assert.deepEqual(fieldNoun("evaluations.0.memory.chunkTokens"), {
    label: "chunk length",
    unit: "tokens",
  });
  assert.deepEqual(fieldNoun("sidenet.memoryBlock"), { label: "memoryBlock" });
});

test("metricLabel() sets metrics over draws apart from those of each seed, deviations and gains", () => {
  const places: Record<string, [part: string, header: string]> = {
    "accuracy sst-2": ["", "sst-2"],
    "accuracy average": ["", "average"],
    "F1": ["", "F1"],
    "accuracy sst-2 seed 3": ["accuracy of each seed", "sst-2 3"],
    "exact match seed 3": ["exact match of each seed", "3"],
    "accuracy mr seed deviation (sample)": ["standard deviation over seeds (sample)", "mr"],
    "F1 seed deviation (population)": ["standard deviation over seeds (population)", "F1"],
    "gain over backbone accuracy mr by item": ["gains over the first model, paired by item", "mr"],
    "gain over backbone F1 by seed": ["gains over the first model, paired by seed", "F1"],
    "gain over longmem accuracy reviews by task": [
      "gains over the first model, paired by task",
      "reviews",
    ],
  };
  for (const [name, [part, header]] of Object.entries(places)) {
    assert.deepEqual(metricLabel(name), { part, header });
  }
});
