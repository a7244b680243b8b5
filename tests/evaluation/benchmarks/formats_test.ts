// deno-lint-ignore-file camelcase -- fields as they are published
import type { BenchmarkItem } from "../../../src/evaluation/benchmarks/benchmark.ts";
import type { FormatOptions } from "../../../src/evaluation/benchmarks/format.ts";
import { type FormatName, formats } from "../../../src/evaluation/benchmarks/formats.ts";
import type { Tokenizer } from "../../../src/text/tokenizer.ts";
import { assert, test } from "../../testing.ts";

/** Words with the blank behind them, and line breaks. */
const vocabulary = ["<s>", "\n", ...Array.from({ length: 24 }, (_, i) => `w${i} `)];
const tokenizer: Tokenizer = {
  vocabSize: vocabulary.length,
  specialIds: { bos: 0, eos: 0 },
  hash: "words",
  encode: (text) => (text.match(/\w+ |\n/g) ?? []).map((word) => vocabulary.indexOf(word)),
  decode: (ids) => Array.from(ids, (id) => vocabulary[id]).join(""),
};
const book = Array.from({ length: 24 }, (_, i) => `w${i} ${i % 4 === 3 ? "\n" : ""}`).join("");
const options: FormatOptions = {
  prompts: {},
  lengths: [12],
  haystack: [book],
  depths: 3,
  seed: 1,
  tokenizer,
};

function read(
  format: FormatName,
  entries: readonly unknown[],
  { path = "data/set.jsonl", ...more }: Partial<FormatOptions> & { path?: string } = {},
): BenchmarkItem[] {
  const files = [{
    path,
    entries: entries.map((value, i) => ({ value, where: `line ${i + 1} of "${path}"` })),
  }];
  return formats[format].read(files, { ...options, ...more }).map((item) => {
    const { task, length } = item, written = item.write();
    assert.deepEqual([task, length], [written.task, written.length]);
    return written;
  });
}
const refuses = (format: FormatName, entry: unknown, message: RegExp) =>
  assert.throws(() => read(format, [entry]), message);

const longBenchLine = {
  input: "Who is red?",
  context: "Anna is red.",
  answers: ["Anna", "Anne"],
  length: 5000,
  dataset: "qasper",
  language: "en",
  all_classes: null,
  _id: "a1",
};

test("what an input says of places in prompts is asked as it is", () => {
  const input = "What do {question}, {input} and {context} mean?";
  const [item] = read("longbench", [{ ...longBenchLine, input }], {
    prompts: { qasper: "{question} {context} {input}:" },
  });
  assert.deepEqual([item.context, item.question], [`${input} Anna is red.`, ` ${input}:`]);
});

test("LongBench's lines have the limits and scores of their set, LongBench-E's the classes of lengths", () => {
  const [qasper, e, trec, lines, retrieval] = read("longbench", [
    longBenchLine,
    { ...longBenchLine, dataset: "hotpotqa_e", _id: "a2" },
    { ...longBenchLine, dataset: "trec", all_classes: ["Date", "City", "Anna"], input: "Q: X" },
    { ...longBenchLine, dataset: "lcc", context: "a = 1\n", answers: ["b = 2"] },
    {
      ...longBenchLine,
      dataset: "passage_retrieval_en",
      context: "Paragraph 1: as Paragraph 9 says\n\nParagraph 2: b\n\nParagraph 3: c",
      answers: ["Paragraph 2"],
    },
  ]);
  assert.deepEqual([qasper.name, qasper.task, qasper.length], ["qasper/a1", "qasper", undefined]);
  assert.ok(qasper.context.endsWith("\n\nAnna is red."));
  assert.equal(qasper.question, "\n\nQuestion: Who is red?\nAnswer:");
  assert.deepEqual([qasper.maxAnswerTokens, qasper.score("an anne"), qasper.chance], [
    128,
    1,
    undefined,
  ]);
  assert.equal(qasper.isDone("Anna\n"), false);
  assert.deepEqual([e.task, e.length, e.maxAnswerTokens], ["hotpotqa_e", "4-8k", 32]);
  assert.deepEqual([trec.context, trec.question, trec.chance], ["Anna is red.", "\nQ: X", 1 / 3]);
  assert.deepEqual(
    ["\nCity", "\nCity\n", "City\n"].map((answer) => trec.isDone(answer)),
    [false, true, true],
  );
  assert.deepEqual([lines.question, lines.maxAnswerTokens], ["", 64]);
  // A line with a comment does not count, so that the next one may.
  assert.deepEqual(["# c\nb", "# c\nb = 2\n"].map((answer) => lines.isDone(answer)), [false, true]);
  assert.equal(lines.score("# c\nb = 2\nc"), 1);
  const limits = ["gov_report", "samsum", "multifieldqa_en", "passage_count"].map((dataset) =>
    read("longbench", [{ ...longBenchLine, dataset }])[0].maxAnswerTokens
  );
  assert.deepEqual(limits, [512, 128, 64, 32]);
  assert.deepEqual([retrieval.chance, retrieval.score("Paragraph 2")], [1 / 3, 1]);
  const [mine] = read("longbench", [longBenchLine], {
    prompts: { qasper: "Q {input} T {context} A {input}:" },
    maxAnswerTokens: 7,
  });
  assert.equal(mine.context, "Q Who is red? T Anna is red.");
  assert.deepEqual([mine.question, mine.maxAnswerTokens], [" A Who is red?:", 7]);
});

test("LongBench's lines that cannot be scored are refused", () => {
  refuses(
    "longbench",
    { ...longBenchLine, dataset: "dureader" },
    /Cannot score line 1 of .*Chinese.* current value of dataset is "dureader", allowed are narrativeqa,/,
  );
  refuses(
    "longbench",
    { ...longBenchLine, answers: [] },
    /line 1 of .* answers is wrong: must have an answer/,
  );
  assert.throws(
    () => read("longbench", [longBenchLine], { prompts: { qasper: "none" } }),
    /Cannot ask line 1 of .* must have {context}: current value is "none"/,
  );
});

test("LongBench v2 is asked by letters, by class of length", () => {
  const entry = {
    _id: "b1",
    domain: "d",
    difficulty: "easy",
    length: "medium",
    question: " Which? ",
    choice_A: "one",
    choice_B: "two ",
    choice_C: "three",
    choice_D: "four",
    answer: "C",
    context: "Text.\n",
  };
  const [item] = read("longbench-v2", [entry]);
  assert.deepEqual([item.context, item.length, item.chance], ["Text.", "medium", 0.25]);
  assert.equal(
    item.question,
    "\n\nQuestion: Which?\n(A) one\n(B) two\n(C) three\n(D) four\nThe correct answer is",
  );
  assert.deepEqual([item.choices, item.answers], [["A", "B", "C", "D"], ["C"]]);
  refuses("longbench-v2", { ...entry, answer: "E" }, /answer is wrong/);
});

const needleSet = {
  id: "0401",
  needle: "{CHAR} lives by {1}.",
  questions: { onehop: "Who has been to {1}?", twohop: "Who knows {2}?" },
  tests: { T1: { input_args: ["w9", "w10"] } },
  character_set: ["Yuki", "Omar"],
};

test("NoLiMa's needles stand where the official generator puts them", () => {
  // The texts are those that evaluation/book_haystack.py makes of the same book and tokens.
  const { hidesNeedles } = formats.nolima;
  assert.equal(hidesNeedles, true);
  const set = {
    ...needleSet,
    needle: "NEEDLE.",
    tests: { T1: { input_args: [], gold_answers: ["x"] } },
  };
  const texts = read("nolima", [{ ...set, questions: { onehop: "Who?" } }], { depths: 5 });
  const hidden = texts.map(({ context }) => context.slice(context.indexOf("\n\n") + 2));
  assert.deepEqual(hidden.filter((_, i) => i !== 3), [
    " NEEDLE.\nw1 w2 w3 \nw4 w5 w6 w7 \nw8 w9 ",
    "w1 w2 w3  NEEDLE.\nw4 w5 w6 w7 \nw8 w9 w10 ",
    "w3 \nw4 w5 w6 w7  NEEDLE.\nw8 w9 w10 w11 \n",
    "w2 w3 \nw4 w5 w6 w7 \nw8 w9 w10 w11  NEEDLE.\n",
  ]);
  // Half a token is rounded to even numbers.
  const shorter = read("nolima", [{ ...set, questions: { onehop: "Who?" } }], {
    depths: 5,
    lengths: [10],
  }).map(({ context }) => context.slice(context.indexOf("\n\n") + 2));
  assert.equal(shorter[1], "w2 w3  NEEDLE.\nw4 w5 w6 w7 \nw8 w9 ");
  assert.equal(shorter[3], "w1 w2 w3 \nw4 w5 w6 w7  NEEDLE.\nw8 ");
});

test("NoLiMa's needles take names and words, are asked at each depth, and cluster by set", () => {
  const items = read("nolima", [needleSet], { depths: 2, lengths: [8, 12] });
  assert.deepEqual(items.map(({ name }) => name), [
    "0401/T1/onehop/8/0",
    "0401/T1/onehop/8/1",
    "0401/T1/onehop/12/0",
    "0401/T1/onehop/12/1",
    "0401/T1/twohop/8/0",
    "0401/T1/twohop/8/1",
    "0401/T1/twohop/12/0",
    "0401/T1/twohop/12/1",
  ]);
  for (const { context, question, answers: [name], task, cluster, chance, score } of items) {
    assert.ok(["Yuki", "Omar"].includes(name) && context.includes(`${name} lives by w9.`));
    assert.ok(question.includes(task === "onehop" ? "Who has been to w9?" : "Who knows w10?"));
    assert.deepEqual([cluster, chance], ["0401", 0.5]);
    assert.deepEqual([score(`It is ${name}.`), score(name.toLowerCase())], [1, 0]);
  }
  assert.equal(new Set(items.map(({ answers }) => answers[0])).size, 2);
  const other = book.replaceAll("w2 ", "w1 ");
  const inTurn = read("nolima", [needleSet], { haystack: [book, other] });
  // In the middle of neither book is w2.
  assert.deepEqual(
    inTurn.map(({ context }) => context.includes("w2 ")),
    [true, false, true, false, false, false],
  );
  const [own] = read("nolima", [{
    ...needleSet,
    task_template: "T: {haystack}\nQ: {question} A:",
  }]);
  assert.ok(own.context.startsWith("T: "));
  assert.equal(own.question, "\nQ: Who has been to w9? A:");
});

test("a NoLiMa template without a place for the question has it behind", () => {
  const [item] = read("nolima", [{ ...needleSet, task_template: "T: {haystack} End." }]);
  assert.equal(item.question, " End.\nWho has been to w9?");
});

test("NoLiMa's sets that cannot be asked are refused", () => {
  const { character_set: _names, ...nameless } = needleSet;
  refuses("nolima", nameless, /needle names {CHAR} and character_set is missing/);
  refuses("nolima", { ...nameless, needle: "x" }, /test "T1" has no gold_answers/);
  refuses(
    "nolima",
    { ...needleSet, distractors: { onehop: "y" } },
    /distractors is wrong: must not be there/,
  );
  assert.throws(
    () => read("nolima", [needleSet], { lengths: [40] }),
    /Cannot hide a needle in a book .* is 30, the text has 40/,
  );
});

test("HELMET's recall tasks have their own containment, lengths and demonstrations", () => {
  const [pair] = read("helmet", [{
    context: '{"k1": "v1"}',
    question: "k1",
    answer: "the V-1",
    demos: [["a", "1"], ["b", "2"], ["c", "3"]],
    num_kvs: 105,
  }], { path: "data/json_kv/test_k105_dep6.jsonl" });
  assert.deepEqual([pair.task, pair.length, pair.maxAnswerTokens], ["json_kv", "105 pairs", 100]);
  assert.ok(pair.question.endsWith("Key: a\nValue: 1\n\nKey: b\nValue: 2\n\nKey: k1\nValue:"));
  assert.deepEqual([pair.score("it is v1"), pair.score("v 1")], [1, 0]);
  const [needle] = read("helmet", [{
    context: "One of ...",
    query: "old-owl",
    answer: ["12", "34"],
    type_needle_v: "numbers",
  }], { path: "data/ruler/niah_multivalue/validation_8192.jsonl" });
  assert.deepEqual(
    [needle.task, needle.length, needle.maxAnswerTokens, needle.reference],
    ["niah_multivalue", 8192, 50, "12, 34"],
  );
  assert.ok(needle.question.endsWith("magic numbers for old-owl in this text are"));
  assert.deepEqual([needle.score("34"), needle.isDone("34"), needle.isDone("12 34")], [
    0.5,
    false,
    true,
  ]);
  refuses("helmet", { context: "x", query: "y" }, /answer is wrong: must be there, or outputs/);
});

test("LongMemEval's sessions stand by date, and questions for a judge are asked without a score", () => {
  const entry = {
    question_id: "q1",
    question_type: "multi-session",
    question: "How many hats?",
    answer: 3,
    question_date: "2023/05/30",
    haystack_session_ids: ["s2", "s1"],
    haystack_dates: ["2023/05/02", "2023/05/01"],
    haystack_sessions: [
      [{ role: "user", content: "Two more. " }],
      [{ role: "user", content: "One hat.", has_answer: true }, {
        role: "assistant",
        content: "Nice.",
      }],
    ],
    answer_session_ids: ["s1"],
  };
  const preference = "single-session-preference";
  const items = read("longmemeval", [
    entry,
    { ...entry, question_id: "q2_abs" },
    { ...entry, question_id: "q3_abs_1" },
    { ...entry, question_id: "q4", question_type: preference },
  ]);
  assert.deepEqual(items.map(({ name, scoredBy }) => [name, scoredBy]), [
    ["q1", "judge or words"],
    ["q2_abs", "judge"],
    ["q3_abs_1", "judge"],
    ["q4", "judge"],
  ]);
  const [{ context, question, answers, score, f1, submitted }] = items;
  assert.equal(
    context.slice(context.indexOf("\n\n") + 2),
    "Session of 2023/05/01:\nuser: One hat.\nassistant: Nice.\n\nSession of 2023/05/02:\nuser: Two more.\n",
  );
  assert.equal(question, "\nToday is 2023/05/30.\nQuestion: How many hats?\nAnswer:");
  assert.deepEqual([answers, score("You have 3 hats."), f1!("3 hats")], [["3"], 1, 2 / 3]);
  // A part of another number is no answer.
  assert.deepEqual(["13 hats", "in 2023", "3.", "hats: 3"].map(score), [0, 0, 1, 1]);
  assert.deepEqual(submitted!(" 3 hats.\n"), { question_id: "q1", hypothesis: "3 hats." });
  const [nothing] = read("longmemeval", [{ ...entry, answer: "The" }]);
  assert.equal(nothing.score("The hats"), 0);
  refuses(
    "longmemeval",
    { ...entry, haystack_dates: [] },
    /haystack_dates is wrong: must be as many/,
  );
});

test("RULER's files keep the official prompt, and questions their own score", () => {
  const line = {
    index: 0,
    input: "A ... text? ",
    outputs: ["12", "34"],
    length: 500,
    answer_prefix: "They are",
  };
  const [needle] = read("ruler", [line], { path: "d/niah_multivalue/validation.jsonl" });
  assert.deepEqual(
    [needle.task, needle.context, needle.question, needle.maxAnswerTokens, needle.score("12")],
    ["niah_multivalue", "A ... text? ", "They are", 128, 0.5],
  );
  const [question] = read("ruler", [line], { path: "d/qa_1/validation.jsonl" });
  assert.deepEqual([question.maxAnswerTokens, question.score("12")], [32, 1]);
});

test("BABILong's texts have the labels of their file, and task and length by its name", () => {
  const lines = ["kitchen", "garden", "office"].map((target) => ({
    input: `Mary went to the ${target}.`,
    question: "Where is Mary?",
    target,
  }));
  const items = read("babilong", lines, { path: "data/4k/qa1.jsonl" });
  assert.deepEqual(
    items.map(({ name, task, length, chance }) => [name, task, length, chance]),
    [1, 2, 3].map((i) => [`qa1/4k/${i}`, "qa1", "4k", 1 / 3]),
  );
  const [{ score, isDone }] = items;
  assert.deepEqual([score(" the kitchen. Or garden"), score("kitchen or garden")], [1, 0]);
  assert.deepEqual([isDone("the kitchen"), isDone("the kitchen.")], [false, true]);
  // An answer that names a label of another file of the task is no right one.
  const inFile = (path: string, targets: string[]) => ({
    path,
    entries: targets.map((target) => ({
      value: { input: "x", question: "Where is Mary?", target },
      where: path,
    })),
  });
  const files = [inFile("0k/qa1.jsonl", ["kitchen"]), inFile("1k/qa1.jsonl", ["attic"])];
  const [first] = formats.babilong.read(files, options).map((item) => item.write());
  assert.deepEqual([first.score("kitchen"), first.score("kitchen or attic")], [1, 0]);
  const [things] = read("babilong", [{
    input: "x",
    question: "What has Mary?",
    target: "milk,apple",
  }], {
    path: "qa8.jsonl",
  });
  assert.deepEqual([things.score("apple and milk"), things.score("milk"), things.chance], [
    1,
    0,
    undefined,
  ]);
  assert.equal(things.length, undefined);
  assert.throws(
    () => read("babilong", lines, { path: "test.jsonl" }),
    /its name must have the task/,
  );
});
