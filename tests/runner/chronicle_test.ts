import { readSafetensors } from "../../src/formats/safetensors.ts";
import { initializeBackbone } from "../../src/backbone/initialization.ts";
import type { Experiment } from "../../src/experiment/declaration.ts";
import { resolvedExperiment } from "../experiment/resolved.ts";
import type { RunContext } from "../../src/runner/run_context.ts";
import { runExperiment } from "../../src/queue/run_experiment.ts";
import { openText } from "../../src/runner/corpus.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, assertClose, repositoryPath, test } from "../testing.ts";

const training = { batchSize: 1, contextTokens: 16, steps: 3, learningRate: 1e-3 };

/** The smallest LongMem on the smallest books. */
const experiment: Experiment = {
  name: "voyage",
  corpus: {
    kind: "chronicle",
    books: { train: 3, valid: 2, test: 2 },
    drills: 4,
    config: {
      contextTokens: 16,
      book: { chapters: 3, sentencesPerChapter: 8 },
      drill: { scenes: 2, sceneTokens: 60 },
    },
  },
  tokenizer: { kind: "chronicle" },
  backbone: {
    kind: "pretrain",
    layers: 2,
    hiddenDim: 8,
    heads: 2,
    initialization: { kind: "scaled" },
    training,
  },
  sidenet: { memoryBlock: 1 },
  memory: { capacityTokens: 64, chunkTokens: 4, retrievedTokens: 8 },
  adaptation: training,
  evaluations: [{ kind: "perplexity", split: "test", models: ["backbone", "longmem"] }],
};

/** The text of a run that records its hashes in a map. */
async function open(change: Partial<Experiment> = {}) {
  const hashes = new Map<string, string>();
  const context = {
    results: {
      recordHash: (name: string, hash: string) => Promise.resolve(void hashes.set(name, hash)),
    },
    progress: { note: () => {}, doing: () => {} },
  } as unknown as RunContext;
  return {
    hashes,
    text: await openText(resolvedExperiment({ ...experiment, ...change }), context),
  };
}

test("openText() writes the books of a chronicle's splits, no book twice", async () => {
  const { text } = await open();
  const written = new Set<string>();
  for (const [split, count] of [["train", 3], ["valid", 2], ["test", 2]] as const) {
    const documents = await text.documents(split);
    const books = await text.books(split);
    assert.equal(documents.length, count);
    for (const [i, { name, tokens, words, gpt2Tokens }] of documents.entries()) {
      assert.deepEqual([name, tokens, words], [books[i].name, books[i].tokens, books[i].words]);
      assert.equal(gpt2Tokens, tokens.length);
      // The tokenizer is the one that the tokens are of, and the recalls are of these tokens.
      assert.deepEqual(text.tokenizer.encode(books[i].text()), [...tokens.slice(1, -1)]);
      assert.ok(books[i].recalls.length > 0);
      assert.ok(books[i].recalls.every(({ position, answer }) => tokens[position] === answer));
      written.add(tokens.join(" "));
    }
  }
  assert.equal(written.size, 3 + 2 + 2);
});

test("openText() has the books of the train split and drills for the pretraining, books alone for the rest", async () => {
  const { text } = await open();
  const pretraining = await text.pretrainingDocuments();
  const drills = pretraining.filter(({ name }) => name.startsWith("drill"));
  assert.equal(drills.length, 4);
  const books = pretraining.filter((document) => !drills.includes(document))
    .sort((a, b) => a.name < b.name ? -1 : 1);
  assert.deepEqual(books, await text.documents("train"));
});

test("openText() writes the same chronicle again, and another with another seed or setting", async () => {
  const hashesOf = async (change: Partial<Experiment>) => {
    const { text, hashes } = await open(change);
    await text.pretrainingDocuments();
    for (const split of ["train", "valid", "test"] as const) await text.documents(split);
    return hashes;
  };
  const hashes = await hashesOf({});
  const names = ["corpus pretraining", "corpus train", "corpus valid", "corpus test"];
  assert.deepEqual([...hashes.keys()], ["tokenizer", ...names]);
  assert.equal(new Set(hashes.values()).size, 5);
  assert.deepEqual(await hashesOf({}), hashes);

  const { corpus } = experiment;
  assert.ok(corpus.kind === "chronicle");
  // The seed of the experiment is that of the corpus, unless it has its own.
  assert.deepEqual(await hashesOf({ seed: 2, corpus: { ...corpus, seed: 1 } }), hashes);
  const sentence = { ...corpus.config, sentence: { timeShare: 0 } };
  for (const change of [{ seed: 2 }, { corpus: { ...corpus, config: sentence } }]) {
    const changed = await hashesOf(change);
    for (const name of names) assert.notEqual(changed.get(name), hashes.get(name), name);
  }
});

test("RunText.books() says that recalls of other texts are not known", async () => {
  await withFolder(async (folder) => {
    for (const split of ["train", "valid", "test"]) {
      await Deno.mkdir(`${folder}/${split}`);
      const text = `It was the ${split} of Light. `.repeat(20);
      await Deno.writeTextFile(`${folder}/${split}/one.txt`, text);
    }
    const { text } = await open({
      corpus: { folder, train: "train", valid: "valid", test: "test" },
      tokenizer: { kind: "file", path: repositoryPath("data/chronicle/tokenizer.json") },
    });
    assert.throws(() => text.books("test"), {
      name: "TypeError",
      message: 'Cannot find recalls in the corpus of "voyage" as only those of the chronicle are ' +
        'known: current value of corpus.kind is "files", allowed is chronicle',
    });
  });
});

test("runExperiment() trains the backbone with drills, the SideNet without, and reads unseen books", async () => {
  await withFolder(async (results) => {
    const { state, metrics, run } = await runExperiment(experiment, { results, device: "cpu" });
    assert.equal(state, "completed");
    const perplexities = metrics.filter(({ name }) => name === "perplexity");
    assert.deepEqual(perplexities.map(({ model, n }) => [model, n]), [
      ["backbone", 2],
      ["longmem", 2],
    ]);
    const { text, hashes } = await open();
    const documents = [
      text.pretrainingDocuments(),
      text.documents("train"),
      text.documents("test"),
    ];
    const folder = `${results}/voyage/${run}`;
    const recorded = JSON.parse(await Deno.readTextFile(`${folder}/environment.json`)).hashes;
    await Promise.all(documents);
    for (const [name, hash] of hashes) assert.equal(recorded[name], hash, name);
    // The backbone comes first.
    const names = Object.keys(recorded);
    assert.ok(names.indexOf("corpus pretraining") < names.indexOf("corpus train"));
  });
});

test("runExperiment() starts a backbone from the weights that are declared", async () => {
  await withFolder(async (results) => {
    const { backbone, adaptation: _none, sidenet: _sidenet, memory: _memory, ...rest } = experiment;
    assert.ok(backbone.kind === "pretrain");
    // A step too small to change what matters.
    const still = { ...backbone, training: { ...training, steps: 1, learningRate: 1e-9 } };
    const [evaluation] = experiment.evaluations;
    for (const kind of ["official", "scaled"] as const) {
      const { run } = await runExperiment({
        ...rest,
        backbone: { ...still, initialization: { kind } },
        evaluations: [{ ...evaluation, models: ["backbone"] }],
      }, { results, device: "cpu" });
      const path = `${results}/voyage/${run}/checkpoint/backbone/weights.safetensors`;
      const { tensors } = await readSafetensors(path);
      const shape = { layers: 2, hiddenDim: 8, heads: 2, feedForwardDim: 32, vocabSize: 322 };
      for (const [name, { data }] of initializeBackbone(shape, 1, { kind })) {
        assertClose(tensors.get(name)!.data, data, { tolerance: 1e-6, name });
      }
    }
  });
});
