import { defaultChronicle } from "../../../src/text/chronicle/config.ts";
import { writeReviewTask } from "../../../src/text/chronicle/reviews.ts";
import { vocabulary, wordIds } from "../../../src/text/chronicle/vocabulary.ts";
import { assert, test } from "../../testing.ts";

const seeds = Array.from({ length: 12 }, (_, i) => `reviews test/${i}`);
const tasks = seeds.map((seed) =>
  writeReviewTask(defaultChronicle, { seed, localDemonstrations: 4 })
);

test("Demonstrations are 2,048 tokens: 256 reviews, eight of each of 32 goods, always with its label", () => {
  for (const { demonstrations } of tasks) {
    assert.equal(demonstrations.length, 2048);
    const labels = new Map<string, string>(), counts = new Map<string, number>();
    const lines = linesOf(demonstrations);
    assert.equal(lines.length, 256);
    for (const line of lines) {
      const [, good, label] = line.match(review) ?? assert.fail(line);
      assert.equal(labels.get(good) ?? label, label);
      labels.set(good, label);
      counts.set(good, (counts.get(good) ?? 0) + 1);
    }
    assert.equal(counts.size, 32);
    for (const [good, count] of counts) assert.equal(count, 8, good);
    // Four goods of each label: to guess a label is right once in eight times.
    const goods = Map.groupBy(labels.values(), (label) => label);
    assert.equal(goods.size, 8);
    for (const [label, { length }] of goods) assert.equal(length, 4, label);
  }
});

test("Each good is a query once; its answer is its label, and its prompt ends before it", () => {
  for (const { demonstrations, queries } of tasks) {
    const labels = new Map(
      linesOf(demonstrations).map((line) => {
        const [, good, label] = line.match(review)!;
        return [good, label];
      }),
    );
    assert.equal(new Set(queries.map((query) => query.good)).size, 32);
    for (const { good, answer, prompt } of queries) {
      assert.equal(labels.get(vocabulary[good]), vocabulary[answer]);
      const text = Array.from(prompt, (id) => vocabulary[id]).join(" ");
      assert.ok(text.endsWith(` was ${vocabulary[good]} Sentiment:`), text);
    }
  }
});

test("Local demonstrations are as many as asked for, right, and never of the query's good", () => {
  for (const { demonstrations, queries } of tasks) {
    const said = new Set(
      linesOf(demonstrations).map((line) => line.match(review)!.slice(1).join()),
    );
    for (const { good, prompt } of queries) {
      assert.deepEqual(prompt.indexOf(good), prompt.length - 2);
      const lines = linesOf(prompt);
      assert.equal(lines.length, 5);
      const goods = lines.slice(0, 4).map((line) => {
        const [, name, label] = line.match(review) ?? assert.fail(line);
        assert.ok(said.has(`${name},${label}`));
        return name;
      });
      assert.equal(new Set(goods).size, 4);
      assert.ok(prompt.length < 64);
    }
  }
});

test("Local labels tell nothing of the answer", () => {
  let last = 0, any = 0, queries = 0;
  for (const task of tasks) {
    for (const { answer, prompt } of task.queries) {
      const local = Array.from(prompt).filter((id) => wordIds.labels.includes(id));
      queries++;
      if (local.at(-1) === answer) last++;
      if (local.includes(answer)) any++;
    }
  }
  // Of 31 other goods three have the query's label.
  assert.ok(Math.abs(last / queries - 3 / 31) < 0.06, `${last} of ${queries}`);
  assert.ok(Math.abs(any / queries - 0.336) < 0.1, `${any} of ${queries}`);
});

test("The number of local demonstrations changes nothing else; the seed changes the task", () => {
  const [seed] = seeds, [task] = tasks;
  const none = writeReviewTask(defaultChronicle, { seed, localDemonstrations: 0 });
  assert.deepEqual(none.demonstrations, task.demonstrations);
  assert.deepEqual(
    none.queries.map(({ good, answer }) => [good, answer]),
    task.queries.map(({ good, answer }) => [good, answer]),
  );
  none.queries.forEach(({ prompt }, i) => {
    assert.equal(linesOf(prompt).length, 1);
    assert.deepEqual(task.queries[i].prompt.slice(-prompt.length), prompt);
  });
  assert.deepEqual(writeReviewTask(defaultChronicle, { seed, localDemonstrations: 4 }), task);
  assert.notDeepEqual(tasks[1].demonstrations, task.demonstrations);
});

test("writeReviewTask() takes sizes that do not divide, and more local demonstrations than goods", () => {
  const config = { ...defaultChronicle, reviews: { goods: 3, demonstrations: 7 } };
  const { demonstrations, queries } = writeReviewTask(config, { seed: 1, localDemonstrations: 5 });
  const goods = linesOf(demonstrations).map((line) => line.match(review)![1]);
  const counts = [...Map.groupBy(goods, (good) => good).values()].map(({ length }) => length);
  assert.deepEqual(counts.sort(), [2, 2, 3]);
  for (const { good, prompt } of queries) {
    assert.equal(linesOf(prompt).length, 6);
    assert.equal(prompt.indexOf(good), prompt.length - 2);
  }
});

const review = /^Review: \S+(?: and \S+)? was (\S+) Sentiment: (\S+) \.$/;

function linesOf(tokens: Int32Array): string[] {
  const text = Array.from(tokens, (id) => vocabulary[id]).join(" ");
  return text.split(/(?<= \.) /);
}
