import {
  type ReviewEpisodeOptions,
  writeReviewEpisode,
} from "../../../src/evaluation/in_context_learning/reviews.ts";
import { defaultChronicle } from "../../../src/text/chronicle/config.ts";
import { vocabulary } from "../../../src/text/chronicle/vocabulary.ts";
import { assert, test } from "../../testing.ts";

const options: ReviewEpisodeOptions = {
  task: 3,
  seed: 1,
  shots: 0,
  memoryLabels: "true",
  contextTokens: 128,
};

/** Labels by good, as reviews in memory say. */
function told(memory: readonly Int32Array[]): [string, string][] {
  const text = memory.flatMap((segment) => Array.from(segment, (id) => vocabulary[id])).join(" ");
  return [...text.matchAll(/was (\S+) Sentiment: (\S+) \./g)].map((
    [, good, label],
  ) => [good, label]);
}

test("writeReviewEpisode() asks for labels that its memory tells", () => {
  const { task, seed, memory, queries, labels, labelTokens } = writeReviewEpisode(
    defaultChronicle,
    options,
  );
  assert.deepEqual([task, seed], ["reviews", 3]);
  assert.deepEqual(memory.map(({ length }) => length), Array(16).fill(128));
  const known = new Map(told(memory));
  assert.equal(known.size, 32);
  assert.equal(queries.length, 32);
  for (const { item, prompt, label } of queries) {
    const good = vocabulary[prompt.at(-2)!];
    assert.equal(item, `reviews 3 ${good}`);
    assert.equal(labels[label], known.get(good));
  }
  assert.deepEqual(labelTokens.map(([id]) => vocabulary[id]), labels);
});

test("writeReviewEpisode() shuffles labels in memory, and nothing else", () => {
  const own = writeReviewEpisode(defaultChronicle, options);
  const shuffled = writeReviewEpisode(defaultChronicle, { ...options, memoryLabels: "shuffled" });
  const before = told(own.memory), after = told(shuffled.memory);
  assert.equal(after.length, 256);
  assert.deepEqual(after.map(([good]) => good), before.map(([good]) => good));
  assert.deepEqual(after.map(([, label]) => label).sort(), before.map(([, label]) => label).sort());
  const kept = after.filter(([, label], i) => label === before[i][1]).length;
  assert.ok(kept < 60, `${kept} of 256 kept`); // 32 by chance
  assert.deepEqual(shuffled.queries, own.queries);
});

test("writeReviewEpisode() asks for few goods, after others, within the window", () => {
  const all = writeReviewEpisode(defaultChronicle, options);
  const few = writeReviewEpisode(defaultChronicle, { ...options, shots: 4, maxItems: 4 });
  assert.deepEqual(few.memory, all.memory);
  assert.deepEqual(
    few.queries.map(({ item }) => item),
    [0, 8, 16, 24].map((i) => all.queries[i].item),
  );
  assert.notDeepEqual(
    writeReviewEpisode(defaultChronicle, { ...options, task: 4 }).memory,
    all.memory,
  );
  assert.throws(
    () => writeReviewEpisode(defaultChronicle, { ...options, shots: 20 }),
    /^RangeError: Cannot ask "reviews 3 \S+" with 20 demonstrations as the prompt must fit contextTokens: current values are 1\d\d and 128; /,
  );
});

test("The commonest label of an episode of reviews is one that its memory tells most often", () => {
  const config = { ...defaultChronicle, reviews: { goods: 9, demonstrations: 18 } };
  for (let task = 1; task <= 8; task++) {
    const { memory, labels, commonestLabel } = writeReviewEpisode(config, { ...options, task });
    const counts = Map.groupBy(told(memory), ([, label]) => label);
    const most = Math.max(...[...counts.values()].map(({ length }) => length));
    assert.equal(most, 4); // of nine goods two have the same label
    assert.equal(counts.get(labels[commonestLabel])!.length, most);
  }
});
