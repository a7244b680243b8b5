import {
  askQuestions,
  exactMatch,
  f1,
  normalizeAnswer,
  type SquadEpisodeOptions,
  squadMeasures,
  squadRecord,
  writeSquadEpisode,
} from "../../src/evaluation/squad.ts";
import type { SquadParagraph } from "../../src/text/squad.ts";
import type { Tokenizer } from "../../src/text/tokenizer.ts";
import { assert, assertClose, test } from "../testing.ts";
import { ScriptedModel } from "./scripted_model.ts";

const pad = 1;

/** A token for each character; 3 does not stand for text, 200 for the end of a line and the beginning of the next. */
const characters: Tokenizer = {
  vocabSize: 256,
  specialIds: { bos: 0, pad, eos: 2, unk: 4 },
  hash: "characters",
  encode: (text) => Array.from(text, (character) => character.charCodeAt(0)),
  decode: (ids) =>
    Array.from(ids, (id) => {
      if (id === pad || id === 3) throw new RangeError(`no text: ${id}`);
      return id < 4 ? "" : id === 200 ? "!\nmore" : String.fromCharCode(id);
    }).join(""),
};

const textOf = (tokens: ArrayLike<number>) =>
  Array.from(tokens, (id) => id === 0 ? "<s>" : id === 2 ? "</s>" : String.fromCharCode(id)).join(
    "",
  );

test("normalizeAnswer() is that of the official evaluation, by hand", () => {
  const cases: [answer: string, normalized: string][] = [
    ["The  Eiffel\tTower.", "eiffel tower"],
    ["an apple a day", "apple day"],
    ["Theatre, and another", "theatre and another"], // articles are whole words
    ["U.S.A.", "usa"],
    ["a.b", "ab"], // punctuation goes first
    ["the-end", "theend"],
    ['"$5 [million]" {~}', "5 million"],
    ["the", ""],
    ["\u00e9a", "\u00e9a"], // a letter of another script is no boundary
    // White space is what it is for Python.
    ["x\x1cy\x1d\x1e\x1fz", "x y z"],
    ["\x85x\x85y\u2003", "x y"],
    ["x\ufeffb \ufeff", "x\ufeffb \ufeff"],
    ["caf\u00e9 \u2013 the best", "caf\u00e9 \u2013 best"], // a dash beyond ASCII stays
  ];
  for (const [answer, normalized] of cases) assert.equal(normalizeAnswer(answer), normalized);
});

test("exactMatch() and f1() take the best of the right answers, by hand", () => {
  const cases: [answer: string, gold: string[], exact: boolean, overlap: number][] = [
    ["The Eiffel tower", ["Eiffel Tower", "tower"], true, 1],
    ["tower", ["the Eiffel Tower"], false, 2 / 3], // precision 1, recall 1/2
    ["big big tower", ["big tower"], false, 4 / 5], // a word counts as often as it is there
    ["big tower", ["big big tower", "big old tower in Paris"], false, 4 / 5],
    ["Rome", ["Paris"], false, 0],
    ["", ["Paris"], false, 0],
    ["the", ["an"], true, 0], // the official F1 of nothing and nothing
    ["Paris in spring", ["spring in Paris"], false, 1], // order does not count
  ];
  for (const [answer, gold, exact, overlap] of cases) {
    assert.equal(exactMatch(answer, gold), exact, answer);
    assertClose([f1(answer, gold)], [overlap], { tolerance: 1e-12, name: answer });
  }
});

const paragraphs = (prefix: string, count: number): SquadParagraph[] =>
  Array.from({ length: count }, (_, i) => ({
    title: prefix,
    context: `${prefix}${i}  is\nhere`,
    questions: ["a", "b"].map((name) => ({
      id: `${prefix}${i}${name}`,
      question: `${name}?`,
      answers: [`${name} ${i}`, "other"],
    })),
  }));
const data = { demonstrations: paragraphs("d", 12), evaluated: paragraphs("e", 3) };
const options: SquadEpisodeOptions = {
  tokenizer: characters,
  seed: 1,
  shots: 2,
  memoryDemonstrations: 5,
  contextTokens: 200,
  maxAnswerTokens: 4,
};
const demonstration = /<s>Context: (d\d+) is here Question: ([ab])\? Answer: \2 \d+<\/s>/g;

test("writeSquadEpisode() shows questions of other articles, each paragraph once", () => {
  const places = new Set<string>();
  for (let seed = 1; seed <= 10; seed++) {
    const { memory, queries } = writeSquadEpisode(data, { ...options, seed });
    const written = textOf(memory.flatMap((segment) => [...segment]));
    assert.equal(written.replaceAll(demonstration, ""), "");
    const inMemory = [...written.matchAll(demonstration)].map(([, paragraph]) => paragraph);
    assert.equal(inMemory.length, 5);
    assert.deepEqual(queries.map(({ item }) => item), ["e0a", "e0b", "e1a", "e1b", "e2a", "e2b"]);
    const before = queries.map(({ prompt, shots, answers, item }) => {
      const text = textOf(prompt);
      const shown = [...text.matchAll(demonstration)].map(([, paragraph]) => paragraph);
      const query = text.replaceAll(demonstration, "");
      assert.equal(query, `<s>Context: e${item[1]} is here Question: ${item[2]}? Answer:`);
      assert.deepEqual(answers, [`${item[2]} ${item[1]}`, "other"]);
      assert.equal(shots, 2);
      return shown;
    });
    assert.equal(new Set(before.map((shown) => shown.join())).size, 1);
    assert.equal(new Set([...inMemory, ...before[0]]).size, 7);
    places.add(before[0].join());
    // Neither part depends on the size of the other.
    const more = writeSquadEpisode(data, { ...options, seed, shots: 3 });
    assert.deepEqual(more.memory, memory);
  }
  assert.ok(places.size > 5, "seeds draw alike");
});

test("writeSquadEpisode() leaves out what has no room before a question, the first first", () => {
  const [{ prompt }] = writeSquadEpisode(data, options).queries;
  const shown = [...textOf(prompt).matchAll(demonstration)].map(([text]) => text);
  const fits = (contextTokens: number) =>
    writeSquadEpisode(data, { ...options, contextTokens, maxItems: 1 }).queries[0];
  // The last of four tokens of the answer is not read.
  assert.equal(fits(prompt.length + 3).shots, 2);
  const fewer = fits(prompt.length + 2);
  assert.equal(fewer.shots, 1);
  assert.equal(textOf(fewer.prompt), textOf(prompt).replace(shown[0], ""));
  const alone = textOf(prompt).replaceAll(demonstration, "").length - 2; // <s> is one token
  assert.equal(fits(alone + 3).shots, 0);
  assert.throws(
    () => fits(alone + 2),
    new RegExp(
      `^RangeError: Cannot ask question "e0a" as it must fit contextTokens with its answer: current values are ${alone} tokens, 4 of the answer, and ${
        alone + 2
      }$`,
    ),
  );
});

test("writeSquadEpisode() asks questions evenly spaced, and refuses to draw more than there are", () => {
  const { queries } = writeSquadEpisode(data, { ...options, maxItems: 3 });
  assert.deepEqual(queries.map(({ item }) => item), ["e0a", "e1a", "e2a"]);
  assert.throws(
    () => writeSquadEpisode(data, { ...options, memoryDemonstrations: 11 }),
    /^RangeError: Cannot draw demonstrations of SQuAD as .* must not exceed the 12 paragraphs that there are: current values are 2 and 11$/,
  );
});

test("askQuestions() continues each prompt until its line ends, and scores the answer", async () => {
  const eos = 2, none = 3;
  const answers: Record<
    string,
    { tokens: number[]; prediction: string; exact: boolean; overlap: number }
  > = {
    e0a: {
      tokens: [...characters.encode(" A 0"), eos, 99],
      prediction: "A 0",
      exact: true,
      overlap: 1,
    },
    e0b: {
      tokens: [...characters.encode(" b"), 200, 99],
      prediction: "b!",
      exact: false,
      overlap: 2 / 3,
    },
    e1a: { tokens: [32, none, 99], prediction: "", exact: false, overlap: 0 },
    e1b: { tokens: [0, 99], prediction: "", exact: false, overlap: 0 },
    // As long as it may be.
    e2a: {
      tokens: [...characters.encode(" others and more")],
      prediction: "other",
      exact: true,
      overlap: 1,
    },
  };
  const episode = writeSquadEpisode(data, { ...options, maxAnswerTokens: 6 });
  const queries = episode.queries.slice(0, 5);
  const model = new ScriptedModel({
    names: (tokens) => {
      for (const { item, prompt } of queries) {
        if (tokens.slice(0, prompt.length).join() !== prompt.join()) continue;
        const { tokens: answer } = answers[item];
        const said = tokens.slice(prompt.length);
        if (said.every((token, i) => token === answer[i])) return answer[said.length] ?? eos;
      }
      return 98;
    },
  }, pad);
  const records = await askQuestions(model, [{ ...episode, queries }], {
    rows: 2,
    pad,
    tokenizer: characters,
    maxAnswerTokens: 6,
  });
  assert.deepEqual(
    records,
    queries.map(({ item, answers: gold, shots }) => {
      const { prediction, exact, overlap } = answers[item];
      return {
        item,
        task: "squad",
        seed: 1,
        answers: gold.join(" | "),
        prediction,
        exactMatch: exact,
        f1: overlap,
        shots,
      };
    }),
  );
  assert.equal(model.segments.length, episode.memory.length);
});

test("Articles are clusters of questions where they are declared, and records are as they were elsewhere", async () => {
  const named = (clusters?: "articles") =>
    askQuestions(
      new ScriptedModel({ names: () => 32 }, pad),
      [writeSquadEpisode(data, options)],
      { rows: 1, pad, tokenizer: characters, maxAnswerTokens: 1, ...(clusters && { clusters }) },
    );
  assert.ok((await named()).every((record) => !("cluster" in record)));
  assert.deepEqual((await named("articles")).map(({ cluster }) => cluster), Array(6).fill("e"));

  // Two articles of two questions each, on which a model is right on all or on none.
  const records = [["a", true], ["a", true], ["b", false], ["b", false]].flatMap((
    [cluster, right],
    i,
  ) =>
    [1, 2].map((seed) =>
      squadRecord.parse({
        ...{ item: `${i}`, task: "squad", seed, cluster, exactMatch: right, f1: Number(right) },
      })
    )
  );
  const stderrOf = (drawn: typeof records) =>
    squadMeasures(drawn).find(({ name }) => name === "exact match seed 1")!.estimate!.stderr!;
  const apart = records.map(({ cluster: _cluster, ...record }) => record);
  // By hand: the standard error of 1, 0 is 1/2, that of 1, 1, 0, 0 is sqrt(1/12).
  assertClose([stderrOf(records), stderrOf(apart as typeof records)], [1 / 2, Math.sqrt(1 / 12)], {
    tolerance: 1e-12,
  });
  assert.deepEqual(
    squadMeasures(records)[0].sums?.across?.clusters,
    { names: ["a", "a", "b", "b"], unit: "articles" },
  );
});
