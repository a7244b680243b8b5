import {
  chanceOfRight,
  retrieval,
  type RetrievalDocument,
  retrievalMeasures,
  retrievalRecord,
  scoreRetrieval,
} from "../../src/evaluation/retrieval.ts";
import { languageModel, type PromptedModel } from "../../src/evaluation/shared/language_model.ts";
import { LongMem } from "../../src/longmem/longmem.ts";
import { memoryProtocols } from "../../src/memory/config.ts";
import { Random } from "../../src/random.ts";
import type { SampleRecord } from "../../src/results/records.ts";
import { cutDocument } from "../../src/text/segments.ts";
import { deviceTest } from "../graph/devices.ts";
import { assert, assertClose, test } from "../testing.ts";
import { smallBackbone, smallSideNet } from "../training/small_training.ts";
import { recording } from "./measured_metrics.ts";
import { pad } from "./small_documents.ts";

const H = 2;

function documentOf(name: string, tokens: Int32Array<ArrayBuffer>, contextTokens: number) {
  const document = { name, tokens, words: 1 };
  return { ...cutDocument(document, { contextTokens, pad }), tokens } satisfies RetrievalDocument;
}

/** A model with a memory of P chunks for each row, of which the heads retrieve those of some ages, as a function of position and head. */
function scripted(
  { P, c, n, agesAt }: {
    P: number;
    c: number;
    n: number;
    agesAt: (place: { row: number; head: number; t: number; stored: number }) => number[];
  },
): PromptedModel {
  const stored = new Map<number, number>();
  const unasked = () => Promise.reject(new Error("is not asked"));
  return {
    name: "scripted",
    startDocument: (row) => Promise.resolve(void stored.set(row, 0)),
    score: unasked,
    choose: unasked,
    ask: unasked,
    read({ tokens, rows }) {
      const added = Math.floor(tokens.length / rows / c);
      for (const [row, count] of stored) stored.set(row, Math.min(P, count + added));
      return Promise.resolve();
    },
    retrieves({ tokens, rows }) {
      const T = tokens.length / rows;
      const held = Array.from({ length: rows }, (_, row) => stored.get(row) ?? 0);
      const ages = held.flatMap((stored, row) =>
        Array.from({ length: H }, (_, head) =>
          Array.from({ length: T }, (_, t) => {
            const ages = agesAt({ row, head, t, stored }).filter((age) => age < stored);
            return [...ages, ...new Array<number>(n).fill(-1)].slice(0, n);
          })).flat(2)
      );
      return Promise.resolve({
        ages: Int32Array.from(ages),
        heads: H,
        positions: T,
        chunks: n,
        stored: held,
      });
    },
  };
}

test("retrieval counts chunks with the right continuation, by hand", async () => {
  // Segments of 4, chunks of 2. In the second and third segment "5 6 7" recurs: 7 stands in chunk 1, whose tokens are 7 8.
  const tokens = Int32Array.of(5, 6, 7, 8, 9, 5, 6, 7, 5, 6, 7, 4);
  const document = documentOf("a", tokens, 4);
  // Head 0 always retrieves the newest chunk, head 1 the one before.
  const model = scripted({ P: 8, c: 2, n: 1, agesAt: ({ head }) => [head] });
  const [sample] = await scoreRetrieval(model, [document], {
    rows: 1,
    pad,
    chunkTokens: 2,
    matchTokens: [1, 2, 3],
  });
  // One token: after 5 comes 6 (chunk 0; then 0 and 3, as 6 is at 1 and 6), after 6 comes 7 (chunk 1; then 1 and 3). Asked are, by
  // the position of the target, 6: 6 with right {0}, 7: 7 with {1}; in the third segment 9: {0, 3}, 10: {1, 3}; and 8: 5 after
  // 7, which nothing had before, and 11.
  // Stored are 2 chunks, 0 and 1, in the second segment (ages 1 and 0), 4 in the third.
  assert.deepEqual(sample.matchTokens, [1, 2, 3]);
  assert.deepEqual(sample.inMemory, [4, 2, 0]);
  // 6: age of 0 is 1: head 1. 7: age of 1 is 0: head 0. 9 and 10: chunk 3 is the newest: head 0. Two tokens: 7 and 10 alone.
  assert.deepEqual(sample.heads, [3, 1, 2, 0, 0, 0]);
  assert.deepEqual(sample.anyHead, [4, 2, 0]);
  const chances = [1 / 2, 1 / 2, 2 / 4, 2 / 4];
  assert.deepEqual(sample.randomHead, [2, 1 / 2 + 2 / 4, 0]);
  assertClose(sample.randomAnyHead as number[], [
    chances.reduce((sum, p) => sum + 1 - (1 - p) ** 2, 0),
    2 * 0.75,
    0,
  ], { tolerance: 1e-12 });
});

test("retrieval asks of the first tokens of each document alone", async () => {
  const tokens = Int32Array.of(5, 6, 7, 8, 9, 5, 6, 7, 5, 6, 7, 4);
  const countIn = async (firstTokens?: number) => {
    const evaluation = retrieval.fill(
      {
        kind: "retrieval",
        split: "test",
        models: ["longmem"],
        batchSize: 1,
        matchTokens: [1, 2, 3],
        memory: { capacityTokens: 16, chunkTokens: 2, retrievedTokens: 2 },
        ...(firstTokens === undefined ? {} : { firstTokens }),
      },
      { contextTokens: 4, fillMemory: (memory: object) => memory } as never,
    );
    const prepared = await retrieval.prepare(evaluation, {
      texts: {
        tokenizer: { decode: () => "words", specialIds: { bos: 0, eos: 2 } },
        documents: () => Promise.resolve([{ name: "a", tokens, words: 1 }]),
      },
    } as never);
    assert.ok("score" in prepared);
    const model = scripted({ P: 8, c: 2, n: 1, agesAt: ({ head }) => [head] });
    const scoring = { signal: new AbortController().signal, report: () => {} };
    const [sample] = await prepared.score(model as never, scoring);
    return sample.inMemory;
  };
  // The third segment begins with the ninth target; the fifth to eighth remain.
  assert.deepEqual(await countIn(), [4, 2, 0]);
  assert.deepEqual(await countIn(9), [2, 1, 0]);
});

/** The same counts by a search of all chunks in memory, token by token. */
function bruteForce(
  tokens: Int32Array,
  { T, c, P, n, agesAt }: {
    T: number;
    c: number;
    P: number;
    n: number;
    agesAt: (head: number, t: number) => number[];
  },
) {
  const counts = { inMemory: 0, heads: [0, 0], anyHead: 0, random: 0 };
  for (let p = 1; p < tokens.length; p++) {
    const start = Math.floor((p - 1) / T) * T, t = (p - 1) % T;
    // Chunks before the segment, oldest first, as lists of positions.
    const chunks: number[][] = [];
    for (let s = 0; s < start; s += T) {
      for (let j = 0; j + c <= T; j += c) {
        chunks.push(Array.from({ length: c }, (_, i) => s + j + i));
      }
    }
    const kept = chunks.slice(-P);
    const context = [...tokens.slice(Math.max(0, p - n), p + 1)].join();
    const isRight = (chunk: number[]) =>
      p >= n && chunk.some((q) => q >= n && [...tokens.slice(q - n, q + 1)].join() === context);
    const right = kept.filter(isRight).length;
    if (right === 0) continue;
    counts.inMemory++;
    const retrieved = [0, 1].map((head) =>
      agesAt(head, t).filter((age) => age < kept.length).map((age) => kept.at(-1 - age)!)
    );
    retrieved.forEach((chunks, head) => chunks.some(isRight) && counts.heads[head]++);
    if (retrieved.flat().some(isRight)) counts.anyHead++;
    // Of all pairs of chunks, how many have a right one.
    const pairs = kept.flatMap((a, i) => kept.slice(i + 1).map((b) => isRight(a) || isRight(b)));
    counts.random += pairs.length === 0 ? 1 : pairs.filter((hit) => hit).length / pairs.length;
  }
  return counts;
}

test("retrieval counts as a plain search does, with evicted chunks and tokens that fill none", async () => {
  const random = new Random("retrieval");
  const texts = [61, 20, 33, 2].map((length) =>
    Int32Array.from({ length }, () => 4 + random.below(3))
  );
  for (const [T, c, P] of [[8, 2, 5], [7, 2, 9], [6, 3, 100], [5, 4, 2]]) {
    const agesAt = (head: number, t: number) => head === 0 ? [t % 3, 3] : [0, 4];
    const model = scripted({ P, c, n: 2, agesAt: ({ head, t }) => agesAt(head, t) });
    const documents = texts.map((tokens, i) => documentOf(`text ${i}`, tokens, T));
    for (const rows of [1, 3]) {
      const matchTokens = [2, 1];
      const samples = await scoreRetrieval(model, documents, {
        rows,
        pad,
        chunkTokens: c,
        matchTokens,
      });
      samples.forEach((sample, i) => {
        const expected = matchTokens.map((n) => bruteForce(texts[i], { T, c, P, n, agesAt }));
        const name = `segments of ${T}, text ${i}, ${rows} rows`;
        assert.equal(sample.targets, texts[i].length - 1);
        assert.deepEqual(sample.inMemory, expected.map(({ inMemory }) => inMemory), name);
        assert.deepEqual(sample.heads, expected.flatMap(({ heads }) => heads), name);
        assert.deepEqual(sample.anyHead, expected.map(({ anyHead }) => anyHead), name);
        assertClose(sample.randomHead as number[], expected.map(({ random }) => random), {
          tolerance: 1e-9,
          name,
        });
      });
      assert.ok((samples[0].inMemory as number[])[0] > 5);
    }
  }
});

test("chanceOfRight() is 0 of none, 1 of all, and hypergeometric between", () => {
  assert.equal(chanceOfRight(0, 9, 3), 0);
  assert.equal(chanceOfRight(2, 2, 1), 1);
  assert.equal(chanceOfRight(1, 4, 9), 1, "all are drawn");
  assertClose([chanceOfRight(2, 5, 2)], [1 - 3 / 10], { tolerance: 1e-12 });
});

const record = (item: string, counts: Partial<Record<string, unknown>>): SampleRecord => ({
  item,
  targets: 100,
  matchTokens: [2, 4],
  inMemory: [10, 0],
  heads: [1, 4, 0, 0],
  anyHead: [5, 0],
  randomHead: [0.5, 0],
  randomAnyHead: [1, 0],
  ...counts,
});

test("retrieval measures shares of the targets that could have been found", () => {
  const samples = [
    record("a", {}),
    record("b", { inMemory: [30, 20], heads: [9, 2, 5, 6], anyHead: [10, 8], randomHead: [3, 2] }),
  ];
  const metrics = recording(retrieval);
  const found = metrics({ evaluation: "e", model: "m" }, samples, {
    model: "other",
    samples: [record("a", { anyHead: [1, 0] }), record("b", { ...samples[1], anyHead: [10, 3] })],
  });
  const valueOf = (name: string) => {
    const { value, n } = found.find((metric) => metric.name === name)!;
    return [value, n];
  };
  assert.deepEqual(valueOf("in memory after 2"), [40 / 200, 2]);
  assert.deepEqual(valueOf("in memory after 4"), [20 / 200, 2]);
  assert.deepEqual(valueOf("retrieved by a head after 2"), [8 / 40, 2]);
  // Head 0 is right ten times, head 1 six times; after four tokens it is head 1.
  assert.deepEqual(valueOf("retrieved by the best head after 2"), [10 / 40, 2]);
  assert.deepEqual(valueOf("retrieved by the best head after 4"), [6 / 20, 1]);
  assert.deepEqual(valueOf("retrieved by any head after 2"), [15 / 40, 2]);
  assert.deepEqual(valueOf("random chunks, one head after 2"), [3.5 / 40, 2]);
  assert.deepEqual(valueOf("retrieved by head 1 after 2"), [6 / 40, 2]);
  assert.deepEqual(valueOf("retrieved by any head after 2 over other"), [4 / 40, 2]);
  assert.deepEqual(valueOf("retrieved by any head after 4 over other"), [5 / 20, 1]);
  const none = retrievalMeasures([retrievalRecord.parse(record("a", {}))]);
  assert.ok(none.every(({ at, measure }) => at!.tokens === 2 || measure === "in memory"));
});

test("retrieval compares shares also where models have different targets in memory", () => {
  const metrics = recording(retrieval);
  const baseline = [record("a", {}), record("b", { inMemory: [30, 9], anyHead: [11, 3] })];
  // Of the first document this memory holds nothing that is looked for, of the second less.
  const own = [
    record("a", { inMemory: [0, 0] }),
    record("b", { inMemory: [8, 4], anyHead: [6, 4] }),
  ];
  const found = metrics({ evaluation: "e", model: "m" }, own, {
    model: "other",
    samples: baseline,
  });
  const differenceAfter = (tokens: number) => {
    const name = `retrieved by any head after ${tokens} over other`;
    const { value, stderr } = found.find((metric) => metric.name === name)!;
    return { value, stderr };
  };
  // One document alone has all targets, so that nothing is known of others.
  assert.deepEqual(differenceAfter(2), { value: 6 / 8 - 16 / 40, stderr: undefined });
  assert.deepEqual(differenceAfter(4), { value: 4 / 4 - 3 / 9, stderr: undefined });
});

test("retrieval refuses records whose lists are of unlike lengths", () => {
  assert.ok(retrievalRecord.safeParse(record("a", {})).success);
  assert.ok(!retrievalRecord.safeParse(record("a", { heads: [1, 2, 3] })).success);
  assert.ok(!retrievalRecord.safeParse(record("a", { anyHead: [1] })).success);
});

deviceTest("retrieval of a LongMem finds all where a query retrieves all", async (device) => {
  const backbone = smallBackbone(), sideNet = smallSideNet(backbone);
  const random = new Random("text");
  const tokens = Int32Array.from({ length: 90 }, () => 4 + random.below(3));
  const documents = [documentOf("a", tokens, 8), documentOf("b", tokens.slice(0, 50), 8)];
  const sizes = { capacityTokens: 32, chunkTokens: 2, ...memoryProtocols.strict };
  const score = async (retrievedTokens: number) => {
    const memory = { ...sizes, retrievedTokens, index: { kind: "exact" } } as const;
    const model = new LongMem(device, { backbone, sideNet, memory });
    const samples = await scoreRetrieval(languageModel("longmem", model, "longmem"), documents, {
      rows: 2,
      pad,
      chunkTokens: 2,
      matchTokens: [2],
    });
    await model.close();
    return samples.map((sample) => {
      const [first, second] = sample.heads as number[];
      const [inMemory] = sample.inMemory as number[], [any] = sample.anyHead as number[];
      return { inMemory, first, second, any, random: (sample.randomHead as number[])[0] };
    });
  };
  for (const { inMemory, first, second, any, random } of await score(32)) {
    assert.ok(inMemory > 10);
    assertClose([first, second, any, random], new Array(4).fill(inMemory), { tolerance: 1e-9 });
  }
  const all = await score(32);
  for (const [i, { inMemory, first, second, any, random }] of (await score(2)).entries()) {
    assert.equal(inMemory, all[i].inMemory, "what is in memory is no matter of retrieval");
    assert.ok(any <= first + second && any >= Math.max(first, second) && any < inMemory);
    assert.ok(random > 0 && random < inMemory);
  }
}, { kinds: ["cpu"] });

deviceTest("retrieval ends where a query is not finite, and says where", async (device) => {
  const backbone = smallBackbone(), sideNet = smallSideNet(backbone);
  const random = new Random("text");
  const tokens = Int32Array.from({ length: 30 }, () => 4 + random.below(3));
  const documents = [documentOf("a", tokens, 8)];
  const options = { rows: 1, pad, chunkTokens: 2, matchTokens: [2], evaluation: "probe" };
  const sizes = { capacityTokens: 32, chunkTokens: 2, retrievedTokens: 4 };
  const memory = { ...sizes, ...memoryProtocols.strict, index: { kind: "exact" } } as const;
  for (const [name, { data }] of sideNet.weights) {
    if (name.endsWith("q_proj.weight")) data.forEach((value, i) => data[i] = value * 3e38);
  }
  const model = new LongMem(device, { backbone, sideNet, memory });
  try {
    await assert.rejects(
      scoreRetrieval(languageModel("longmem", model, "longmem"), documents, options),
      /^RangeError: Cannot evaluate model "longmem" in "probe" as the scores of chunks for the token at position 0 of document "a" must be finite: current value of head 0 is -?(NaN|Infinity)$/,
    );
  } finally {
    await model.close();
  }
}, { kinds: ["cpu"] });
