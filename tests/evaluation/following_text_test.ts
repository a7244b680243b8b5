import { writeItems } from "../../src/evaluation/benchmarks/benchmark.ts";
import { writeSentenceEpisode } from "../../src/evaluation/in_context_learning/sentences.ts";
import { writeQuestions } from "../../src/evaluation/questions.ts";
import { Random } from "../../src/random.ts";
import { englishWording } from "../../src/text/needle.ts";
import { parseTokenizerJson } from "../../src/text/tokenizer_json.ts";
import { assert, test } from "../testing.ts";

const special = ["<unk>", "<s>", "</s>", "<pad>"];
const letters = Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i));
const vocab = [...special, "\u2581", "\n", ...letters];

/** A vocabulary of characters that begins a text with a space, as Llama 2's does. */
const tokenizer = parseTokenizerJson(JSON.stringify({
  "added_tokens": special.map((content, id) => ({ id, content, special: true })),
  normalizer: {
    type: "Sequence",
    normalizers: [
      { type: "Prepend", prepend: "\u2581" },
      { type: "Replace", pattern: { String: " " }, content: "\u2581" },
    ],
  },
  "pre_tokenizer": null,
  decoder: null,
  model: {
    type: "BPE",
    "unk_token": "<unk>",
    vocab: Object.fromEntries(vocab.map((token, id) => [token, id])),
    merges: [],
  },
}));

const shown = (ids: ArrayLike<number>) => Array.from(ids, (id) => vocab[id]).join("");
const sizes = { tokenizer, contextTokens: 64, chunkTokens: 1 };

test("what follows a text is encoded without the space that a vocabulary puts before a text", () => {
  assert.equal(shown(tokenizer.encode(" red")), "\u2581\u2581red");
  assert.equal(shown(tokenizer.encode("ab red")), "\u2581ab\u2581red");

  const choices = ["red", "blue"];
  const asked = { question: "Who?", answers: ["red"], choices };
  const [own, alone] = writeQuestions(
    [{ id: "a", context: "ab.", ...asked }, { id: "b", context: "", ...asked }],
    { ...sizes, prompt: "\n{question}", maxAnswerTokens: 8 },
  );
  assert.equal(shown(own.asked[0].prompt), "<s>\u2581ab.\nWho?");
  assert.equal(shown(alone.asked[0].prompt), "<s>\u2581\nWho?");
  assert.deepEqual(own.asked[0].answers.map(shown), ["\u2581red", "\u2581blue"]);

  const item = {
    ...{ name: "a", task: "t", context: "ab.", answers: ["red"], maxAnswerTokens: 8 },
    score: () => 0,
    isDone: () => true,
  };
  const [choosing, writing, first] = writeItems([
    { ...item, question: "\nWho?", choices },
    { ...item, question: " Who?" },
    { ...item, question: "Who?", context: "" },
  ], sizes);
  assert.equal(shown(choosing.prompt), "<s>\u2581ab.\nWho?");
  assert.deepEqual(choosing.answers.map(shown), ["\u2581red", "\u2581blue"]);
  assert.equal(shown(writing.prompt), "<s>\u2581ab.\u2581Who?");
  assert.deepEqual(writing.answers.map(shown), ["\u2581red"]);
  assert.equal(shown(first.prompt), "<s>\u2581Who?");

  const example = { text: "x", label: 0 };
  const { labelTokens } = writeSentenceEpisode("mr", {
    train: [example],
    evaluated: [{ text: "y", label: 1 }],
    hashes: { train: "", evaluated: "" },
  }, {
    ...{ tokenizer, seed: 1, draw: "balanced", memoryLabels: "true", contextTokens: 64 },
    ...{ shots: 0, memoryDemonstrations: 0 },
  });
  assert.deepEqual(labelTokens.map(shown), ["\u2581negative", "\u2581positive"]);

  const [{ question, answer }] = englishWording(tokenizer).facts(1, new Random(1));
  assert.match(
    shown([...question, ...answer]),
    /^\u2581The\u2581pass\u2581key\u2581is\u2581\d{5}$/,
  );
});
