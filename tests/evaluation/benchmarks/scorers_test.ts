import {
  compareAnswers,
  contains,
  longBenchScore,
  longBenchScoreOf,
  rougeL,
  rulerRecall,
  sequenceRatio,
  stringMatchAll,
  stringMatchPart,
  substringExactMatch,
} from "../../../src/evaluation/benchmarks/scorers.ts";
import { assert, test } from "../../testing.ts";

// All values are what the official scripts return for the same answers (fuzzywuzzy 0.18 without python-Levenshtein, rouge 1.0).

test("stringMatchAll() and stringMatchPart() score as RULER does", () => {
  const two = "The numbers are 1234567, and 7654321.";
  assert.equal(stringMatchAll(two, ["1234567", "7654321", "1111111"]), 2 / 3);
  assert.equal(stringMatchAll("OWL bridge", ["owl", "Bridge"]), 1);
  assert.equal(stringMatchAll("a\tb", ["a\nb"]), 1); // control characters become line ends
  assert.equal(stringMatchPart("in Turin", ["Rome", "turin"]), 1);
  assert.equal(stringMatchPart("x", ["Rome"]), 0);
});

test("compareAnswers() accepts the only label that an answer names, as BABILong does", () => {
  const places = ["bathroom", "bedroom", "garden", "hallway", "kitchen", "office"];
  const givers = ["Bill", "Fred", "Jeff", "Mary", "apple", "football", "milk"];
  const cases = [
    ["kitchen", "The kitchen. Or the garden", "Where is Mary?", places, true],
    ["kitchen", "kitchen or garden", "Where is Mary?", places, false],
    [
      "office",
      "Before the kitchen it was in the office",
      "Where was the apple before the kitchen?",
      places,
      true,
    ],
    ["Bill", "Fred gave it to bill", "What did Fred give to Bill?", givers, false],
    ["Fred", "FRED", "Who gave the milk?", givers, true],
    ["apple,milk", "milk and apple", "What is Mary carrying?", ["apple", "milk", "nothing"], true],
    ["apple,milk", "milk", "What is Mary carrying?", ["apple", "milk", "nothing"], false],
    ["n,w", "n,w", "How?", ["n,w", "w,n"], true],
    ["garden", "garden <example> kitchen", "Where?", places, true],
    ["kitchen", " kitchen <context> garden", "Where?", places, true],
  ] as const;
  for (const [target, prediction, question, labels, right] of cases) {
    assert.equal(compareAnswers(prediction, { target, question, labels }), right, prediction);
  }
});

test("containment differs between NoLiMa, HELMET and RULER in HELMET", () => {
  assert.equal(contains("It was Yuki.", ["Yuki"]), 1);
  assert.equal(contains("It was yuki.", ["Yuki"]), 0);
  assert.equal(substringExactMatch("Key: the Ab-12, yes", ["ab12"]), 1);
  assert.equal(substringExactMatch("ab 12", ["ab12"]), 0);
  assert.equal(rulerRecall("one TWO", ["two", "three"]), 0.5);
  assert.equal(rulerRecall("a\tb", ["a\nb"]), 0);
});

test("longBenchScore() scores every kind of set as LongBench does", () => {
  const cases: [string, string, string, number, string[]?][] = [
    ["hotpotqa", "The answer is a red Hat.", "the red hat", 2 / 3],
    ["qasper", "red red hat", "red hat hat", 2 / 3],
    ["qasper", "", "", 0],
    ["qasper", "the", "a", 0],
    ["musique", "Zürich, an old-town", "old town of Zürich", 1 / 3],
    // Only the first line of an answer counts.
    ["triviaqa", "\nTurin\nMilan", "Turin", 1],
    ["hotpotqa", "\nTurin\nMilan", "Turin", 2 / 3],
    ["passage_count", "There are 12 or 3 paragraphs, 12 in all", "12", 2 / 3],
    ["passage_count", "twelve", "12", 0],
    ["passage_count", "012", "12", 0],
    ["passage_retrieval_en", "Paragraph 17 or 7", "Paragraph 7", 0.5],
    ["passage_retrieval_en", "none", "Paragraph 7", 0],
    ["passage_retrieval_zh", "3, 4", "段落4", 0.5],
    ["trec", "City name", "City", 0.5, ["City", "Other city", "City name"]],
    ["trec", "Number: Date", "Date", 0.5, ["Date", "Number", "Manner"]],
    ["trec", "abc abcd", "abcd", 0.5, ["a", "ab", "abc", "abcd"]],
    ["trec", "Date\nNumber", "Date", 1, ["Date", "Number"]],
    ["lcc", "\n\nreturn self.total\nprint()", "return self.total()", 0.94],
    ["lcc", "# comment\n`code`\nx = foo(1, 2)", "x = foo(2)", 0.87],
    ["lcc", "# only", "y", 0],
    ["lcc", "abcd", "bcde", 0.75],
    ["repobench-p", "private String aa;", "private String ab = c;", 0.85],
    // Of 200 characters and more, frequent ones begin no match.
    [
      "lcc",
      `value = ${"a".repeat(140)} - ${"b".repeat(50)}`,
      `value = ${"a".repeat(150)} + ${"b".repeat(60)}`,
      0.7,
    ],
    ["gov_report", "the cat sat on the mat", "the cat is on the mat", 0.7999999950000002],
  ];
  for (const [dataSet, prediction, answer, score, classes = []] of cases) {
    const actual = longBenchScore(prediction, [answer], { dataSet, classes });
    assert.ok(Math.abs(actual - score) < 1e-12, `${dataSet} ${prediction}: ${actual}`);
  }
  const best = longBenchScore("red", ["blue", "red"], { dataSet: "qasper", classes: [] });
  assert.equal(best, 1);
  assert.equal(longBenchScoreOf("dureader"), undefined);
});

test("rougeL() takes the union of common subsequences of sets of words", () => {
  const cases: [string, string, number][] = [
    [
      "the council met. it voted for the budget. nobody left",
      "the council voted. the budget passed",
      0.5714285668367348,
    ],
    ["a b c d e", "e d c b a", 0.19999999500000015],
    ["", "x", 0],
    ["one. two .", "two. one", 0.999999995],
    ["w1 w2 w6 w7 w8. w1 w3 w8 w9 w5", "w1 w2 w3 w4 w5", 0.6153846106508877],
  ];
  for (const [prediction, answer, score] of cases) {
    assert.ok(Math.abs(rougeL(prediction, answer) - score) < 1e-12, prediction);
  }
});

test("sequenceRatio() is 1 of two empty texts", () => {
  assert.equal(sequenceRatio([], []), 1);
  assert.equal(sequenceRatio(["a"], []), 0);
});
