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

function experimentOf(folder: string, clusters?: Record<string, string>): Experiment {
  const corpus = { folder, train: "train", valid: "valid", test: "test" };
  return {
    name: "control",
    ...fileCorpus,
    corpus: { ...corpus, ...(clusters && { clusters }) },
    evaluations: [{ kind: "perplexity", split: "test", models }],
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

test("A declaration of a control with a single document is refused", () => {
  const chronicle = { ...smallChronicle, name: "control", adaptation: smallTraining };
  const evaluation = { split: "test", models } as const;
  for (const kind of ["perplexity", "recall"] as const) {
    for (
      const [corpus, maxDocuments] of [
        [smallBooks, undefined],
        [{ ...smallBooks, books: { ...smallBooks.books, test: 3 } }, 1],
      ] as const
    ) {
      assert.throws(
        () =>
          resolveRun("a.ts", {
            ...chronicle,
            corpus,
            evaluations: [{ kind, ...evaluation, ...(maxDocuments && { maxDocuments }) }],
          }),
        /evaluations\.0\.models\.1 reads another document, of which evaluations\.0 has none: current value is "longmem-other-document", allowed are other models, or two documents and more/,
      );
    }
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
