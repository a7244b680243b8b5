import { recallMetrics } from "./measured_metrics.ts";
import type {
  Choices,
  ChoosingModel,
  SegmentRows,
} from "../../src/evaluation/shared/language_model.ts";
import { distanceBuckets, type RecallDocument, scoreRecalls } from "../../src/evaluation/recall.ts";
import type { Metric, SampleRecord } from "../../src/results/records.ts";
import { writeBook } from "../../src/text/chronicle/book.ts";
import { defaultChronicle } from "../../src/text/chronicle/config.ts";
import type { Recall, RecallKind } from "../../src/text/chronicle/recall.ts";
import { cutDocument } from "../../src/text/segments.ts";
import { assert, assertClose, test } from "../testing.ts";
import { pad } from "./small_documents.ts";

/** A recall of a fact that was last told so many tokens before; the fake models ask for no entity. */
function recall(
  kind: RecallKind,
  position: number,
  { distance, answer }: { distance: number; answer: number },
): Recall {
  return { kind, position, answer, entity: 0, lastMention: position - distance, distance };
}

/** A book of tokens 100, 101, ...: the token at a position is 100 more. */
function book(
  name: string,
  options: { tokens: number; recalls: readonly Recall[] },
): RecallDocument {
  const tokens = Int32Array.from({ length: options.tokens }, (_, i) => 100 + i);
  const cut = cutDocument({ name, tokens, words: 1 }, { contextTokens: 4, pad });
  return { ...cut, recalls: options.recalls };
}

/** Names 1000 + p in the place of position p of a document; every target costs p / 8 nats. */
class CountingModel implements ChoosingModel {
  readonly name = "counting";
  readonly #read = new Map<number, number>();

  startDocument(row: number): Promise<void> {
    this.#read.set(row, 0);
    return Promise.resolve();
  }

  choose({ tokens, rows }: SegmentRows): Promise<Choices> {
    const T = tokens.length / rows;
    const position = Float32Array.from(
      tokens,
      (_, i) => (this.#read.get(Math.floor(i / T)) ?? NaN) + i % T + 1,
    );
    for (const [row, read] of this.#read) this.#read.set(row, read + T);
    return Promise.resolve({
      nll: position.map((p) => p / 8),
      choices: Int32Array.from(position, (p) => 1000 + p),
    });
  }

  async score(segment: SegmentRows): Promise<Float32Array> {
    return (await this.choose(segment)).nll;
  }
}

const books = [
  book("a", {
    tokens: 11, // 10 targets: segments of 4, 4 and 2
    recalls: [
      recall("person", 1, { distance: 1, answer: 1001 }), // first target of the book
      recall("person", 4, { distance: 3, answer: 1004 }), // last of its segment
      recall("ship", 5, { distance: 1, answer: 7 }), // first of the next
      recall("label", 10, { distance: 8, answer: 1010 }), // last target, in a padded segment
    ],
  }),
  book("b", { tokens: 3, recalls: [] }),
  book("c", {
    tokens: 15,
    recalls: [
      recall("opening", 6, { distance: 5, answer: 1005 }), // what stands one position before
      recall("opening", 8, { distance: 5, answer: 1008 }),
      recall("person", 14, { distance: 2, answer: 1015 }), // one position after
    ],
  }),
];

for (const rows of [1, 2, 3]) {
  test(`scoreRecalls() asks in the place of each recall, books dealt to ${rows} rows`, async () => {
    const scores = await scoreRecalls(new CountingModel(), books, { rows, pad });
    assert.deepEqual(scores.map(({ item }) => item), books.map(({ name }) => name));
    assert.deepEqual(scores.map(({ choices }) => choices), [
      [1001, 1004, 1005, 1010],
      [],
      [1006, 1008, 1014],
    ]);
    // 1 + 2 + ... + n, over 8.
    assert.deepEqual(scores.map(({ nats }) => nats), [55 / 8, 3 / 8, 105 / 8]);
  });
}

test("scoreRecalls() and recallMetrics() of the fake model, by hand", async () => {
  const samples = await scoreRecalls(new CountingModel(), books, { rows: 2, pad });
  assert.deepEqual(samples[0], {
    item: "a",
    contextTokens: 4,
    tokens: 10,
    words: 1,
    nats: 55 / 8,
    perplexity: Math.exp(55 / 80),
    kinds: "person person ship label",
    positions: [1, 4, 5, 10],
    distances: [1, 3, 1, 8],
    answers: [1001, 1004, 7, 1010],
    choices: [1001, 1004, 1005, 1010],
  });
  // Segments begin at 0, 4, 8, 12 and predict 1..4, 5..8, 9..12, ...
  const metrics = recallMetrics({ evaluation: "recall-test", model: "m" }, samples);
  assert.deepEqual(metrics.map(({ name, value, n }) => [name, value, n]), [
    ["recall all far", 2 / 3, 3],
    ["recall label far", 1, 1], // 2 is before 8
    ["recall opening far", 1 / 2, 2], // 1 and 3 are before 4
    ["recall all near", 1 / 2, 4],
    ["recall person near", 2 / 3, 3], // 0 and 1 of segment 0; 12 of segment 12
    ["recall ship near", 0, 1], // 4 of segment 4
    ["recall far <128", 2 / 3, 3],
    ["perplexity", Math.exp((55 + 3 + 105) / 8 / 26), 3],
  ]);
  for (const { name, higherIsBetter, metricVersion, evaluation, model, total } of metrics) {
    assert.deepEqual(
      [evaluation, model, metricVersion, total],
      ["recall-test", "m", 2, undefined],
    );
    assert.equal(higherIsBetter, name !== "perplexity");
  }
});

test("recallMetrics() draws near and far apart where the segment begins", () => {
  // Position 9 is predicted from the first token of its segment, position 8 from the last of the one before.
  const cases: [position: number, lastMention: number, reach: "near" | "far"][] = [
    [9, 8, "near"],
    [9, 7, "far"],
    [8, 7, "near"],
    [8, 4, "near"],
    [8, 3, "far"],
    [12, 8, "near"],
    [12, 7, "far"],
    [4, 0, "near"],
  ];
  for (const [position, lastMention, reach] of cases) {
    const distance = position - lastMention;
    const names = recallMetrics({ evaluation: "e", model: "m" }, [
      record("a", [["person", position, distance, true]]),
    ]).map(({ name }) => name);
    assert.ok(names.includes(`recall person ${reach}`), `${lastMention} from ${position}`);
    assert.equal(names.filter((name) => name.startsWith("recall person")).length, 1);
  }
});

test("recallMetrics() counts lower edges of distances in, and near recalls not at all", () => {
  for (const { name, from, to } of distanceBuckets) {
    const last = to === Infinity ? 60_000 : to - 1;
    const asked = [from || 8, last].map((distance) => ["person", 100_001, distance, true] as const);
    const near = ["person", 100_004, 1, true] as const;
    const metrics = recallMetrics({ evaluation: "e", model: "m" }, [record("a", [...asked, near])]);
    const buckets = metrics.filter((metric) => /^recall far /.test(metric.name));
    assert.deepEqual(buckets.map((metric) => [metric.name, metric.n]), [[`recall far ${name}`, 2]]);
  }
});

/** A book's record: what a model made of recalls, in segments of 4 tokens. */
function record(
  item: string,
  recalls: readonly (readonly [
    kind: RecallKind,
    position: number,
    distance: number,
    correct: boolean,
  ])[],
): SampleRecord {
  return {
    item,
    contextTokens: 4,
    tokens: 10,
    nats: 5,
    kinds: recalls.map(([kind]) => kind).join(" "),
    positions: recalls.map(([, position]) => position),
    distances: recalls.map(([, , distance]) => distance),
    answers: recalls.map(() => 17),
    choices: recalls.map(([, , , correct]) => correct ? 17 : 18),
  };
}

/** Three books: 1 of 2 persons, 3 of 3, 0 of 1; a label in the first alone. */
const threeBooks = [
  record("a", [
    ["person", 9, 5, true],
    ["label", 9, 130, false],
    ["person", 9, 6, false],
  ]),
  record("b", [["person", 9, 5, true], ["person", 9, 5, true], ["person", 13, 5, true]]),
  record("c", [["person", 9, 5, false]]),
];

function metricNamed(metrics: readonly Metric[], name: string): Metric {
  const found = metrics.find((metric) => metric.name === name);
  assert.ok(found, name);
  return found;
}

test("recallMetrics() has errors over books, not over recalls", () => {
  const metrics = recallMetrics({ evaluation: "e", model: "m" }, threeBooks);
  const { value, stderr, ci95, n } = metricNamed(metrics, "recall person far");
  assertClose([value], [4 / 6], { tolerance: 1e-12 });
  assert.equal(n, 6);
  // 4/6 of all books is 3/4, 1/3, 4/5 without one of them.
  const expected = Math.sqrt(2 / 3 * (1 / 144 + 1 / 9 + 4 / 225));
  assertClose([stderr!], [expected], { tolerance: 1e-12 });
  // Books of 2, 3 and 1 recalls tell as much as 36 / 14 of the same length: Student's quantile for 1.5714 degrees of freedom.
  assertClose(ci95!, [value - 5.648191 * expected, value + 5.648191 * expected], {
    tolerance: 1e-4,
  });
});

test("recallMetrics() recomputes everything from records that were written and read", async () => {
  const samples = await scoreRecalls(new CountingModel(), books, { rows: 2, pad });
  const labels = { evaluation: "e", model: "m" };
  const read = JSON.parse(JSON.stringify(samples)) as SampleRecord[];
  assert.deepEqual(recallMetrics(labels, read), recallMetrics(labels, samples));
});

test("recallMetrics() says how many recalls there are where not all books were read", () => {
  const far = recall("person", 9, { distance: 5, answer: 17 });
  const near = recall("person", 8, { distance: 4, answer: 17 });
  const label = recall("label", 9, { distance: 130, answer: 17 });
  const metrics = recallMetrics({ evaluation: "e", model: "m" }, threeBooks, {
    all: [
      ...[[far, label, far], [far, far, far], [far]],
      ...[[far, near, label], [far]], // not read
    ].map((recalls) => ({ recalls })),
  });
  assert.deepEqual(
    metrics.map(({ name, n, total }) => [name, n, total]),
    [
      ["recall all far", 7, 10],
      ["recall person far", 6, 8],
      ["recall label far", 1, 2],
      ["recall far <128", 6, 8],
      ["recall far 128-256", 1, 2],
      ["perplexity", 3, 5],
    ],
  );
});

test("recallMetrics() pairs the gain over a baseline by book", () => {
  const baseline = threeBooks.map((sample, i) => ({ ...sample, nats: 5 + i }));
  const metrics = recallMetrics({ evaluation: "e", model: "m" }, threeBooks, {
    baseline: { model: "backbone", samples: baseline },
  });
  // 0, 1 and 2 nats of 10 tokens each.
  assertClose([metricNamed(metrics, "gain over backbone").value], [0.1], { tolerance: 1e-12 });
});

test("A book of the chronicle: who knows every target is always right, who repeats never", async () => {
  const written = writeBook(defaultChronicle, "recall test");
  const { contextTokens } = defaultChronicle;
  const document = {
    ...cutDocument(written, { contextTokens, pad }),
    recalls: written.recalls,
  };
  const naming = (choices: (segment: SegmentRows) => Int32Array): ChoosingModel => ({
    name: "naming",
    startDocument: () => Promise.resolve(),
    score: ({ tokens }) => Promise.resolve(new Float32Array(tokens.length)),
    choose: (segment) =>
      Promise.resolve({
        nll: new Float32Array(segment.tokens.length),
        choices: choices(segment),
      }),
  });
  for (
    const [model, accuracy] of [
      [naming(({ targets }) => targets), 1],
      [naming(({ tokens }) => tokens), 0],
    ] as const
  ) {
    const samples = await scoreRecalls(model, [document], { rows: 1, pad });
    const metrics = recallMetrics({ evaluation: "e", model: "m" }, samples);
    const accuracies = metrics.filter(({ name }) => name.startsWith("recall"));
    for (const { value, name } of accuracies) assert.equal(value, accuracy, name);
    const n = (name: string) => metricNamed(metrics, name).n;
    assert.equal(n("recall all far") + n("recall all near"), written.recalls.length);
    const kinds = ["person", "ship", "label", "opening"];
    assert.equal(
      kinds.reduce((sum, kind) => sum + n(`recall ${kind} far`), 0),
      n("recall all far"),
    );
    assert.ok(accuracies.length >= 10);
  }
});

test("scoreRecalls() names the cluster of a book where it has one", async () => {
  const document = {
    ...{ name: "a", targetTokens: 2, words: 1, recalls: [] },
    segments: [{ tokens: Int32Array.of(4, 5), targets: Int32Array.of(5, 6), targetTokens: 2 }],
  };
  const clustered = [{ ...document, cluster: "A" }, document];
  const samples = await scoreRecalls(new CountingModel(), clustered, { rows: 1, pad });
  assert.deepEqual(samples.map(({ cluster }) => cluster), ["A", undefined]);
});
