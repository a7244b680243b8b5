import {
  askItems,
  type BenchmarkItem,
  benchmarkItems,
  benchmarkMeasures,
  benchmarkRecord,
  chanceRecords,
  writeItems,
} from "../../../src/evaluation/benchmarks/benchmark.ts";
import { estimateOfSums } from "../../../src/results/paired_comparison.ts";
import { assert, test } from "../../testing.ts";
import { otherDocuments } from "../../../src/evaluation/shared/language_model.ts";
import { ScriptedModel } from "../scripted_model.ts";
import { wordTokenizer } from "../word_tokenizer.ts";

const { words, idOf, tokenizer, shown } = wordTokenizer(
  "<s> <pad> </s> \n . ? hat is red blue green Anna Ben",
);

const contains = (answer: string) => (prediction: string) => Number(prediction.includes(answer));
function item(name: string, task: string, answer: string, more: Partial<BenchmarkItem> = {}) {
  const score = contains(answer);
  return {
    name,
    task,
    context: "hat Anna is red . hat Ben is blue .",
    question: "Anna ?",
    answers: [answer],
    maxAnswerTokens: 3,
    score,
    isDone: (prediction: string) => score(prediction) === 1,
    ...more,
  };
}
const asking = { tokenizer, stop: "official", rows: 2, pad: 1 } as const;

test("writeItems() puts as much of a text before the question as has room, the rest in memory", () => {
  const [one] = writeItems([item("a", "x", "red")], {
    tokenizer,
    contextTokens: 8,
    chunkTokens: 3,
  });
  // Of 8 tokens, <s> and the question take 3, and all but one of the answer 2; the memory holds chunks of three.
  assert.equal(shown(one.prompt), "<s> blue . Anna ?");
  assert.deepEqual(
    one.reading.map(shown),
    ["<s> hat Anna is red . hat Ben", "is"],
  );
  // Of a question that is longer than the window, the beginning is read, too.
  const long = item("a", "x", "red", { question: "Ben ? Ben ? Anna ?" });
  const [read] = writeItems([long], { tokenizer, contextTokens: 8, chunkTokens: 1 });
  assert.equal(shown(read.prompt), "<s> ? Ben ? Anna ?");
  assert.equal(shown(read.reading.at(-1)!), "is blue . Ben");
  // Of a reference no more is scored than an answer may have.
  const reference = item("a", "x", "red", { reference: "red green blue hat" });
  const [{ answers }] = writeItems([reference], { tokenizer, contextTokens: 8, chunkTokens: 1 });
  assert.deepEqual(answers.map(shown), ["red green blue"]);
  assert.throws(
    () => writeItems([item("a", "x", "red")], { tokenizer, contextTokens: 3, chunkTokens: 2 }),
    /Cannot ask "a" as contextTokens must be more than its answer: current values are 3 and 3; maxAnswerTokens/,
  );
  const same = item("a", "x", "red", { choices: ["red", "blue", "red "] });
  assert.throws(
    () => writeItems([same], { tokenizer, contextTokens: 8, chunkTokens: 2 }),
    /Cannot ask "a" as two of its choices are the same tokens in the vocabulary: .* "red" and "red "$/,
  );
});

test("askItems() writes answers until nothing can change their score, and chooses the likeliest", async () => {
  const said: Record<string, string> = { "?": "blue", blue: "red", red: "\n", "\n": "green" };
  const items = [
    item("a", "x", "red"), // "blue red" contains it: done
    item("b", "x", "green", { maxAnswerTokens: 4 }),
    item("c", "y", "green", { maxAnswerTokens: 2, f1: () => 0.5, cluster: "both" }),
    item("d", "y", "green", { choices: ["red", "green"] }),
    item("e", "y", "red", { choices: ["red", "blue", "red hat"] }),
  ];
  const model = new ScriptedModel({
    names: (tokens) => idOf(said[words[tokens.at(-1)!]] ?? "."),
    nats: (_, next) => ({ red: 0.5, green: 0.5 } as Record<string, number>)[words[next]] ?? 2,
  }, 1);
  const done: number[] = [];
  const written = writeItems(items, { tokenizer, contextTokens: 12, chunkTokens: 1 });
  const records = await askItems(model, written, {
    ...asking,
    onPrompts: (asked, total) => {
      assert.equal(total, 11); // three answers and five choices, and three that are written
      done.push(asked);
    },
  });
  assert.deepEqual(done, done.toSorted((a, b) => a - b));
  assert.equal(done.at(-1), 11);
  // Each text is read once; controls read another text by these numbers.
  assert.deepEqual(model.documents, [0, 1, 2, 3, 4]);
  const tasks = 2;
  assert.deepEqual(records, [
    {
      item: "a",
      task: "x",
      tasks,
      answers: "red",
      prediction: "blue red",
      score: 1,
      nats: 0.5,
      tokens: 1,
    },
    {
      item: "b",
      task: "x",
      tasks,
      answers: "green",
      prediction: "blue red \n green",
      score: 1,
      nats: 0.5,
      tokens: 1,
    },
    {
      item: "c",
      cluster: "both",
      task: "y",
      tasks,
      answers: "green",
      prediction: "blue red",
      score: 0,
      f1: 0.5,
      nats: 0.5,
      tokens: 1,
    },
    // As likely as a wrong one: not right.
    {
      item: "d",
      task: "y",
      tasks,
      answers: "green",
      choice: "red",
      score: 0,
      choiceNats: [0.5, 0.5],
      nats: 0.5,
      tokens: 1,
    },
    {
      item: "e",
      task: "y",
      tasks,
      answers: "red",
      choice: "red",
      score: 1,
      choiceNats: [0.5, 2, 2.5],
      nats: 0.5,
      tokens: 1,
    },
  ]);
  const [, second] = await askItems(model, written, { ...asking, stop: "line" });
  assert.deepEqual([second.prediction, second.score], ["blue red ", 0]);
});

test("benchmarkMeasures() weighs tasks alike, by length", () => {
  const record = (
    name: string,
    task: string,
    length: number,
    score: number,
    nats: number,
    tokens: number,
  ) => benchmarkRecord.parse({ item: name, task, tasks: 2, length, score, nats, tokens });
  const records = [
    record("a", "x", 64, 1, 4, 2),
    record("b", "x", 64, 0, 2, 2),
    record("c", "y", 64, 1, 1, 1),
    record("d", "x", 256, 0, 3, 1),
    record("e", "y", 256, 0.5, 2, 1),
  ];
  const values = benchmarkMeasures(records).map((
    measure,
  ) => [
    measure.name,
    measure.at,
    Number(estimateOfSums(measure.sums!).value.toFixed(12)),
    measure.differences?.length,
  ]);
  assert.deepEqual(values, [
    ["score at 64", { length: 64 }, 0.75, 1], // (1/2 + 1) / 2
    ["score of x at 64", { task: "x", length: 64 }, 0.5, undefined],
    ["score of y at 64", { task: "y", length: 64 }, 1, undefined],
    ["score at 256", { length: 256 }, 0.25, 1],
    ["score of x at 256", { task: "x", length: 256 }, 0, undefined],
    ["score of y at 256", { task: "y", length: 256 }, 0.5, undefined],
    ["score", undefined, 0.541666666667, 1],
    ["log-likelihood at 64", { length: 64 }, -1.25, 1], // (6/4 + 1) / 2
    ["log-likelihood of x at 64", { task: "x", length: 64 }, -1.5, undefined],
    ["log-likelihood of y at 64", { task: "y", length: 64 }, -1, undefined],
    ["log-likelihood at 256", { length: 256 }, -2.5, 1],
    ["log-likelihood of x at 256", { task: "x", length: 256 }, -3, undefined],
    ["log-likelihood of y at 256", { task: "y", length: 256 }, -2, undefined],
    ["log-likelihood", undefined, -1.65, 1],
  ]);
  const one = benchmarkMeasures([
    benchmarkRecord.parse({ item: "a", task: "x", tasks: 1, score: 1 }),
  ]);
  assert.deepEqual(one.map(({ name, at }) => [name, at]), [["score", undefined]]);
});

test("chance has the tasks whose chance is known, and a mean only over all", () => {
  const items = [
    item("a", "x", "red", { chance: 0.25, length: 64 }),
    item("b", "y", "red", { length: 64 }),
  ];
  const measures = benchmarkMeasures(
    chanceRecords(items).map((record) => benchmarkRecord.parse(record)),
  );
  assert.deepEqual(measures.map(({ name, sums }) => [name, sums!.numerators]), [[
    "score of x at 64",
    [0.25],
  ]]);
});

test("a control reads the text of another item", () => {
  const evaluation = { name: "ruler", batchSize: 1, contextTokens: 8, stop: "official" } as const;
  const items = [
    item("a", "x", "red"),
    item("b", "x", "blue", { context: "hat . hat . hat . hat . hat . hat" }),
  ];
  const { texts = [] } = benchmarkItems(evaluation, items, { tokenizer });
  assert.deepEqual(
    otherDocuments(texts).map(({ segments }) => shown(segments[0].tokens)),
    ["<s> hat . hat . hat . hat", "<s> hat Anna is red . hat Ben"],
  );
});
