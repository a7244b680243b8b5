import type { EvaluationDeclaration, Experiment } from "../../src/experiment/declaration.ts";
import { resolveRun } from "../../src/experiment/resolve.ts";
import type { SampleRecord } from "../../src/results/records.ts";
import { chapterBreakItems } from "../../src/evaluation/chapter_break.ts";
import type { EvaluationTexts } from "../../src/evaluation/evaluation_kind.ts";
import { runExperiment } from "../../src/queue/run_experiment.ts";
import { openingTokens, writeBooks } from "../../src/text/chronicle/book.ts";
import { writeChapterBreak } from "../../src/text/chronicle/chapter_break.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, test } from "../testing.ts";

const training = { batchSize: 1, contextTokens: 24, steps: 3, learningRate: 1e-3 };
const models = ["backbone", "longmem", "longmem-memory-off", "longmem-other-document"] as const;

const small = {
  name: "breaks",
  backbone: {
    kind: "pretrain",
    layers: 2,
    hiddenDim: 8,
    heads: 2,
    initialization: { kind: "scaled" },
    training,
  },
  sidenet: { memoryBlock: 1 },
  memory: { capacityTokens: 96, chunkTokens: 4, retrievedTokens: 8 },
  adaptation: training,
} as const;

/** The smallest books of the chronicle that have ten chapters. */
const chronicle = {
  ...small,
  corpus: {
    kind: "chronicle",
    books: { train: 1, valid: 1, test: 3 },
    drills: 1,
    config: {
      contextTokens: 16,
      book: { chapters: 10, sentencesPerChapter: 8 },
      drill: { scenes: 2, sceneTokens: 60 },
    },
  },
  tokenizer: { kind: "chronicle" },
} as const satisfies Omit<Experiment, "evaluations">;

type Sample = SampleRecord & { model: string; scores: number[] };

/** Runs one evaluation: its metrics, and its records by model. */
async function evaluate(
  experiment: Omit<Experiment, "evaluations">,
  evaluation: Partial<Extract<EvaluationDeclaration, { kind: "chapter-break" }>>,
  limit?: number,
) {
  return await withFolder(async (results) => {
    const declared: Experiment = {
      ...experiment,
      evaluations: [{ kind: "chapter-break", models, batchSize: 2, ...evaluation }],
    };
    const { state, metrics, run } = await runExperiment(declared, {
      results,
      device: "cpu",
      ...(limit === undefined ? {} : { limit }),
    });
    assert.equal(state, "completed");
    const folder = `${results}/breaks/${run}`;
    const { evaluations: [{ name }] } = resolveRun("breaks.ts", declared).experiment;
    const lines = (await Deno.readTextFile(`${folder}/samples/${name}.jsonl`)).trim().split("\n");
    const { hashes } = JSON.parse(await Deno.readTextFile(`${folder}/environment.json`));
    return {
      metrics,
      hashes,
      of: (model: string) =>
        lines.map((line): Sample => JSON.parse(line)).filter((sample) => sample.model === model),
    };
  });
}

test("runExperiment() asks what begins the next chapter of books of the chronicle", async () => {
  const { metrics, of, hashes } = await evaluate(chronicle, { prefixTokens: [200, 400] });
  for (const model of models) {
    const own = metrics.filter((metric) => metric.model === model);
    const over = (tokens: number) =>
      model === "backbone" ? [] : [`accuracy ${tokens} over backbone`];
    assert.deepEqual(own.map(({ name }) => name), [
      ...["accuracy 200", "mean rank 200", "accuracy 400", "mean rank 400"],
      ...[...over(200), ...over(400)],
    ]);
    const samples = of(model);
    // Three books, chapters 4 to 9, two prefixes.
    assert.equal(samples.length, 3 * 6 * 2);
    for (const { name, value, n, total } of own) {
      assert.deepEqual([n, total], [18, undefined]);
      if (!/^accuracy \d+$/.test(name)) continue;
      const asked = samples.filter(({ prefixTokens }) => name === `accuracy ${prefixTokens}`);
      assert.equal(value, asked.filter(({ correct }) => correct).length / 18);
    }
    for (const { scores, rank, scoredTokens, localTokens, prefixTokens, readTokens } of samples) {
      assert.equal(scores.length, 6);
      assert.equal(rank, 1 + scores.slice(1).filter((score) => score >= scores[0]).length);
      assert.deepEqual(scoredTokens, new Array(6).fill(openingTokens));
      assert.equal(localTokens, 24 - openingTokens);
      assert.equal(Number(readTokens) % 24, 0);
      assert.ok(Number(readTokens) <= Number(prefixTokens) - 14);
    }
  }
  assert.match(hashes["items chapter-break-test"], /^[0-9a-f]{64}$/);
  // Only memory sees more than the local context, and it is the item's own.
  const scoresOf = (model: string) => of(model).map(({ scores }) => scores);
  const alike = (a: number[], b: number[]) => a.every((score, i) => Math.abs(score - b[i]) < 1e-4);
  const differing = (model: string, other: string) =>
    scoresOf(model).filter((scores, i) => !alike(scores, scoresOf(other)[i])).length;
  const backbone = scoresOf("backbone");
  assert.ok(backbone.slice(0, 18).every((scores, i) => alike(scores, backbone[18 + i])));
  assert.equal(differing("longmem", "longmem-memory-off"), 36);
  assert.equal(differing("longmem", "longmem-other-document"), 36);
});

test("runExperiment() asks the same of rows that share a bank, one item after the other", async () => {
  const perRow = await evaluate(chronicle, { prefixTokens: 200 });
  const shared = await evaluate(chronicle, {
    prefixTokens: 200,
    memory: { bank: "shared", reset: "epoch" },
  });
  for (const model of models) {
    const [expected, actual] = [perRow, shared].map(({ of }) => of(model));
    assert.equal(actual.length, expected.length);
    actual.forEach(({ item, scores }, i) => {
      assert.equal(item, expected[i].item);
      scores.forEach((score, j) => assert.ok(Math.abs(score - expected[i].scores[j]) < 1e-4));
    });
  }
});

test("runExperiment() takes items evenly from all works where it may not take all", async () => {
  const { metrics, of } = await evaluate(chronicle, { maxItems: 6, prefixTokens: 100 });
  const { of: fewer } = await evaluate(chronicle, { maxItems: 6, prefixTokens: 100 }, 3);
  for (const model of models) {
    assert.deepEqual(
      of(model).map(({ item }) => item),
      ["book_0/0", "book_0/3", "book_1/0", "book_1/3", "book_2/0", "book_2/3"],
    );
    assert.deepEqual(fewer(model).map(({ item }) => item), ["book_0/0", "book_1/0", "book_2/0"]);
  }
  for (const { n, total } of metrics) assert.deepEqual([n, total], [6, 18]);
});

/** Items of a file with one instance, made by a run of words as tokens and some corpus of files. */
async function itemsOf(
  { ctx, treatment, prefixTokens }: {
    ctx: string;
    treatment?: { lines?: "plain" | "released-code"; unwrap?: boolean };
    prefixTokens: number;
  },
) {
  return await withFolder(async (folder) => {
    const path = `${folder}/breaks.json`;
    const texts = { ctx, pos: "it\nbegan", negs: ["a", "b", "c", "d", "e f"] };
    await Deno.writeTextFile(path, JSON.stringify({ ao3: { work: [texts] } }));
    const { corpus, evaluations: [evaluation] } = resolveRun("breaks.ts", {
      ...small,
      corpus: { folder, train: "train", valid: "valid", test: "test", ...treatment },
      tokenizer: { kind: "bpe", vocabSize: 300 },
      evaluations: [{
        kind: "chapter-break",
        models: ["backbone"],
        prefixTokens,
        source: { kind: "file", path, split: "ao3" },
      }],
    }).experiment;
    assert.ok(evaluation.kind === "chapter-break");
    // Every character is a token.
    const tokenizer = {
      specialIds: { bos: 1, pad: 0, eos: 2, unk: 3 },
      encode: (text: string) => {
        assert.ok(!ctx.slice(1).endsWith(text) || /^\s/.test(text), `a word is cut: ${text}`);
        return Array.from(text, (character) => character.charCodeAt(0));
      },
    };
    const [{ prefix, candidates, ...names }] = await chapterBreakItems(
      evaluation,
      corpus,
      { tokenizer } as unknown as EvaluationTexts,
      () => Promise.resolve(),
    );
    assert.deepEqual(names, { name: "work/0", work: "work" });
    const textOf = (tokens: Int32Array) =>
      Array.from(tokens, (id) => id === 1 ? "<s>" : id === 2 ? "</s>" : String.fromCharCode(id));
    return [prefix, ...candidates].map((tokens) => textOf(tokens).join(""));
  });
}

test("chapterBreakItems() takes the last tokens before the break, without the ends of a document", async () => {
  const words = Array.from({ length: 400 }, (_, i) => `word${i}`).join(" ");
  for (const prefixTokens of [5, 100, 300, 2000]) {
    const [prefix, right, ...wrong] = await itemsOf({ ctx: words, prefixTokens });
    assert.equal(prefix, words.slice(-prefixTokens));
    assert.deepEqual([right, ...wrong], ["it\nbegan", "a", "b", "c", "d", "e f"]);
  }
  assert.equal((await itemsOf({ ctx: words, prefixTokens: 10_000 }))[0], words);
});

test("chapterBreakItems() treats lines of texts as the corpus treats those of documents", async () => {
  const released = await itemsOf({
    ctx: "one\n\n two ",
    treatment: { lines: "released-code" },
    prefixTokens: 100,
  });
  assert.deepEqual(released.slice(0, 3), [
    "<s>one</s><s>two</s>",
    "<s>it</s><s>began</s>",
    "<s>a</s>",
  ]);
  const unwrapped = await itemsOf({
    ctx: "one\ntwo\n\nthree",
    treatment: { unwrap: true },
    prefixTokens: 100,
  });
  assert.deepEqual(unwrapped.slice(0, 2), ["one two\n\nthree", "it began"]);
  // Lines of a text whose paragraphs no blank lines separate stay, also those of its candidates.
  const lines = "one\n".repeat(2000);
  const kept = await itemsOf({ ctx: lines, treatment: { unwrap: true }, prefixTokens: 9 });
  assert.deepEqual(kept.slice(0, 2), ["\none\none\n", "it\nbegan"]);
});

test("runExperiment() reads a file in the official format as if its instances were made for the run", async () => {
  await withFolder(async (folder) => {
    const { corpus } = resolveRun("breaks.ts", {
      ...chronicle,
      evaluations: [],
    }).experiment;
    assert.ok(corpus.kind === "chronicle");
    const books = writeBooks({ ...corpus.config, pretraining: { books: 1, drills: 1 } }, {
      seed: `${corpus.seed}/test`,
      count: 3,
    });
    const path = `${folder}/breaks.json`;
    await Deno.writeTextFile(
      path,
      JSON.stringify(writeChapterBreak(books, { seed: 1, firstChapter: 4 })),
    );
    const made = await evaluate(chronicle, { prefixTokens: 200 });
    const read = await evaluate(chronicle, {
      prefixTokens: 200,
      source: { kind: "file", path, split: "chronicle" },
    });
    assert.deepEqual(
      read.metrics.map(({ evaluation: _name, ...metric }) => metric),
      made.metrics.map(({ evaluation: _name, ...metric }) => metric),
    );
    assert.equal(
      read.hashes["items chapter-break-chronicle"],
      made.hashes["items chapter-break-test"],
    );
  });
});

/** Sentences of a chapter, some of them of the chapter before. */
function chapterText(book: number, chapter: number): string {
  return Array.from(
    { length: 40 },
    (_, i) => `The ${["cat", "dog", "fox"][(i + book) % 3]} of day ${chapter * 7 + i} came home.`,
  ).join("\n");
}

test("runExperiment() makes items of the corpus's books, whose prefixes are whole", async () => {
  await withFolder(async (folder) => {
    for (const split of ["train", "valid", "test"]) {
      await Deno.mkdir(`${folder}/${split}`);
      for (const book of [0, 1]) {
        const chapters = Array.from(
          { length: 9 },
          (_, i) => `CHAPTER ${i + 1}\n\nA TITLE\n\n${chapterText(book, i)}\n\n`,
        );
        const end = split === "train" ? "THE END\n" : ""; // no book is in two splits
        const text = chapters.join("") + end;
        await Deno.writeTextFile(`${folder}/${split}/${split}_${book}.txt`, text);
      }
    }
    const corpus = { folder, train: "train", valid: "valid", test: "test", unwrap: true };
    const experiment = { ...small, corpus, tokenizer: { kind: "bpe", vocabSize: 300 } } as const;
    const prefixTokens = [400, 800];
    const { of, hashes } = await evaluate(experiment, {
      prefixTokens,
      models: ["backbone", "longmem"],
    });
    const [first, ...samples] = of("longmem");
    // Chapters 1, 2 and 3 have one before and five after them; chapter 1 has fewer than 800 tokens before it.
    const items = new Set([first, ...samples].map(({ item }) => item));
    assert.deepEqual([...items], ["test_0/1", "test_0/2", "test_1/1", "test_1/2"]);
    for (const { localTokens, readTokens, scoredTokens, prefixTokens } of samples) {
      assert.deepEqual([localTokens, scoredTokens], [12, new Array(6).fill(12)]);
      assert.equal(readTokens, 24 * Math.floor((Number(prefixTokens) - 12) / 24));
    }
    assert.ok(hashes["corpus test"]);
    // Works have a cluster where the corpus declares such, and only there.
    assert.ok([first, ...samples].every((sample) => !("cluster" in sample)));
    const clustered = { ...corpus, clusters: { "test_0": "First" } };
    const { of: named } = await evaluate({ ...experiment, corpus: clustered }, {
      prefixTokens: 400,
      models: ["backbone"],
    });
    assert.deepEqual(
      [...new Set(named("backbone").map(({ work, cluster }) => `${work}: ${cluster}`))],
      ["test_0: First", "test_1: test_1"],
    );
    await assert.rejects(
      evaluate(experiment, { source: { kind: "books", minPrefixTokens: 100_000 }, prefixTokens }),
      /Cannot evaluate "chapter-break-test" as no work has a chapter break with six candidates and 100000 tokens before it/,
    );
  });
});
