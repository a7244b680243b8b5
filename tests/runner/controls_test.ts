import type { Experiment } from "../../src/experiment/declaration.ts";
import { resolveRun } from "../../src/experiment/resolve.ts";
import { runExperiment } from "../../src/queue/run_experiment.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, test } from "../testing.ts";
import { smallBooks, smallChronicle, smallTraining } from "./small_chronicle.ts";

const models = ["longmem", "longmem-other-document"] as const;
const fileCorpus = {
  tokenizer: { kind: "bpe", vocabSize: 270 },
  backbone: smallChronicle.backbone,
  sidenet: smallChronicle.sidenet,
  memory: smallChronicle.memory,
  adaptation: smallTraining,
} as const;

/** A corpus of files in a new folder: the names of its test documents with the number of their sentences. */
async function withFiles(
  documents: Readonly<Record<string, number>>,
  use: (folder: string) => Promise<void>,
): Promise<void> {
  await withFolder(async (folder) => {
    const write = async (split: string, name: string, sentences: number) => {
      await Deno.mkdir(`${folder}/${split}`, { recursive: true });
      const text = `In ${name} of ${split} the rain fell on the plain. `.repeat(sentences);
      await Deno.writeTextFile(`${folder}/${split}/${name}.txt`, text);
    };
    await write("train", "a", 20);
    await write("valid", "b", 4);
    for (const [name, sentences] of Object.entries(documents)) await write("test", name, sentences);
    await use(folder);
  });
}

function experimentOf(
  folder: string,
  clusters?: Record<string, string>,
  listed: Experiment["evaluations"][number]["models"] = models,
): Experiment {
  const corpus = { folder, train: "train", valid: "valid", test: "test" };
  return {
    name: "control",
    ...fileCorpus,
    corpus: { ...corpus, ...(clusters && { clusters }) },
    evaluations: [{ kind: "perplexity", split: "test", models: listed }],
  };
}

/** Names of the files that a run has left. */
async function filesOf(results: string): Promise<string[]> {
  const [run] = await Array.fromAsync(Deno.readDir(`${results}/control`));
  return (await Array.fromAsync(Deno.readDir(`${results}/control/${run.name}`)))
    .map(({ name }) => name);
}

test("A control without another document is refused before anything is trained", async () => {
  const cases: [documents: Record<string, number>, clusters: Record<string, string> | undefined][] =
    [
      [{ c: 4 }, undefined],
      [{ "sea-1": 4, "sea-2": 4 }, { "sea-*": "The sea" }],
    ];
  for (const [documents, clusters] of cases) {
    await withFiles(documents, async (folder) => {
      const results = `${folder}/results`;
      await assert.rejects(
        runExperiment(experimentOf(folder, clusters), { results, device: "cpu" }),
        /^RangeError: Cannot read (another document as there is none|a document of another cluster as there is none: current cluster of all documents is "The sea")/,
      );
      assert.ok(!(await filesOf(results)).includes("metrics.jsonl"), "nothing was trained");
    });
  }
});

test("A control of the first documents reads another one of the split where they are of one cluster", () =>
  withFiles({ "sea-1": 4, "sea-2": 4, town: 4 }, async (folder) => {
    const { evaluations: [evaluation], ...rest } = experimentOf(folder, { "sea-*": "The sea" });
    const limited = { ...evaluation, maxDocuments: 2 };
    const { state, metrics } = await runExperiment(
      { ...rest, evaluations: [limited as typeof evaluation] },
      { results: `${folder}/results`, device: "cpu" },
    );
    assert.equal(state, "completed");
    const perplexity = metrics.filter(({ name }) => name === "perplexity");
    assert.deepEqual(
      perplexity.map(({ model, n }) => [model, n]),
      models.map((model) => [model, 2]),
    );
  }));

test("A file of questions that is not in its form is refused before anything is trained", () =>
  withFiles({ c: 4, d: 4 }, async (folder) => {
    const results = `${folder}/results`, path = `${folder}/questions.jsonl`;
    await Deno.writeTextFile(path, '{"question": "Where?"}\n');
    const models = ["backbone"] as const;
    const evaluations = [{ kind: "questions", path, maxAnswerTokens: 4, models }] as const;
    await assert.rejects(
      runExperiment({ ...experimentOf(folder), evaluations }, { results, device: "cpu" }),
      /^SyntaxError: Cannot read line 1 of ".*questions\.jsonl" as it must have either answers, or/,
    );
    assert.ok(!(await filesOf(results)).includes("metrics.jsonl"), "nothing was trained");
  }));

test("A declaration of a control with a single document is refused", () => {
  const chronicle = { ...smallChronicle, name: "control", adaptation: smallTraining };
  const evaluation = { split: "test", models } as const;
  for (const kind of ["perplexity", "recall"] as const) {
    const declare = (test: number) =>
      resolveRun("a.ts", {
        ...chronicle,
        corpus: { ...smallBooks, books: { ...smallBooks.books, test } },
        evaluations: [{ kind, ...evaluation, maxDocuments: 1 }],
      });
    declare(3);
    assert.throws(
      () => declare(1),
      /evaluations\.0\.models\.1 reads another document, of which evaluations\.0 has none: current value is "longmem-other-document", allowed are other models, or two documents and more/,
    );
  }
});

test("Documents of works are recorded with their work, and runs without works keep their ids", async () => {
  await withFiles({ "sea-1": 4, "sea-2": 6, "land-1": 5, lone: 5 }, async (folder) => {
    const clustered = experimentOf(folder, { "sea-*": "The sea", "*-1": "Firsts" });
    const plain = experimentOf(folder);
    assert.notEqual(resolveRun("a.ts", clustered).id, resolveRun("a.ts", plain).id);
    const results = `${folder}/results`;
    const { state, run } = await runExperiment(clustered, { results, device: "cpu" });
    assert.equal(state, "completed");
    const samples = await Deno.readTextFile(
      `${results}/control/${run}/samples/perplexity-test.jsonl`,
    );
    assert.deepEqual(
      samples.trim().split("\n").slice(0, 4).map((line) => {
        const { item, cluster } = JSON.parse(line);
        return [item, cluster];
      }),
      [["land-1", "Firsts"], ["lone", "lone"], ["sea-1", "The sea"], ["sea-2", "The sea"]],
    );
  });
});

const threeTexts = { model: "longmem-other-document", texts: 3 } as const;

test("Too few other works for a control of several texts are refused before anything is trained", async () => {
  await withFiles({ "sea-1": 4, "sea-2": 4, "land-1": 5, lone: 5 }, async (folder) => {
    const clustered = experimentOf(folder, { "sea-*": "The sea" }, ["longmem", threeTexts]);
    const results = `${folder}/results`;
    await assert.rejects(
      runExperiment(clustered, { results, device: "cpu" }),
      /^RangeError: Cannot read 3 texts of other works in the place of "[^"]+" as there are 2: current value of texts is 3, allowed are integers from 1 to 2/,
    );
    assert.ok(!(await filesOf(results)).includes("metrics.jsonl"), "nothing was trained");
  });
  const books = { ...smallBooks, books: { ...smallBooks.books, test: 3 } };
  const chronicle = { ...smallChronicle, name: "control", corpus: books };
  assert.throws(
    () =>
      resolveRun("a.ts", {
        ...chronicle,
        adaptation: smallTraining,
        evaluations: [{ kind: "recall", split: "test", models: ["longmem", threeTexts] }],
      }),
    /evaluations\.0\.models\.1 reads more other documents than the 2 that evaluations\.0 has: current value is "longmem-other-document-3", allowed are other models, or at most 2 texts/,
  );
});

test("A control of one text is the same however it is declared, and one of several is the mean of its texts", async () => {
  await withFiles({ "sea-1": 4, "land-1": 5, "hill-1": 6 }, async (folder) => {
    const oneText = { model: "longmem-other-document", texts: 1 } as const;
    const twoTexts = { model: "longmem-other-document", texts: 2 } as const;
    const idOf = (...listed: Experiment["evaluations"][number]["models"]) =>
      resolveRun("a.ts", experimentOf(folder, undefined, listed)).id;
    assert.equal(idOf("longmem", oneText), idOf(...models));
    assert.notEqual(idOf("longmem", twoTexts), idOf(...models));
    const results = `${folder}/results`;
    const experiment = experimentOf(folder, undefined, [...models, twoTexts]);
    const { run } = await runExperiment(experiment, { results, device: "cpu" });
    const path = `${results}/control/${run}`;
    const lines = (await Deno.readTextFile(`${path}/samples/perplexity-test.jsonl`)).trim()
      .split("\n").map((line) => JSON.parse(line));
    const natsOf = (model: string) =>
      lines.filter((line) => line.model === model).map(({ nats }) => nats);
    assert.equal(natsOf("longmem-other-document-2").length, 3);
    assert.deepEqual(
      lines.map(({ texts }) => texts),
      [...Array.from({ length: 6 }, () => undefined), 2, 2, 2],
    );
    const { metrics } = JSON.parse(await Deno.readTextFile(`${path}/summary.json`));
    for (const { model, modelVersion } of metrics) {
      assert.equal(modelVersion, model === "longmem-other-document-2" ? 1 : undefined);
    }
  });
});
