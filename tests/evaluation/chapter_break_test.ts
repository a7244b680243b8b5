import { chapterBreakMetrics, sumsOf } from "./measured_metrics.ts";
import {
  chapterBreak,
  type ChapterBreakItem,
  chapterBreakMeasures,
  type ChapterBreakProtocol,
  chapterBreakQuestions,
  rankOfFirst,
  scoreChapterBreak,
  textsOfOtherWorks,
  textsOfQuestions,
} from "../../src/evaluation/chapter_break.ts";
import type { PromptedModel } from "../../src/evaluation/shared/language_model.ts";
import { severalOtherTexts } from "../../src/evaluation/shared/other_texts.ts";
import type { SampleRecord } from "../../src/results/records.ts";
import { estimateOfSums, metricOf } from "../../src/results/paired_comparison.ts";
import { assert, assertClose, test } from "../testing.ts";
import { pad } from "./small_documents.ts";

/** Token ids from..to-1. */
const range = (from: number, to: number) =>
  Int32Array.from({ length: to - from }, (_, i) => from + i);

const protocol: ChapterBreakProtocol = {
  prefixTokens: [20],
  suffixTokens: 3,
  contextTokens: 8,
  scoring: "sum",
  ties: "wrong",
};

function item(change: Partial<ChapterBreakItem> = {}): ChapterBreakItem {
  return {
    name: "work/0",
    work: "work",
    prefix: range(100, 130),
    candidates: Array.from({ length: 6 }, (_, i) => range(200 + 10 * i, 204 + 10 * i)),
    ...change,
  };
}

const lists = (tokens: readonly Int32Array[]) => tokens.map((ids) => [...ids]);

test("chapterBreakQuestions() cuts the prefix on the left, candidates on the right, and reads up to the local context", () => {
  const [{ reading, prompts, prefixTokens }, ...others] = chapterBreakQuestions([item()], protocol);
  assert.deepEqual(others, []);
  assert.equal(prefixTokens, 20);
  // The last 20 of 30 are 110..129: 5 before a candidate of 3, 15 before them: one segment of 8, and 7 left out.
  assert.deepEqual(lists(reading), [[...range(117, 125)]]);
  assert.deepEqual(
    lists(prompts.map(({ tokens }) => tokens)),
    [200, 210, 220, 230, 240, 250].map((first) => [
      ...[125, 126, 127, 128, 129],
      ...range(first, first + 3),
    ]),
  );
  assert.deepEqual(prompts.map(({ scored }) => scored), [3, 3, 3, 3, 3, 3]);
});

test("chapterBreakQuestions() asks every item with each number of prefix tokens", () => {
  const items = [item({ name: "work/0" }), item({ name: "work/1" })];
  const questions = chapterBreakQuestions(items, { ...protocol, prefixTokens: [13, 4, 1000] });
  assert.deepEqual(
    questions.map(({ item, prefixTokens, reading, prompts }) => [
      item.name,
      prefixTokens,
      reading.length,
      prompts[0].tokens.length - 3,
    ]),
    [
      ["work/0", 13, 1, 5],
      ["work/1", 13, 1, 5],
      ["work/0", 4, 0, 4], // all of it local
      ["work/1", 4, 0, 4],
      ["work/0", 1000, 3, 5], // 30 there are: 25 before the local context
      ["work/1", 1000, 3, 5],
    ],
  );
  // Segments follow each other up to the local context.
  assert.deepEqual(
    questions[4].reading.flatMap((segment) => [...segment]),
    [...range(101, 125)],
  );
});

test("chapterBreakQuestions() cuts candidates to the shortest for a sum, and leaves them for a mean of tokens", () => {
  const lengths = [3, 2, 6, 4, 5, 4];
  const candidates = lengths.map((length, i) => range(200 + 10 * i, 200 + 10 * i + length));
  const scoredOf = (change: Partial<ChapterBreakProtocol>) => {
    const [{ prompts }] = chapterBreakQuestions([item({ candidates })], {
      ...protocol,
      suffixTokens: 5,
      ...change,
    });
    return prompts.map(({ tokens, scored }) => [tokens.length - scored, scored]);
  };
  assert.deepEqual(scoredOf({}), lengths.map(() => [6, 2]));
  // All have the local context that the longest one leaves.
  assert.deepEqual(
    scoredOf({ scoring: "per-token" }),
    [3, 2, 5, 4, 5, 4].map((scored) => [3, scored]),
  );
});

test("chapterBreakQuestions() needs a token before each candidate, and candidates", () => {
  const cases: [Partial<ChapterBreakItem>, Partial<ChapterBreakProtocol>, RegExp][] = [
    [{}, { contextTokens: 3 }, /a window of 3 tokens must hold a candidate and a token before it/],
    [
      { prefix: range(0, 0) },
      {},
      /current numbers are 0 tokens before the break and candidates of 4, 4/,
    ],
    [{ candidates: [range(0, 0), range(0, 2)] }, { scoring: "per-token" }, /candidates of 0, 2$/],
  ];
  for (const [change, other, message] of cases) {
    assert.throws(() => chapterBreakQuestions([item(change)], { ...protocol, ...other }), {
      name: "RangeError",
      message,
    });
  }
});

test("rankOfFirst() counts who stands before the right candidate", () => {
  const cases: [number[], number, number][] = [
    // scores; rank where ties are wrong, and where they are right
    [[-1, -2, -3, -4, -5, -6], 1, 1],
    [[-6, -1, -2, -3, -4, -5], 6, 6],
    [[-3, -1, -2, -4, -5, -6], 3, 3],
    [[-1, -1, -3, -4, -5, -6], 2, 1],
    [[-2, -1, -2, -2, -5, -6], 4, 2],
    [[0, 0, 0, 0, 0, 0], 6, 1],
    [[-1, -Infinity, -2, -2, -2, -2], 1, 1],
  ];
  for (const [scores, wrong, right] of cases) {
    assert.deepEqual([rankOfFirst(scores, "wrong"), rankOfFirst(scores, "right")], [wrong, right]);
  }
});

/** A model that holds tokens which it has read for likely, and all others not. */
function rememberingModel(nats: { known: number; unknown: number }): PromptedModel {
  const known: Set<number>[] = [];
  const refuse = () =>
    Promise.reject(new Error("nothing may be written while candidates are scored"));
  return {
    name: "remembering",
    startDocument: (row) => Promise.resolve(void (known[row] = new Set())),
    read: ({ tokens, rows }) => {
      const T = tokens.length / rows;
      for (let row = 0; row < rows; row++) {
        for (const id of tokens.subarray(row * T, (row + 1) * T)) known[row]?.add(id);
      }
      return Promise.resolve();
    },
    ask: ({ targets, rows }) => {
      const T = targets.length / rows;
      const nll = Float32Array.from(
        targets,
        (id, i) => known[Math.floor(i / T)]?.has(id) ? nats.known : nats.unknown,
      );
      return Promise.resolve({ nll, choices: new Int32Array(targets.length) });
    },
    score: refuse,
    choose: refuse,
  };
}

/** Items whose right candidate has been told, long ago, and whose wrong ones have not. */
const told: ChapterBreakItem[] = Array.from({ length: 5 }, (_, i) => {
  const candidates = Array.from(
    { length: 6 },
    (_, j) => range(1000 + 100 * i + 10 * j, 1003 + 100 * i + 10 * j),
  );
  return {
    name: `work ${i}/0`,
    work: `work ${i}`,
    prefix: Int32Array.from([...range(4, 8 + 3 * i), ...candidates[0], ...range(4, 26)]),
    candidates,
  };
});

async function ranksOf(
  model: PromptedModel,
  change: Partial<ChapterBreakProtocol> = {},
  rows = 2,
): Promise<number[]> {
  const asked = { ...protocol, prefixTokens: [40], ...change };
  const scores = await scoreChapterBreak(model, chapterBreakQuestions(told, asked), {
    ...asked,
    rows,
    memory: "per-row",
    pad,
  });
  return scores.map(({ rank }) => Number(rank));
}

test("scoreChapterBreak() finds the candidate that the model has read of, and only that model's", async () => {
  for (const scoring of ["sum", "per-token"] as const) {
    for (const rows of [1, 3]) {
      const ranks = await ranksOf(rememberingModel({ known: 1, unknown: 5 }), { scoring }, rows);
      assert.deepEqual(ranks, [1, 1, 1, 1, 1]);
    }
    // One that holds what it has read for unlikely is always wrong.
    assert.deepEqual(
      await ranksOf(rememberingModel({ known: 5, unknown: 1 }), { scoring }),
      [6, 6, 6, 6, 6],
    );
  }
});

test("scoreChapterBreak() reads no more than the prefix, so that what was told before is not known", async () => {
  const model = rememberingModel({ known: 1, unknown: 5 });
  const prefixTokens = [24]; // the candidate's tokens end 22 before the break, of which 5 are local
  assert.deepEqual(await ranksOf(model, { prefixTokens, ties: "wrong" }), [6, 6, 6, 6, 6]);
  assert.deepEqual(await ranksOf(model, { prefixTokens, ties: "right" }), [1, 1, 1, 1, 1]);
});

test("scoreChapterBreak() adds up the tokens of candidates, or takes their mean", async () => {
  // Each token costs as many nats as its id.
  const model: PromptedModel = {
    ...rememberingModel({ known: 0, unknown: 0 }),
    ask: ({ targets }) =>
      Promise.resolve({ nll: Float32Array.from(targets), choices: new Int32Array(targets.length) }),
  };
  const candidates = [[5, 5, 5], [9], [4, 4, 4, 40], [6, 6], [7, 1, 1, 1, 1], [8, 8]]
    .map((ids) => Int32Array.from(ids));
  const scoresOf = async (change: Partial<ChapterBreakProtocol>) => {
    const asked = { ...protocol, ...change };
    const questions = chapterBreakQuestions([item({ candidates })], asked);
    const [{ scores }] = await scoreChapterBreak(model, questions, {
      ...asked,
      rows: 1,
      memory: "per-row",
      pad,
    });
    return scores;
  };
  assert.deepEqual(await scoresOf({}), [-5, -9, -4, -6, -7, -8]); // the shortest has one token
  assert.deepEqual(await scoresOf({ scoring: "per-token" }), [-5, -9, -4, -6, -3, -8]);
  assert.deepEqual(
    await scoresOf({ scoring: "per-token", suffixTokens: 4 }),
    [-5, -9, -13, -6, -2.5, -8],
  );
});

test("textsOfOtherWorks() gives every question the text of another work, from the same place in it", () => {
  const items = [["a", 3], ["b", 1], ["c", 2]].flatMap(([work, count]) =>
    Array.from(
      { length: count as number },
      (_, i) =>
        item({ name: `${work}/${i}`, work: work as string, prefix: range(100 * i, 100 * i + 40) }),
    )
  );
  const questions = chapterBreakQuestions(items, { ...protocol, prefixTokens: [20, 32] });
  const others = textsOfOtherWorks(questions);
  const partners = others.map(({ segments }) =>
    questions.find(({ reading }) => reading[0] === segments[0].tokens)!
  );
  assert.deepEqual(
    partners.map(({ item, prefixTokens }) => `${item.name} ${prefixTokens}`),
    [20, 32].flatMap((tokens) =>
      ["b/0", "b/0", "b/0", "c/0", "a/0", "a/1"].map((name) => `${name} ${tokens}`)
    ),
  );
  for (const [i, { segments }] of others.entries()) {
    assert.notEqual(partners[i].item.work, questions[i].item.work);
    assert.deepEqual(segments.map(({ tokens }) => tokens), partners[i].reading);
    assert.ok(segments.every(({ tokens, targetTokens }) => targetTokens === tokens.length));
  }
});

test("textsOfOtherWorks() passes over works of the same cluster, one text or several", () => {
  const clusters = { a: "A", b: "A", c: "C", d: "D" };
  const items = Object.entries(clusters).map(([work, cluster], i) =>
    item({ name: `${work}/0`, work, cluster, prefix: range(100 * i, 100 * i + 30) })
  );
  const questions = chapterBreakQuestions(items, protocol);
  const worksOf = (texts: readonly { segments: readonly { tokens: Int32Array }[] }[]) =>
    texts.map(({ segments }) => "abcd"[Math.floor(segments[0].tokens[0] / 100)]).join("");
  assert.equal(worksOf(textsOfOtherWorks(questions)), "ccda");
  const options = { texts: 2, capacityTokens: 16, seed: 1 };
  const [first, second] = severalOtherTexts(textsOfQuestions(questions), options).map(worksOf);
  for (const [i, work] of [..."abcd"].entries()) {
    const read = [work, first[i], second[i]].map((work) => clusters[work as keyof typeof clusters]);
    assert.equal(new Set(read).size, 3, `${read}`);
  }
  // As much was told before each: readings begin at the same place of their works.
  const ofBoth = chapterBreakQuestions(items, { ...protocol, prefixTokens: [20, 29] });
  for (const texts of severalOtherTexts(textsOfQuestions(ofBoth), options)) {
    assert.deepEqual(
      texts.map(({ segments }) => segments[0].tokens[0] % 100),
      ofBoth.map(({ reading }) => reading[0][0] % 100),
    );
  }
  assert.throws(
    () => severalOtherTexts(textsOfQuestions(questions), { ...options, texts: 3 }),
    /^RangeError: Cannot read 3 texts of other works in the place of "a\/0" as there are 2:/,
  );
  assert.throws(
    () => textsOfOtherWorks(questions.slice(0, 2)),
    /current cluster of all works is "A", allowed are 2 clusters and more$/,
  );
});

test("textsOfOtherWorks() passes over works that have nothing to read, and needs another one", () => {
  const short = item({ name: "short/0", work: "short", prefix: range(0, 6) });
  const [a, b] = ["a", "b"].map((work) => item({ name: `${work}/0`, work }));
  const [ofA, ofShort, ofB] = textsOfOtherWorks(chapterBreakQuestions([a, short, b], protocol));
  assert.equal(ofA.segments.length, 1);
  assert.equal(ofB.segments.length, 1);
  assert.deepEqual(ofShort.segments, []);
  assert.throws(
    () => textsOfOtherWorks(chapterBreakQuestions([a, short, a], protocol)),
    /^RangeError: Cannot read another work in the place of "a" as there is none: /,
  );
});

/** Records as `scoreChapterBreak` makes them, of ranks by work. */
function samplesOf(ranks: Record<string, readonly number[]>, prefixTokens = 20): SampleRecord[] {
  return Object.entries(ranks).flatMap(([work, ofWork]) =>
    ofWork.map((rank, i) => ({
      item: `${work}/${i}`,
      work,
      prefixTokens,
      rank,
      correct: rank === 1,
    }))
  );
}

test("scoreChapterBreak() records what was read and scored of each item", async () => {
  const questions = chapterBreakQuestions(told.slice(0, 1), {
    ...protocol,
    prefixTokens: [29, 20],
  });
  const scores = await scoreChapterBreak(rememberingModel({ known: 1, unknown: 5 }), questions, {
    ...protocol,
    rows: 1,
    memory: "per-row",
    pad,
  });
  const common = {
    item: "work 0/0",
    work: "work 0",
    localTokens: 5,
    scoredTokens: [3, 3, 3, 3, 3, 3],
  };
  assert.deepEqual(scores, [
    {
      ...common,
      prefixTokens: 29,
      readTokens: 24,
      scores: [-3, -15, -15, -15, -15, -15],
      rank: 1,
      correct: true,
    },
    {
      ...common,
      prefixTokens: 20,
      readTokens: 8,
      scores: [-15, -15, -15, -15, -15, -15],
      rank: 6,
      correct: false,
    },
  ]);
});

test("chapterBreakMetrics() treats works, not items, as independent, and pairs items with the baseline's", () => {
  const samples = [
    ...samplesOf({ a: [1, 1, 2], b: [1] }),
    ...samplesOf({ a: [6, 6, 6], b: [1] }, 30),
  ];
  const baseline = {
    model: "backbone",
    samples: [...samplesOf({ a: [2, 1, 1], b: [4] }), ...samplesOf({ a: [1, 2, 2], b: [2] }, 30)],
  };
  const labels = { evaluation: "break", model: "longmem", total: 9 };
  const metrics = chapterBreakMetrics(labels, samples, baseline);
  assert.deepEqual(
    metrics.map(({ name, value, n, higherIsBetter }) => [name, value, n, higherIsBetter]),
    [
      ["accuracy 20", 3 / 4, 4, true],
      ["mean rank 20", 5 / 4, 4, false],
      ["accuracy 30", 1 / 4, 4, true],
      ["mean rank 30", 19 / 4, 4, false],
      ["accuracy 20 over backbone", 1 / 4, 4, true],
      ["accuracy 30 over backbone", 0, 4, true],
    ],
  );
  // 3/4 is 1 without work a and 2/3 without work b: sqrt(1/2 * (1/16 + 1/144)).
  assertClose([metrics[0].stderr!], [Math.sqrt(5) / 12], { tolerance: 1e-12 });
  // The differences are 0 in work a and 1 in work b: 1/4 is 1 without a and 0 without b.
  assertClose([metrics[4].stderr!], [Math.sqrt(1 / 2 * (9 / 16 + 1 / 16))], { tolerance: 1e-12 });
  for (const metric of metrics) {
    assert.deepEqual([metric.evaluation, metric.model, metric.total], ["break", "longmem", 9]);
  }
  assert.equal(chapterBreakMetrics(labels, samples).length, 4);
});

test("Measures of ChapterBreak give accuracies and ranks anew, work by work", () => {
  const samples = [
    ...samplesOf({ a: [1, 1, 2], b: [1] }),
    ...samplesOf({ a: [6, 6, 6], b: [1] }, 30),
  ];
  for (const { name, value } of chapterBreakMetrics({ evaluation: "e", model: "m" }, samples)) {
    const sums = sumsOf(chapterBreak, name, samples)!;
    assert.deepEqual(sums.items, ["a", "b"]);
    assert.equal(metricOf(sums), value, name);
  }
  for (const name of ["accuracy", "accuracy 40", "perplexity 20", "accuracy 20 over backbone"]) {
    assert.equal(sumsOf(chapterBreak, name, samples), undefined, name);
  }
});

test("Measures of ChapterBreak are over the clusters of works where records name them", () => {
  const right = { a: true, b: true, c: false, d: false };
  const records = Object.entries(right).map(([work, correct]) => ({
    ...{ item: `${work}/0`, work, prefixTokens: 4, rank: correct ? 1 : 2, correct },
  }));
  const author: Record<string, string> = { a: "A", b: "A", c: "B", d: "B" };
  const clustered = records.map((record) => ({ ...record, cluster: author[record.work] }));
  const [own] = chapterBreakMeasures(records), [byAuthor] = chapterBreakMeasures(clustered);
  assert.equal(own.sums?.clusters, undefined);
  assert.deepEqual(byAuthor.sums?.clusters?.names, ["A", "A", "B", "B"]);
  // By hand: the standard error of 1, 1, 0, 0 is sqrt(1/12), that of 1, 0 is 1/2.
  assertClose(
    [estimateOfSums(own.sums!).stderr!, estimateOfSums(byAuthor.sums!).stderr!],
    [Math.sqrt(1 / 12), 1 / 2],
    { tolerance: 1e-12 },
  );
});
