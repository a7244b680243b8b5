import {
  askOwnQuestions,
  questionMeasures,
  questionRecord,
  writeQuestions,
} from "../../src/evaluation/questions.ts";
import type { Question } from "../../src/text/questions.ts";
import { assert, test } from "../testing.ts";
import { ScriptedModel } from "./scripted_model.ts";
import { wordTokenizer } from "./word_tokenizer.ts";

const { idOf, tokenizer, shown: textOf } = wordTokenizer(
  "<s> <pad> </s> \n . ? the hat is red blue green of Anna Ben Where",
);
const form = { tokenizer, prompt: "Where {question} ?", maxAnswerTokens: 3 };
const anna = "the hat of Anna is red . the hat of Ben is blue .";
const written = (id: string, question: string, answers: string[]): Question => ({
  id,
  context: anna,
  question,
  answers,
});

test("writeQuestions() puts as much of a text before the question as has room, the rest in memory", () => {
  const questions = [
    written("a", "Anna", ["red"]),
    { ...written("b", "the hat of Ben", ["blue"]), choices: ["red", "blue"] },
    { id: "c", context: "", question: "Ben", answers: ["blue"] },
  ];
  // Of 12 tokens the second question takes <s> and 6, and its answers 1, whose last is not read; the first 4 and 2.
  const [text, none] = writeQuestions(questions, { ...form, contextTokens: 12, chunkTokens: 4 });
  assert.deepEqual(text.reading.map(textOf), ["<s> the hat of Anna is red . the hat of Ben"]);
  assert.deepEqual(text.asked.map(({ prompt }) => textOf(prompt)), [
    "<s> is blue . Where Anna ?",
    "<s> is blue . Where the hat of Ben ?",
  ]);
  assert.deepEqual(text.asked.map(({ answers }) => answers.map(textOf)), [["red"], [
    "red",
    "blue",
  ]]);
  assert.deepEqual([none.reading, none.asked.map(({ prompt }) => textOf(prompt))], [
    [],
    ["<s> Where Ben ?"],
  ]);
  const [small] = writeQuestions(questions.slice(0, 1), {
    ...form,
    contextTokens: 8,
    chunkTokens: 1,
  });
  assert.deepEqual(small.reading.map(textOf), [
    "<s> the hat of Anna is red .",
    "the hat of Ben is",
  ]);
  assert.equal(textOf(small.asked[0].prompt), "<s> blue . Where Anna ?");
  const [whole] = writeQuestions(questions.slice(0, 1), {
    ...form,
    contextTokens: 20,
    chunkTokens: 4,
  });
  assert.deepEqual(whole.reading, []);
  assert.equal(textOf(whole.asked[0].prompt), `<s> ${anna} Where Anna ?`);
  assert.throws(
    () => writeQuestions(questions, { ...form, contextTokens: 6, chunkTokens: 4 }),
    /Cannot ask question "b" as it must fit contextTokens with its answer: current values are 7 tokens, 1 of the answer, and 6$/,
  );
  const same = { ...written("e", "Anna", ["red"]), choices: ["blue", "red", "red "] };
  assert.throws(
    () => writeQuestions([same], { ...form, contextTokens: 20, chunkTokens: 4 }),
    /^RangeError: Cannot ask question "e" as two of its choices are the same tokens in the vocabulary: current values are "red" and "red "$/,
  );
  assert.throws(
    () =>
      writeQuestions([written("f", "Anna", [" "])], { ...form, contextTokens: 20, chunkTokens: 4 }),
    /^RangeError: Cannot ask question "f" as an answer to it has no token in the vocabulary$/,
  );
});

test("askOwnQuestions() scores written answers, choices and likelihoods as computed by hand", async () => {
  const questions: Question[] = [
    written("a", "Anna", ["red"]),
    written("b", "Ben", ["the blue hat", "blue"]),
    { ...written("c", "the hat of Anna", ["red"]), choices: ["blue", "red", "the hat"] },
    { id: "d", context: "", question: "the hat", answers: ["green"], choices: ["red", "green"] },
  ];
  const texts = writeQuestions(questions, { ...form, contextTokens: 12, chunkTokens: 4 });
  // Answers "red ." to every question; "red" costs 0.5 nats, "green" as well, other words 2.
  const model = new ScriptedModel({
    names: (tokens) =>
      tokens.at(-1) === idOf("?")
        ? idOf("red")
        : tokens.at(-1) === idOf("red")
        ? idOf(".")
        : idOf("\n"),
    nats: (_, next) => [idOf("red"), idOf("green")].includes(next) ? 0.5 : 2,
  }, 1);
  const asked: number[] = [];
  const records = await askOwnQuestions(model, texts, {
    tokenizer,
    maxAnswerTokens: 3,
    rows: 2,
    pad: 1,
    onPrompts: (done, total) => {
      assert.equal(total, 9); // seven answers and choices, and two that are written
      asked.push(done);
    },
  });
  assert.equal(asked.at(-1), 9);
  assert.deepEqual(asked, asked.toSorted((a, b) => a - b));
  const overlap = { f1: 0, exactMatch: false };
  assert.deepEqual(records, [
    {
      item: "a",
      cluster: "text 1",
      answers: "red",
      prediction: "red .",
      exactMatch: true,
      f1: 1,
      nats: 0.5,
    },
    {
      item: "b",
      cluster: "text 1",
      answers: "the blue hat | blue",
      prediction: "red .",
      ...overlap,
      nats: 6,
    },
    {
      item: "c",
      cluster: "text 1",
      answers: "red",
      choice: "red",
      correct: true,
      choiceNats: [2, 0.5, 4],
      nats: 0.5,
    },
    // As likely as the wrong one: not chosen.
    {
      item: "d",
      cluster: "text 2",
      answers: "green",
      choice: "red",
      correct: false,
      choiceNats: [0.5, 0.5],
      nats: 0.5,
    },
  ]);
  const measures = questionMeasures(records.map((record) => questionRecord.parse(record)));
  const values = measures.map(({ name, sums }) => {
    const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);
    return [name, sum(sums!.numerators) / sum(sums!.denominators), sums!.clusters?.names];
  });
  assert.deepEqual(values, [
    ["exact match", 0.5, ["text 1", "text 1"]],
    ["F1", 0.5, ["text 1", "text 1"]],
    ["accuracy", 0.5, ["text 1", "text 2"]],
    ["log-likelihood", -1.875, ["text 1", "text 1", "text 1", "text 2"]],
  ]);
});

test("a control reads the text that stands in place of a question's own, choices or not", async () => {
  const questions: Question[] = [
    { ...written("a", "the hat", ["red"]), choices: ["red", "blue"] },
    { ...written("b", "the hat", ["blue"]), context: `${anna} .` },
  ];
  const texts = writeQuestions(questions, { ...form, contextTokens: 12, chunkTokens: 4 });
  const model = new ScriptedModel({}, 1);
  await askOwnQuestions(model, texts, { tokenizer, maxAnswerTokens: 1, rows: 1, pad: 1 });
  assert.ok(texts.every(({ reading }) => reading.length > 0));
  assert.deepEqual(model.documents, [0, 1]); // each once
});
