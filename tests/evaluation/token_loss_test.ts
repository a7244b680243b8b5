import { type PerplexityDocument, scoreDocuments } from "../../src/evaluation/perplexity.ts";
import {
  averageTokenLoss,
  bucketName,
  bucketOf,
  bucketsOf,
  scoreTokenLoss,
  tokenLoss,
  type TokenLossDocument,
  tokenLossMeasures,
  tokenLossRecord,
} from "../../src/evaluation/token_loss.ts";
import type { LanguageModel } from "../../src/evaluation/shared/language_model.ts";
import { Random } from "../../src/random.ts";
import type { SampleRecord } from "../../src/results/records.ts";
import { cutDocument } from "../../src/text/segments.ts";
import { assert, assertClose, test } from "../testing.ts";
import { recording } from "./measured_metrics.ts";
import { pad } from "./small_documents.ts";

const contextTokens = 8;

/** A model whose nats of a target are a number of its own. */
const model: LanguageModel = {
  name: "model",
  startDocument: () => Promise.resolve(),
  score: ({ tokens, targets }) =>
    Promise.resolve(Float32Array.from(targets, (id, i) => id === pad ? 1e6 : (id + tokens[i]) / 8)),
};

/** Tokens of which few are common, so that distances are from 1 to the whole length. */
function randomTokens(length: number, seed: string): Int32Array<ArrayBuffer> {
  const random = new Random(seed);
  return Int32Array.from({ length }, () => 4 + Math.floor(40 * (random.below(1000) / 1000) ** 3));
}

const texts = [300, 1, 40, 17, 129].map((targets, i) => randomTokens(targets + 1, `text ${i}`));
const documents: (TokenLossDocument & PerplexityDocument)[] = texts.map((tokens, i) => ({
  ...cutDocument({ name: `document ${i}`, tokens, words: 1 }, { contextTokens, pad }),
  buckets: bucketsOf(tokens),
  gpt2Tokens: 0,
}));

/** Names of ranges, with their ends. */
const ranges = [
  ["<16", 1, 15],
  ["16-32", 16, 31],
  ["32-64", 32, 63],
  ["64-128", 64, 127],
  ["128-256", 128, 255],
  ["256-512", 256, 511],
] as const;
const rangeOf = (distance: number) =>
  ranges.find(([, from, to]) => from <= distance && distance <= to)![0];

/** Sums by aspect and bucket, by a search back from each target. */
function bruteForce(tokens: Int32Array): Map<string, { nats: number; tokens: number }> {
  const sums = new Map<string, { nats: number; tokens: number }>();
  const ids = [...tokens];
  ids.forEach((id, p) => {
    if (p === 0) return;
    const nats = (id + ids[p - 1]) / 8;
    const before = ids.slice(0, p).lastIndexOf(id);
    let pair = p - 1;
    while (pair > 0 && !(ids[pair] === id && ids[pair - 1] === ids[p - 1])) pair--;
    const buckets = {
      "position": rangeOf(p),
      "token distance": before < 0 ? "never" : rangeOf(p - before),
      "bigram distance": pair === 0 ? "never" : rangeOf(p - pair),
    };
    for (const [aspect, bucket] of Object.entries(buckets)) {
      const sum = sums.get(`${aspect} ${bucket}`) ?? { nats: 0, tokens: 0 };
      sums.set(`${aspect} ${bucket}`, { nats: sum.nats + nats, tokens: sum.tokens + 1 });
    }
  });
  return sums;
}

/** The sums that measures are taken from, by document. */
function measuredSums(samples: readonly SampleRecord[]) {
  const records = samples.map((sample) => tokenLossRecord.parse(sample));
  return records.map((record) =>
    new Map(
      tokenLossMeasures([record]).slice(1).map(({ at, sums }) => {
        const [[aspect, bucket]] = Object.entries(at!);
        return [`${aspect} ${bucket}`, {
          nats: sums!.numerators[0],
          tokens: sums!.denominators[0],
        }];
      }),
    )
  );
}

test("bucketOf() is below 16, then powers of two", () => {
  for (let tokens = 1; tokens < 512; tokens++) {
    assert.equal(bucketName(bucketOf(tokens)), rangeOf(tokens), `${tokens}`);
  }
  assert.equal(bucketName(bucketOf(2 ** 20)), "1048576-2097152");
  assert.equal(bucketName(bucketOf(2 ** 20 - 1)), "524288-1048576");
});

for (const rows of [1, 3]) {
  test(`token-loss sums nats by what stands before each target, dealt to ${rows} rows`, async () => {
    const samples = await scoreTokenLoss(model, documents, { rows, pad });
    const found = measuredSums(samples);
    texts.forEach((tokens, i) => {
      const expected = bruteForce(tokens);
      assert.deepEqual([...found[i].keys()].sort(), [...expected.keys()].sort());
      for (const [bucket, { nats, tokens }] of expected) {
        const sum = found[i].get(bucket)!;
        assertClose([sum.nats, sum.tokens], [nats, tokens], { tolerance: 1e-9, name: bucket });
      }
    });
    assert.ok(found[0].has("bigram distance 128-256") && found[0].has("token distance never"));
  });
}

test("token-loss adds up to the nats of perplexity, over the buckets of each aspect", async () => {
  const samples = await scoreTokenLoss(model, documents, { rows: 2, pad });
  const scores = await scoreDocuments(model, documents, { rows: 2, pad });
  samples.forEach((sample, i) => {
    assert.equal(sample.nats, scores[i]);
    assert.equal(sample.tokens, documents[i].targetTokens);
    for (const aspect of ["position", "tokenDistance", "bigramDistance"]) {
      const sum = (name: string) => (sample[aspect + name] as number[]).reduce((a, b) => a + b);
      assertClose([sum("Nats")], [scores[i]], { tolerance: 1e-9 });
      assert.equal(sum("Tokens"), documents[i].targetTokens);
    }
  });
});

test("token-loss reads the first tokens of each document alone", async () => {
  const whole = texts.map((tokens, i) => ({ name: `document ${i}`, tokens, words: 1 }));
  const firstTokens = 30;
  const evaluation = tokenLoss.fill(
    {
      kind: "token-loss",
      split: "test",
      models: ["backbone"],
      batchSize: 2,
      names: false,
      firstTokens,
    },
    { contextTokens, corpus: "files" } as never,
  );
  const prepared = await tokenLoss.prepare(evaluation, {
    texts: {
      tokenizer: { decode: () => "words", specialIds: { bos: 0, eos: 2 } },
      documents: () => Promise.resolve(whole),
    },
  } as never);
  assert.ok("score" in prepared);
  const scoring = { signal: new AbortController().signal, report: () => {} };
  const samples = await prepared.score(model as never, scoring);
  const found = measuredSums(samples);
  texts.forEach((tokens, i) => {
    const beginning = tokens.slice(0, firstTokens);
    assert.equal(samples[i].tokens, beginning.length - 1);
    const expected = bruteForce(beginning);
    assert.deepEqual([...found[i].keys()].sort(), [...expected.keys()].sort());
    for (const [bucket, { nats }] of expected) {
      assertClose([found[i].get(bucket)!.nats], [nats], { tolerance: 1e-9, name: bucket });
    }
  });
});

test("token-loss tells names by the tokenizer's text", async () => {
  const words = ["<s>", "</s>", "so", " Anne", " saw", " Tom", " and", "."];
  const tokenizer = {
    specialIds: { bos: 0, eos: 1 },
    decode: (ids: ArrayLike<number>) => Array.from(ids, (id) => id < 2 ? "" : words[id]).join(""),
  };
  // so Anne saw Tom and Anne and Anne.
  const tokens = Int32Array.of(0, 2, 3, 4, 5, 6, 3, 6, 3, 7, 1);
  const document = {
    ...cutDocument({ name: "a", tokens, words: 8 }, { contextTokens, pad: -1 }),
    buckets: bucketsOf(tokens, tokenizer),
  };
  const [sample] = await scoreTokenLoss(model, [document], { rows: 1, pad: -1 });
  assert.deepEqual(sample.namesTokens, [2, 2, 6]);
  assert.deepEqual(sample.namesNats, [(5 + 9) / 8, (9 + 9) / 8, Number(sample.nats) - 32 / 8]);
  const names = tokenLossMeasures([tokenLossRecord.parse(sample)])
    .flatMap(({ at, name }) => at?.names ? [name] : []);
  assert.deepEqual(names, [
    "nats at names first mention",
    "nats at names later mention",
    "nats at names other",
  ]);
});

/** A record of which only some buckets are of interest. */
function record(
  item: string,
  { nats, never, near }: { nats: number; never: number; near: number },
): SampleRecord {
  const sums = {
    positionNats: [nats],
    positionTokens: [10],
    tokenDistanceNats: [never, near],
    tokenDistanceTokens: [4, item === "b" ? 0 : 6],
    bigramDistanceNats: [nats],
    bigramDistanceTokens: [10],
  };
  return { item, tokens: 10, nats, ...sums };
}

test("token-loss compares models document by document, at each bucket", () => {
  const metrics = recording(tokenLoss);
  const baseline = [
    record("a", { nats: 20, never: 8, near: 12 }),
    record("b", { nats: 30, never: 30, near: 0 }),
    record("c", { nats: 40, never: 16, near: 24 }),
  ];
  const own = [
    record("a", { nats: 15, never: 8, near: 7 }),
    record("b", { nats: 31, never: 31, near: 0 }),
    record("c", { nats: 31, never: 17, near: 14 }),
  ];
  const found = metrics({ evaluation: "e", model: "m" }, own, {
    model: "backbone",
    samples: baseline,
  });
  const valueOf = (name: string) => {
    const metric = found.find((metric) => metric.name === name)!;
    return [metric.value, metric.n];
  };
  assert.deepEqual(valueOf("nats"), [77 / 30, 3]);
  assert.deepEqual(valueOf("gain over backbone"), [13 / 30, 3]);
  assert.deepEqual(valueOf("nats at token distance <16"), [21 / 12, 2]);
  // Document b has none there; of 12 tokens in the others 15 nats are gained, 5 and 10.
  assert.deepEqual(valueOf("gain at token distance <16 over backbone"), [15 / 12, 2]);
  assert.deepEqual(valueOf("gain at token distance never over backbone"), [-2 / 12, 3]);
  const gain = found.find(({ name }) => name === "gain at token distance <16 over backbone")!;
  assertClose([gain.stderr!], [2.5 / 6], { tolerance: 1e-12 });
  assert.deepEqual([gain.unit, gain.higherIsBetter], ["nats/token", true]);
  const order = found.flatMap(({ at, over }) => over ? [] : at?.["token distance"] ?? []);
  assert.deepEqual(order, ["<16", "never"], "what never occurred comes last");
});

test("token-loss averages documents that were scored after several other texts", () => {
  const averaged = averageTokenLoss([
    record("a", { nats: 20, never: 8, near: 12 }),
    record("a", { nats: 10, never: 2, near: 8 }),
  ]);
  assert.deepEqual(averaged, record("a", { nats: 15, never: 5, near: 10 }));
});

test("token-loss refuses records whose lists are of unlike lengths", () => {
  const sound = record("a", { nats: 20, never: 8, near: 12 });
  assert.ok(tokenLossRecord.safeParse(sound).success);
  assert.ok(!tokenLossRecord.safeParse({ ...sound, bigramDistanceTokens: [4, 6] }).success);
});
