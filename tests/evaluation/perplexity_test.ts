import { perplexityMetrics } from "./measured_metrics.ts";
import { type LanguageModel, languageModel } from "../../src/evaluation/shared/language_model.ts";
import {
  averagePerplexity,
  bucketOf,
  perplexity,
  type PerplexityDocument,
  perplexitySamples,
  scoreDocuments,
} from "../../src/evaluation/perplexity.ts";
import { LongMem } from "../../src/longmem/longmem.ts";
import { checkSamples, type SampleRecord } from "../../src/results/records.ts";
import { trainByteLevelBpe } from "../../src/text/bpe_trainer.ts";
import { tokenizeDocument } from "../../src/text/document_tokens.ts";
import { cutDocument } from "../../src/text/segments.ts";
import { formatTokenizerJson, parseTokenizerJson } from "../../src/text/tokenizer_json.ts";
import { testedDevice } from "../graph/devices.ts";
import { assert, assertClose, test } from "../testing.ts";
import { smallBackbone, smallMemory, smallSideNet } from "../training/small_training.ts";
import { pad, randomDocuments } from "./small_documents.ts";

/** A model whose every target has a probability that depends on the target and on all its row has read. */
class ReadingModel implements LanguageModel {
  readonly name = "reading";
  /** Row and document of every start. */
  readonly starts: [row: number, document: number][] = [];
  /** Sum of the tokens that each row has read. */
  readonly #read = new Map<number, number>();

  startDocument(row: number, document: number): Promise<void> {
    this.starts.push([row, document]);
    this.#read.set(row, 0);
    return Promise.resolve();
  }

  score(
    { tokens, targets, rows }: { tokens: Int32Array; targets: Int32Array; rows: number },
  ): Promise<Float32Array> {
    const T = tokens.length / rows;
    const nll = new Float32Array(tokens.length);
    for (let row = 0; row < rows; row++) {
      let read = this.#read.get(row) ?? NaN;
      for (let i = row * T; i < (row + 1) * T; i++) {
        read += tokens[i];
        // Padding that is counted, or a row that was never started, would show.
        nll[i] = targets[i] === pad ? 1e6 : read / 16 + targets[i];
      }
      this.#read.set(row, read);
    }
    return Promise.resolve(nll);
  }
}

/** What the model above gives a document, read from beginning to end. */
function expectedNats({ segments }: PerplexityDocument): number {
  let read = 0, nats = 0;
  for (const { tokens, targets, targetTokens } of segments) {
    for (let i = 0; i < targetTokens; i++) {
      read += tokens[i];
      nats += read / 16 + targets[i];
    }
  }
  return nats;
}

// Lengths at, below and above multiples of the segment; ties; a document of one target.
const documents = randomDocuments([9, 1, 24, 7, 8, 24, 16], { contextTokens: 8 });

for (const rows of [1, 2, 3, 7, 9]) {
  test(`scoreDocuments() reads every document whole, dealt to ${rows} rows`, async () => {
    const model = new ReadingModel();
    const progress: [number, number][] = [];
    const scores = await scoreDocuments(model, documents, {
      rows,
      pad,
      onTargets: (scored, total) => progress.push([scored, total]),
    });
    assertClose(scores, documents.map(expectedNats), { tolerance: 1e-9 });
    // Each once, the long ones first.
    const started = model.starts.map(([, document]) => document);
    assert.deepEqual(started, [2, 5, 6, 0, 4, 3, 1]);
    assert.deepEqual(progress.at(-1), [89, 89]);
    assert.ok(progress.every(([scored], i) => i === 0 || scored > progress[i - 1][0]));
    if (rows === 1) assert.equal(progress.length, 13); // segments
  });
}

test("scoreDocuments() starts a document in the row that has become free", async () => {
  const model = new ReadingModel();
  await scoreDocuments(model, documents, { rows: 2, pad });
  // Both rows read 3 segments; then 6 takes 2 and 0 takes 2; then 4 and 3; the last is 1.
  assert.deepEqual(model.starts, [[0, 2], [1, 5], [0, 6], [1, 0], [0, 4], [1, 3], [0, 1]]);
});

test("scoreDocuments() stops with the signal's reason", async () => {
  const interruption = new AbortController();
  const stopped = scoreDocuments(new ReadingModel(), documents, {
    rows: 1,
    pad,
    signal: interruption.signal,
    onTargets: (scored) => scored >= 16 && interruption.abort(new Error("enough")),
  });
  await assert.rejects(stopped, /^Error: enough$/);
});

test("perplexity of a model without knowledge is the number of its words", async () => {
  const uniform: LanguageModel = {
    name: "uniform",
    startDocument: () => Promise.resolve(),
    score: ({ tokens }) => Promise.resolve(new Float32Array(tokens.length).fill(Math.log(13))),
  };
  const scores = await scoreDocuments(uniform, documents, { rows: 2, pad });
  const samples = perplexitySamples(documents, scores);
  for (const { perplexity } of samples) {
    assertClose([Number(perplexity)], [13], { tolerance: 1e-5 });
  }
  const [all] = perplexityMetrics({ evaluation: "e", model: "uniform" }, samples);
  assert.equal(all.name, "perplexity");
  assertClose([all.value, all.stderr!], [13, 0], { tolerance: 1e-5 });
});

test("perplexitySamples() has a line for each document", async () => {
  const scores = await scoreDocuments(new ReadingModel(), documents.slice(0, 1), { rows: 1, pad });
  const nats = expectedNats(documents[0]);
  assert.deepEqual(perplexitySamples(documents.slice(0, 1), scores), [{
    item: "document 0",
    bucket: "<5K",
    gpt2Tokens: 0,
    tokens: 9,
    words: 1,
    nats,
    perplexity: Math.exp(nats / 9),
  }]);
});

test("perplexitySamples() of a document that no number holds has its nats alone", () => {
  const [first, second] = documents;
  const samples = perplexitySamples([first, second], [8000 * first.targetTokens, 9]);
  assert.deepEqual([samples[0].nats, samples[0].perplexity], [
    8000 * first.targetTokens,
    undefined,
  ]);
  checkSamples("perplexity-test longmem", samples);
  const other: SampleRecord = { ...samples[1], item: samples[0].item, tokens: samples[0].tokens };
  assert.ok(other.perplexity && !("perplexity" in averagePerplexity([other, samples[0]])));
});

test("bucketOf() counts lower edges in", () => {
  const edges = {
    "<5K": [0, 4_999],
    "5K-10K": [5_000, 9_999],
    "10K-100K": [10_000, 99_999],
    "100K-500K": [100_000, 499_999],
    "500K-1M": [500_000, 999_999],
    ">1M": [1_000_000, 5e9],
  };
  for (const [name, lengths] of Object.entries(edges)) {
    for (const length of lengths) assert.equal(bucketOf(length), name, String(length));
  }
});

/** Two documents of 2 and 6 targets, in different buckets. */
function twoSamples(nats: readonly [number, number]): SampleRecord[] {
  return [
    { item: "a", bucket: "<5K", tokens: 2, words: 1, nats: nats[0] },
    { item: "b", bucket: "5K-10K", tokens: 6, words: 3, nats: nats[1] },
  ];
}

test("perplexityMetrics() averages over tokens, buckets and words", () => {
  const ln2 = Math.log(2);
  // 10 ln 2 over 8 tokens and over 4 words; ln 2 and 3/2 ln 2 a token in the documents.
  const labels = { evaluation: "perplexity-test", model: "longmem", total: 5 };
  const metrics = perplexityMetrics(labels, twoSamples([ln2, 9 * ln2]));
  assert.deepEqual(metrics.map(({ name, n }) => [name, n]), [
    ["perplexity", 2],
    ["perplexity <5K", 1],
    ["perplexity 5K-10K", 1],
    ["word perplexity", 2],
  ]);
  assertClose(
    metrics.map(({ value }) => value),
    [2 ** 1.25, 2 ** 0.5, 2 ** 1.5, 2 ** 2.5],
    { tolerance: 1e-12 },
  );
  // 5/4 ln 2 a token is 3/2 ln 2 without the first and 1/2 ln 2 without the second: sqrt(1/2 * (1/16 + 9/16)) ln 2.
  assertClose([metrics[0].stderr!], [2 ** 1.25 * Math.sqrt(5 / 16) * ln2], { tolerance: 1e-12 });
  for (const metric of metrics) {
    assert.equal(metric.evaluation, "perplexity-test");
    assert.equal(metric.model, "longmem");
    assert.equal(metric.total, 5);
    assert.equal(metric.higherIsBetter, false);
    assert.equal(metric.metricVersion, 2);
  }
});

test("perplexityMetrics() pairs the gain over a baseline by document", () => {
  const labels = { evaluation: "perplexity-test", model: "longmem" };
  const baseline = { model: "backbone", samples: twoSamples([3, 12]) };
  const metrics = perplexityMetrics(labels, twoSamples([2, 6]), baseline);
  const gain = metrics.find(({ measure }) => measure === "gain")!;
  // Gains a token are 0.5 and 1; weighted by 2 and 6 tokens: 7 / 8.
  assert.equal(gain.name, "gain over backbone");
  assertClose([gain.value], [0.875], { tolerance: 1e-12 });
  // 7/8 is 1 without the first and 1/2 without the second: sqrt(1/2 * (1/64 + 9/64)).
  assertClose([gain.stderr!], [Math.sqrt(5) / 8], { tolerance: 1e-12 });
  assert.equal(gain.unit, "nats/token");
  assert.equal(gain.higherIsBetter, true);
  assert.equal(gain.n, 2);
});

test("perplexityMetrics() has the gains of documents of equal weight, and their signs", () => {
  const labels = { evaluation: "perplexity-test", model: "longmem" };
  // Gains a token are 0.5, 1, 0.25 and -0.75.
  const samplesOf = (nats: readonly number[], clusters?: readonly string[]): SampleRecord[] =>
    nats.map((nats, i) => ({
      item: `${i}`,
      bucket: "<5K",
      tokens: [2, 6, 4, 8][i],
      words: 1,
      nats,
      ...(clusters && { cluster: clusters[i] }),
    }));
  const measured = (clusters?: readonly string[]) => {
    const baseline = { model: "backbone", samples: samplesOf([3, 12, 6, 20], clusters) };
    const metrics = perplexityMetrics(labels, samplesOf([2, 6, 5, 26], clusters), baseline);
    return ["mean gain", "share gained", "sign test"].map((measure) =>
      metrics.find((metric) => metric.measure === measure)!
    );
  };
  const [mean, share, sign] = measured();
  assert.deepEqual([mean.value, mean.n, mean.name], [0.25, 4, "mean gain over backbone"]);
  // Deviations 0.25, 0.75, 0, -1: s^2 = 1.625 / 3.
  assertClose([mean.stderr!], [Math.sqrt(1.625 / 3 / 4)], { tolerance: 1e-12 });
  assert.deepEqual([share.value, share.n, sign.value, sign.n], [0.75, 4, 10 / 16, 4]);
  assert.ok(share.ci95![0] > 0.3 && share.ci95![1] < 0.96);
  // Documents 2 and 3 are one work, which loses: their mean is of all four, signs are of three.
  const [clustered, ...signs] = measured(["a", "b", "c", "c"]);
  assert.equal(clustered.value, 0.25);
  assert.ok(clustered.stderr! !== mean.stderr);
  assert.deepEqual(signs.map(({ value, n }) => [value, n]), [[2 / 3, 3], [1, 3]]);
});

test("perplexityMetrics() leaves out a word perplexity that no number holds", () => {
  const labels = { evaluation: "perplexity-test", model: "longmem" };
  const names = perplexityMetrics(labels, twoSamples([10, 3000])).map(({ name }) => name);
  assert.ok(!names.includes("word perplexity"));
  // 200 and 100 nats a word: exp(125) is a number, but what may lie 12.7 standard errors above it is none.
  const uncertain = perplexityMetrics(labels, twoSamples([200, 300]));
  assert.ok(!uncertain.some(({ name }) => name === "word perplexity"));
});

// With a real model.

async function smallModel(): Promise<LongMem> {
  const backbone = smallBackbone();
  const parts = { backbone, sideNet: smallSideNet(backbone), memory: smallMemory };
  return new LongMem(await testedDevice("cpu"), parts);
}

function modelTest(name: string, body: () => Promise<void>): void {
  // The shared device outlives the test.
  test({ name, sanitizeOps: false, sanitizeResources: false, fn: body });
}

/** A text that says everything twice, the second time long after the first has left the segment. */
const repeating = ((): PerplexityDocument[] => {
  const [half] = randomDocuments([32], { contextTokens: 8 });
  const segments = [...half.segments, ...half.segments];
  return [{ ...half, segments, targetTokens: 64 }];
})();

modelTest("LongMem with memory scores what it has read before otherwise than without", async () => {
  const model = await smallModel();
  const scoresBy = async (network: "longmem" | "sidenet") => {
    const perSegment: number[] = [];
    const scored = languageModel("longmem", model, network);
    const score = scored.score;
    scored.score = async (segment) => {
      const nll = await score(segment);
      perSegment.push(nll.reduce((sum, x) => sum + x, 0));
      return nll;
    };
    await scoreDocuments(scored, repeating, { rows: 1, pad });
    return perSegment;
  };
  const on = await scoresBy("longmem");
  assert.deepEqual(model.memoryFillChunks, [32]);
  const off = await scoresBy("sidenet");
  assert.equal(on[0], off[0]); // nothing to remember yet
  // Without memory the second reading is the first; with it, it is not.
  assert.deepEqual(off.slice(4), off.slice(0, 4));
  for (let i = 1; i < 8; i++) assert.ok(Math.abs(on[i] - off[i]) > 1e-3, `segment ${i}`);
  for (let i = 0; i < 4; i++) assert.ok(Math.abs(on[i + 4] - on[i]) > 1e-3, `segment ${i} again`);
  await model.close();
});

modelTest("LongMem gives a document the same score whatever else is read", async () => {
  const alone: number[] = [];
  for (const document of documents) {
    const model = await smallModel();
    const scored = languageModel("longmem", model, "longmem");
    const [nats] = await scoreDocuments(scored, [document], { rows: 1, pad });
    alone.push(nats);
    await model.close();
  }
  for (const rows of [1, 3]) {
    const model = await smallModel();
    const scored = languageModel("longmem", model, "longmem");
    const scores = await scoreDocuments(scored, documents, { rows, pad });
    assertClose(scores, alone, { tolerance: 1e-4, name: `${rows} rows` });
    await model.close();
  }
});

test("perplexity reads the first tokens of each document, and counts their words", async () => {
  const text = (words: number) => Array.from({ length: words }, (_, i) => `w${i % 10}`).join(" ");
  const tokenizer = parseTokenizerJson(
    formatTokenizerJson(trainByteLevelBpe([text(50)], { vocabSize: 260 })),
    { name: "words" },
  );
  const documents = [40, 3].map((words, i) => ({
    ...tokenizeDocument({ name: `${i}`, text: text(words), sha256: "" }, tokenizer, {
      lines: "plain",
    }),
    gpt2Tokens: words,
  }));
  const evaluation = perplexity.fill(
    { kind: "perplexity", split: "test", models: ["backbone"], batchSize: 2, firstTokens: 21 },
    { contextTokens: 8 } as never,
  );
  const prepared = await perplexity.prepare(evaluation, {
    texts: { tokenizer, documents: () => Promise.resolve(documents) },
  } as never);
  assert.ok("score" in prepared);
  const scoring = { signal: new AbortController().signal, report: () => {} };
  const records = await prepared.score(new ReadingModel() as never, scoring);
  const shortened = documents.map((document) => {
    const tokens = document.tokens.slice(0, 21);
    const words = tokenizer.decode(tokens).split(/\s+/).filter((word) => word !== "").length;
    return { ...cutDocument({ ...document, tokens, words }, { contextTokens: 8, pad }), words };
  });
  assert.ok(shortened[0].words < 40 && shortened[1].words === 3);
  assert.deepEqual(
    records.map(({ tokens, words, nats }) => [tokens, words, nats]),
    shortened.map((document) => [
      document.targetTokens,
      document.words,
      expectedNats({ ...document, gpt2Tokens: 0 }),
    ]),
  );
});

test("perplexity counts no words of two lines as one, where each is a text of its own", async () => {
  const tokenizer = parseTokenizerJson(
    formatTokenizerJson(trainByteLevelBpe(["abab abab"], { vocabSize: 261 })),
  );
  const whole = tokenizeDocument({ name: "lines", text: "a b\nc\nd\n", sha256: "" }, tokenizer, {
    lines: "released-code",
  });
  const firstTokens = whole.tokens.length - 2; // without the empty pair at the end
  const evaluation = perplexity.fill(
    { kind: "perplexity", split: "test", models: ["backbone"], batchSize: 1, firstTokens },
    { contextTokens: 4 } as never,
  );
  const prepared = await perplexity.prepare(evaluation, {
    texts: { tokenizer, documents: () => Promise.resolve([{ ...whole, gpt2Tokens: 4 }]) },
  } as never);
  assert.ok("score" in prepared);
  const scoring = { signal: new AbortController().signal, report: () => {} };
  const [{ words }] = await prepared.score(new ReadingModel() as never, scoring);
  assert.deepEqual([words, whole.words], [4, 4]);
});
