import { type RulerTask, rulerTasks, writeRulerText } from "../../../src/text/benchmarks/ruler.ts";
import { chronicleRuler, englishRuler } from "../../../src/text/benchmarks/ruler_wordings.ts";
import { haystackOf, sentencesFrom } from "../../../src/text/benchmarks/haystack.ts";
import { vocabulary, words } from "../../../src/text/chronicle/vocabulary.ts";
import { assert, test } from "../../testing.ts";

const haystack = haystackOf(
  [Array.from({ length: 90 }, (_, i) => `Line ${i} has nothing to say. "Nor has this?"`).join(" ")],
  { lines: false },
);
const countWords = (text: string) => text.split(/\s+/).filter((word) => word !== "").length;
const write = (task: RulerTask, instance = 0, length = 600) =>
  writeRulerText(task, {
    wording: englishRuler,
    haystack,
    length,
    instance,
    seed: 1,
    count: countWords,
  });
/** How often each word of a list occurs, the most frequent first. */
const countsOf = (words: readonly string[]) =>
  [...Map.groupBy(words, (word) => word)].map(([word, { length }]) => ({ word, count: length }))
    .sort((a, b) => b.count - a.count);

test("haystackOf() splits texts into sentences, or lines", () => {
  assert.deepEqual(haystack.sentences.slice(0, 2), [
    "Line 0 has nothing to say.",
    '"Nor has this?"',
  ]);
  assert.deepEqual(haystackOf(["a . b\n\n c .\n"], { lines: true }).sentences, ["a . b", "c ."]);
});

test("writeRulerText() fills every task up to its length, and the same way each time", () => {
  for (const task of rulerTasks) {
    const { context, question, maxAnswerTokens } = write(task);
    const tokens = countWords(context) + countWords(question) + maxAnswerTokens + 1;
    // The longest sentence has 17 words, one of the list three.
    assert.ok(tokens <= 600 && tokens > 580, `${task}: ${tokens}`);
    assert.deepEqual(write(task), write(task));
    assert.notEqual(write(task, 1).context, context);
  }
});

test("writeRulerText() tells each asked needle once, among as many others as the task says", () => {
  const told = /The secret (?:number|code) of (\S+) is (\S+)\./g;
  const needles = (task: RulerTask) => {
    const { context, question, answers } = write(task);
    const all = [...context.matchAll(told)].map(([, key, value]) => ({ key, value }));
    const asked = all.filter(({ key }) => question.includes(key));
    assert.deepEqual(asked.map(({ value }) => value).sort(), [...answers].sort(), task);
    return { all: all.length, keys: new Set(all.map(({ key }) => key)).size, answers };
  };
  assert.deepEqual({ ...needles("niah_single_1"), answers: 0 }, { all: 1, keys: 1, answers: 0 });
  assert.match(needles("niah_single_2").answers[0], /^\d{7}$/);
  assert.match(
    needles("niah_single_3").answers[0],
    /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/,
  );
  assert.equal(needles("niah_multikey_1").all, 4);
  for (const task of ["niah_multikey_2", "niah_multikey_3"] as const) {
    const { all, keys } = needles(task);
    assert.ok(all > 50 && keys === all, `${task}: ${all}`);
  }
  const several = needles("niah_multivalue");
  assert.deepEqual([several.all, several.keys, several.answers.length], [4, 1, 4]);
  const queries = needles("niah_multiquery");
  assert.deepEqual([queries.all, queries.keys, queries.answers.length], [4, 4, 4]);
});

test("needles stand at all depths", () => {
  const depths = Array.from({ length: 40 }, (_, i) => {
    const { context } = write("niah_single_2", i, 400);
    return context.indexOf("The secret") / context.length;
  });
  assert.ok(Math.min(...depths) < 0.2 && Math.max(...depths) > 0.8);
});

test("a chain of variables leads from the value to every answer, in the order of the text", () => {
  const { context, question, answers } = write("vt");
  const value = /have the value (\d{5})\?/.exec(question)![1];
  const values = new Map<string, string>();
  for (const [, variable, from] of context.matchAll(/VAR ([A-Z]{5}) = (?:VAR )?(\S+)/g)) {
    values.set(variable, values.get(from) ?? from);
  }
  assert.equal(values.size, 10); // the example's five, too
  const right = [...values].filter(([, held]) => held === value).map(([variable]) => variable);
  assert.deepEqual(right, answers);
});

test("common words stand six times and others once, from 4,096 tokens on thirty times and three times", () => {
  for (const [length, common, other] of [[600, 6, 1], [4096, 30, 3]]) {
    const { context, answers, chance } = write("cwe", 0, length);
    const list = context.slice(context.lastIndexOf("\n") + 1);
    const words = list.split(" ").filter((_, i) => i % 2 === 1), counts = countsOf(words);
    assert.deepEqual(
      counts.slice(0, 10).map(({ word }) => word).sort(),
      [...answers].sort(),
    );
    assert.ok(counts.every(({ count }, i) => count === (i < 10 ? common : other)));
    assert.equal(chance, 10 / counts.length);
    assert.match(list, /^1\. \S+ 2\. /);
  }
});

test("the most frequent coded words follow Zeta's distribution, the dots apart", () => {
  const { context, answers, chance } = write("fwe", 0, 2000);
  const words = context.slice(context.indexOf("\n") + 1).split(" ");
  const [dots, ...others] = countsOf(words);
  assert.equal(dots.word, "...");
  assert.deepEqual(others.slice(0, 3).map(({ word }) => word), answers);
  assert.ok(others[2].count > others[3].count);
  // 1, 1/4, 1/9 and 1/16 of 6 / pi^2 of all words, about.
  assert.ok(Math.abs(dots.count / others[0].count - 4) < 0.1);
  assert.ok(Math.abs(others[0].count / others[2].count - 4) < 0.1);
  assert.equal(chance, 3 / others.length);
});

test("the chronicle's texts have its words alone, and fill up where its words are few", () => {
  const known = new Set(vocabulary);
  const books = haystackOf(["was-a Dezer keiner .\nthe ridrel of the pefol zapeed ."], {
    lines: true,
  });
  for (const task of rulerTasks) {
    const { context, question, answers } = writeRulerText(task, {
      wording: chronicleRuler,
      haystack: books,
      length: 3000,
      instance: 3,
      seed: 2,
      count: countWords,
    });
    for (const word of `${context} ${question} ${answers.join(" ")}`.trim().split(/\s+/)) {
      assert.ok(known.has(word), `${task}: "${word}"`);
    }
    assert.ok(countWords(context) > 2600, `${task}: ${countWords(context)}`);
  }
});

test("no other sentence names a key", () => {
  const persons = haystackOf([words.persons.map((name) => `was-a ${name} keiner .`).join("\n")], {
    lines: true,
  });
  for (let instance = 0; instance < 4; instance++) {
    const shared = { haystack: persons, length: 3000, instance, seed: 1, count: countWords };
    for (const task of ["niah_single_2", "niah_multikey_2"] as const) {
      const { context, question } = writeRulerText(task, { wording: chronicleRuler, ...shared });
      const key = question.replace("\nkept ", "");
      assert.equal(context.split(` ${key} `).length, 2, `${task}: ${key}`);
    }
  }
});

test("sentencesFrom() goes round, and knows when no sentence is left", () => {
  const three = haystackOf(["a. b. c."], { lines: false });
  const sentences = sentencesFrom(three, 2, ["b"]);
  assert.deepEqual([1, 2, 3].map(() => sentences.next().value), ["c.", "a.", "c."]);
  assert.throws(() => sentencesFrom(three, 0, ["."]).next(), /every sentence names one of \.$/);
});

test("a length without room for the facts is an error that names the task", () => {
  assert.throws(
    () => write("niah_multivalue", 0, 150),
    /Cannot write niah_multivalue of 150 tokens/,
  );
});
