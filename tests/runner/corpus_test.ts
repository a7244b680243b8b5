import { openText } from "../../src/runner/corpus.ts";
import type { RunContext } from "../../src/runner/run_context.ts";
import { hashCorpus } from "../../src/text/corpora/files.ts";
import { resolvedExperiment } from "../experiment/resolved.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, test } from "../testing.ts";

test("a vocabulary is kept beside the hash of the text that it was trained on, whatever is written then", async () => {
  await withFolder(async (folder) => {
    for (const split of ["train", "valid", "test"]) {
      await Deno.mkdir(`${folder}/${split}`);
      await Deno.writeTextFile(
        `${folder}/${split}/${split}.txt`,
        `the old king ${split} `.repeat(9),
      );
    }
    const experiment = resolvedExperiment({
      name: "words",
      corpus: { folder, train: "train", valid: "valid", test: "test" },
      tokenizer: { kind: "bpe", vocabSize: 270 },
      backbone: {
        kind: "pretrain",
        size: "tiny",
        training: { batchSize: 1, contextTokens: 16, steps: 1, learningRate: 1e-3 },
      },
      evaluations: [],
    });
    const { corpus } = experiment;
    assert.ok(corpus.kind === "files");
    const before = await hashCorpus(corpus, "train"), recorded: string[] = [];
    const vocabulary = `${folder}/tokenizer.json`;
    const context = {
      results: {
        path: folder,
        async recordHash(name: string, sha256: string) {
          if (name !== "corpus train") return;
          const isKept = await Deno.stat(vocabulary).then(() => true, () => false);
          recorded.push(`${sha256} ${isKept}`);
          // Somebody writes the document while the vocabulary is trained.
          await Deno.writeTextFile(`${folder}/train/train.txt`, "zebras and quaggas");
        },
      },
      progress: { doing: () => {}, note: () => {} },
    } as unknown as RunContext;
    const { documents } = await openText(experiment, context);
    await documents("train");
    const after = await hashCorpus(corpus, "train");
    assert.notEqual(after, before);
    // A run refuses the second, as it has recorded another.
    assert.deepEqual(recorded, [`${before} false`, `${after} true`]);
    assert.doesNotMatch(await Deno.readTextFile(vocabulary), /zeb|qua/);

    // Opened again, it is kept, and what it was trained on is hashed again.
    recorded.length = 0;
    const { tokenizer } = await openText(experiment, context);
    assert.deepEqual(recorded, [`${after} true`]);
    assert.equal(tokenizer.vocabSize, 270);
  });
});

test("patterns of clusters that match no document are noted", () =>
  withFolder(async (folder) => {
    for (const split of ["train", "valid", "test"]) {
      await Deno.mkdir(`${folder}/${split}`);
      await Deno.writeTextFile(
        `${folder}/${split}/sea-${split}.txt`,
        `the sea ${split} `.repeat(9),
      );
    }
    const clusters = { "see-*": "The sea", "*-test": "Tests", "sea-train": "Trains" };
    const experiment = resolvedExperiment({
      name: "clusters",
      corpus: { folder, train: "train", valid: "valid", test: "test", clusters },
      tokenizer: { kind: "bpe", vocabSize: 270 },
      backbone: { kind: "checkpoint", path: "data/chronicle/backbone" },
      evaluations: [],
    });
    const notes: string[] = [];
    const results = { path: folder, recordHash: () => Promise.resolve() };
    const progress = { doing: () => {}, note: (text: string) => notes.push(text) };
    await openText(experiment, { results, progress } as unknown as RunContext);
    assert.deepEqual(notes, ['corpus.clusters: no document matches "see-*"']);
  }));

test("copies among the documents that are measured are noted, unless they are one work", () =>
  withFolder(async (folder) => {
    const train = "the ships of the sea and the sands of the shore ".repeat(4);
    const texts = { "a-test": "one", "b-test": "two", "c-test": "one", "d-test": "one" };
    for (const [name, text] of Object.entries({ "a-train": train, "b-train": train, ...texts })) {
      await Deno.writeTextFile(`${folder}/${name}.txt`, text);
    }
    const notesOf = async (clusters: Record<string, string>) => {
      const notes: string[] = [];
      const experiment = resolvedExperiment({
        name: "copies",
        corpus: { folder, train: "*-train.txt", valid: "valid", test: "*-test.txt", clusters },
        tokenizer: { kind: "bpe", vocabSize: 270 },
        backbone: { kind: "checkpoint", path: "data/chronicle/backbone" },
        evaluations: [{
          kind: "perplexity",
          split: "test",
          models: ["backbone"],
          contextTokens: 8,
        }],
      });
      const results = { path: folder, recordHash: () => Promise.resolve() };
      const progress = { doing: () => {}, note: (text: string) => notes.push(text) };
      const { documents } = await openText(
        experiment,
        { results, progress } as unknown as RunContext,
      );
      await documents("test");
      return notes.filter((note) => note.startsWith("corpus."));
    };
    const ending =
      ": each counts as a document of its own, unless corpus.clusters makes them one work";
    assert.deepEqual(await notesOf({}), [
      `corpus.test: 2 documents are copies of another, such as "c-test" of "a-test"${ending}`,
    ]);
    assert.deepEqual(await notesOf({ "a-*": "one", "c-*": "one" }), [
      `corpus.test: 1 document is a copy of another, such as "d-test" of "a-test"${ending}`,
    ]);
    assert.deepEqual(await notesOf({ "*-test": "one" }), []);
  }));
