import { outdatedEvaluations } from "../../../src/evaluation/evaluations.ts";
import { fillModel, modelName } from "../../../src/evaluation/models.ts";
import type { MemoryConfig } from "../../../src/memory/config.ts";
import { averageAnswers, textsOfEpisodes } from "../../../src/evaluation/in_context_learning.ts";
import { averageNeedles } from "../../../src/evaluation/needle.ts";
import {
  averagePerplexity,
  perplexityMeasures,
  perplexityRecord,
  perplexityVersion,
} from "../../../src/evaluation/perplexity.ts";
import { averageRecall, recallMeasures, recallRecord } from "../../../src/evaluation/recall.ts";
import {
  averageChapterBreak,
  chapterBreakMeasures,
  chapterBreakRecord,
} from "../../../src/evaluation/chapter_break.ts";
import { severalOtherTexts } from "../../../src/evaluation/shared/other_texts.ts";
import { assert, assertClose, test } from "../../testing.ts";

/** Documents of some lengths, in segments of 2 tokens with a padded end; the tokens of document i are all 10 + i. */
function documentsOf(...documents: [length: number, cluster?: string][]) {
  return documents.map(([length, cluster], i) => ({
    name: `${i}`,
    ...(cluster !== undefined && { cluster }),
    segments: Array.from({ length: Math.ceil(length / 2) }, (_, s) => ({
      tokens: Int32Array.from({ length: 2 }, (_, t) => 2 * s + t < length ? 10 + i : 1),
      targetTokens: Math.min(2, length - 2 * s),
    })),
  }));
}

type Documents = ReturnType<typeof documentsOf>;

/** The tokens read in the place of a document, of each text. */
function readInPlace(
  documents: Documents,
  document: number,
  { texts, capacityTokens = 100, seed = 1 }: {
    texts: number;
    capacityTokens?: number;
    seed?: number;
  },
): number[][] {
  return severalOtherTexts(documents, { texts, capacityTokens, seed })
    .map((list) => list[document].segments.flatMap(({ tokens }) => [...tokens]));
}

test("severalOtherTexts() reads one text of each of k other works, none of the document's own", () => {
  const documents = documentsOf([4, "a"], [4, "a"], [4, "b"], [4, "b"], [4, "c"], [4]);
  const workOf = ["a", "a", "b", "b", "c", "5"];
  const choices = new Set<string>();
  for (let seed = 1; seed <= 20; seed++) {
    for (let i = 0; i < documents.length; i++) {
      const works = readInPlace(documents, i, { texts: 3, seed })
        .map(([token]) => workOf[token - 10]);
      assert.equal(new Set([...works, workOf[i]]).size, 4, `works ${works} beside ${workOf[i]}`);
    }
    choices.add(readInPlace(documents, 4, { texts: 2, seed }).join(" "));
  }
  assert.ok(choices.size > 4, "seeds draw unlike texts");
  const again = () => readInPlace(documents, 4, { texts: 2, seed: 7 });
  assert.deepEqual(again(), again());
});

test("severalOtherTexts() reads unscored texts only where the list has too few other works", () => {
  const documents = documentsOf([4, "a"], [4, "b"]);
  const further = documentsOf([4, "x"], [4, "x"], [4, "x"], [4, "c"]).slice(2);
  const tokensOf = (texts: number) =>
    severalOtherTexts(documents, {
      ...{ texts, capacityTokens: 100, seed: 1, unscoredTexts: () => further },
    }).map((list) => list[0].segments[0].tokens[0]);
  assert.deepEqual(tokensOf(1), [11]);
  assert.deepEqual(tokensOf(3).sort(), [11, 12, 13]);
  assert.throws(() => tokensOf(4), /^RangeError: .* as there are 3: .* integers from 1 to 3$/);
});

test("severalOtherTexts() reads as much as the memory holds of the document, and repeats only where it must", () => {
  // Work b is one long text, c two short ones, d a single short one.
  const documents = documentsOf([6, "a"], [7, "b"], [3, "c"], [4, "c"], [5, "d"]);
  for (let seed = 1; seed <= 10; seed++) {
    const [first, second, third] = readInPlace(documents, 0, { texts: 3, seed });
    assert.deepEqual(first, [11, 11, 11, 11, 11, 11]);
    // The two texts of c, without their padding, in either order.
    assert.ok(
      [[12, 12, 12, 13, 13, 13], [13, 13, 13, 13, 12, 12]].some((tokens) =>
        tokens.join() === second.join()
      ),
      second.join(),
    );
    assert.deepEqual(third, [14, 14, 14, 14, 14, 14], "the one of d is read again");
  }
  // A memory of 4 tokens holds no more of the document: the text of d and one of c are long enough.
  const firsts = Array.from(
    { length: 20 },
    (_, seed) => readInPlace(documents, 0, { texts: 1, capacityTokens: 4, seed })[0].join(),
  );
  assert.deepEqual([...new Set(firsts)].sort(), [
    "11,11,11,11,11,11",
    "13,13,13,13,13,13",
    "14,14,14,14,14,14",
  ]);
});

test("severalOtherTexts() names the numbers where there are too few other works", () => {
  assert.throws(
    () => readInPlace(documentsOf([4, "a"], [4, "b"], [4, "b"], [4, "c"]), 0, { texts: 3 }),
    /^RangeError: Cannot read 3 texts of other works in the place of "0" as there are 2: current value of texts is 3, allowed are integers from 1 to 2$/,
  );
  assert.throws(
    () => readInPlace(documentsOf([4, "a"], [4, "a"]), 0, { texts: 2 }),
    /in the place of "0" as there are 0: current value of texts is 2, allowed are none$/,
  );
});

test("the score of an item is the mean over its texts, in every kind of evaluation", () => {
  const document = { item: "a", bucket: "<5K", tokens: 10, words: 5 };
  const averaged = averagePerplexity([10, 20, 60].map((nats) => ({
    ...document,
    nats,
    perplexity: Math.exp(nats / 10),
  })));
  assert.deepEqual(averaged, { ...document, nats: 30, perplexity: Math.exp(3) });
  const [measure] = perplexityMeasures([perplexityRecord.parse(averaged)]);
  assert.deepEqual(measure.sums?.numerators, [30]);

  const book = {
    item: "a",
    contextTokens: 4,
    tokens: 10,
    kinds: "person ship",
    positions: [5, 9],
    distances: [5, 1],
    answers: [7, 8],
  };
  const recalled = averageRecall([
    { ...book, nats: 10, choices: [7, 8] },
    { ...book, nats: 20, choices: [7, 9] },
    { ...book, nats: 30, choices: [6, 9] },
  ]);
  assert.equal(recalled.nats, 20);
  assertClose(recalled.correct as number[], [2 / 3, 1 / 3], { tolerance: 1e-12 });
  const measures = recallMeasures([recallRecord.parse(recalled)]);
  const share = (name: string) => measures.find((measure) => measure.name === name)!.sums!;
  assertClose(share("recall all far").numerators, [2 / 3], { tolerance: 1e-12 });
  assertClose(share("recall all near").numerators, [1 / 3], { tolerance: 1e-12 });

  const question = { item: "a/0", work: "a", prefixTokens: 4 };
  const ranked = averageChapterBreak([
    { ...question, scores: [-1, -3], rank: 1, correct: true },
    { ...question, scores: [-5, -2], rank: 2, correct: false },
  ]);
  assert.deepEqual(ranked, { ...question, scores: [-3, -2.5], rank: 1.5, correct: 0.5 });
  const [accuracy] = chapterBreakMeasures([chapterBreakRecord.parse(ranked)]);
  assert.deepEqual(accuracy.sums?.numerators, [0.5]);

  const text = { item: "1", needles: 1, distances: [2, 4] };
  const found = averageNeedles([
    { ...text, choices: [1, 2], correct: [1, 0], ranks: [1, 4] },
    { ...text, choices: [1, 3], correct: [1, 1], ranks: [1, 1] },
  ]);
  assert.deepEqual(found, { ...text, correct: [1, 0.5], ranks: [1, 1.6] });

  const query = { item: "q", task: "sst2", seed: 1, label: "good" };
  assert.deepEqual(
    averageAnswers([
      { ...query, prediction: "good", correct: true, token: 4, nats: 1 },
      { ...query, prediction: "bad", correct: false, token: 5, nats: 2 },
    ]),
    { ...query, correct: 0.5, nats: 1.5 },
  );
});

test("severalOtherTexts() of episodes reads other tasks of the same seed, or other draws, as much of each", () => {
  const episode = (task: string, seed: number, token: number, lengths: number[]) => ({
    ...{ task, seed, queries: [] },
    memory: lengths.map((length) => new Int32Array(length).fill(token)),
  });
  const tokensOf = (episodes: ReturnType<typeof episode>[], draw: "seed" | "task", texts: number) =>
    severalOtherTexts(textsOfEpisodes(episodes, draw), { texts, capacityTokens: 100, seed: 1 })
      .map((list) => list.map(({ segments }) => segments.map(({ tokens }) => [...tokens])));
  const drawn = [1, 2].flatMap((seed) =>
    ["a", "b", "c"].map((task, i) => episode(task, seed, 10 * seed + i, [2, 1]))
  );
  const [first, second] = tokensOf(drawn, "seed", 2);
  drawn.forEach(({ seed }, i) => {
    const read = [first[i], second[i]].map(([[token]]) => token).sort();
    assert.deepEqual(read, [0, 1, 2].filter((task) => task !== i % 3).map((n) => 10 * seed + n));
    assert.deepEqual(first[i].map(({ length }) => length), [2, 1]);
  });
  // Reviews are tasks of one name, each of which is drawn once.
  const reviews = [1, 2, 3].map((seed) => episode("reviews", seed, seed, [2]));
  const [one, two] = tokensOf(reviews, "task", 2);
  assert.deepEqual(
    reviews.map(({ seed }, i) => [seed, one[i][0][0], two[i][0][0]].sort().join("")),
    ["123", "123", "123"],
  );
  assert.throws(() => tokensOf(reviews, "task", 3), /Cannot read 3 texts of other works .* are 2:/);
});

test("An evaluation is outdated where a model has been measured by an older version of it", () => {
  const metric = (model: string, modelVersion?: number) => ({
    ...{ evaluation: "e", model, name: "perplexity", measure: "perplexity", value: 1, n: 1 },
    ...{ unit: "", higherIsBetter: false, metricVersion: perplexityVersion },
    ...(modelVersion !== undefined && { modelVersion }),
  });
  const memory = { capacityTokens: 8 } as MemoryConfig;
  const copy = fillModel("copy", { contextTokens: 4, memory });
  const evaluation = { kind: "perplexity", name: "e", models: ["longmem" as const, copy] };
  const isOutdated = (...metrics: ReturnType<typeof metric>[]) =>
    outdatedEvaluations([evaluation], metrics).length === 1;
  assert.ok(isOutdated(metric("longmem"), metric(modelName(copy))));
  assert.ok(!isOutdated(metric("longmem"), metric(modelName(copy), 2)));
});
