import { basename, join } from "node:path";
import { z } from "zod";
import {
  readBackboneFolder,
  readFolderTokenizer,
  writeBackboneFolder,
} from "../../src/checkpoint/folder.ts";
import { describeRuns } from "../../src/commands/dry_run.ts";
import { generateCommand } from "../../src/commands/generate.ts";
import { importCommand } from "../../src/commands/import.ts";
import { oneOf, text } from "../../src/declaration/fields.ts";
import { introducedAt } from "../../src/declaration/identity.ts";
import type { Experiment } from "../../src/experiment/declaration.ts";
import { estimateRun } from "../../src/experiment/estimate.ts";
import { resolveSweep } from "../../src/experiment/resolve.ts";
import { isThere } from "../../src/files.ts";
import { runExperiment } from "../../src/queue/run_experiment.ts";
import { currentEnvironment } from "../../src/results/environment.ts";
import { hashOf, type Tokenizer } from "../../src/text/tokenizer.ts";
import { tokenizerJsonOf } from "../../src/text/tokenizer_json.ts";
import type {
  StoredKind,
  TokenizerKind,
  TrainedKind,
} from "../../src/text/tokenizers/tokenizer_kind.ts";
import {
  openTokenizer,
  type TokenizerConfig,
  tokenizers,
  type TokenizerSource,
} from "../../src/text/tokenizers/tokenizers.ts";
import { execute, recordedOutput } from "../commands/recorded_output.ts";
import { writeCorpus } from "../queue/command_line_run.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, test } from "../testing.ts";

type AnyKind = TokenizerKind<TokenizerConfig, TokenizerSource>;

/** A tokenizer as another file would add it: the characters of a file, after the special tokens. */
interface CharactersConfig {
  readonly kind: "characters";
  readonly file: string;
  readonly letters: "kept" | "lowered";
}

const special = ["<s>", "<pad>", "</s>", "<unk>"];

function charactersTokenizer(alphabet: string, letters: CharactersConfig["letters"]): Tokenizer {
  const tokens = [...special, ...alphabet];
  return {
    vocabSize: tokens.length,
    specialIds: { bos: 0, pad: 1, eos: 2, unk: 3 },
    hash: hashOf([alphabet, letters]),
    encode: (text) =>
      Array.from(letters === "lowered" ? text.toLowerCase() : text, (character) => {
        const id = tokens.indexOf(character, special.length);
        return id < 0 ? 3 : id;
      }),
    decode: (ids) =>
      Array.from(ids, (id) => {
        if (id === 1) throw new RangeError("no text");
        return id === 0 || id === 2 ? "" : tokens[id];
      }).join(""),
  };
}

const charactersKind: StoredKind<
  CharactersConfig,
  CharactersConfig,
  Omit<CharactersConfig, "file">
> = {
  schema: z.strictObject({
    kind: z.literal("characters"),
    file: text,
    letters: introducedAt(oneOf("kept", "lowered"), "kept").exactOptional(),
  }) as unknown as z.ZodType<CharactersConfig>,
  fill: (declared) => ({ ...{ letters: "kept" as const }, ...declared }),
  check: ({ file }, path) =>
    file.endsWith(".json") ? [{ path: `${path}.file`, message: "must be a plain text" }] : [],
  reads: "texts",
  files: ({ file }, path) => [{ field: `${path}.file`, path: file }],
  stored: {
    open: async ({ file, letters }) => charactersTokenizer(await Deno.readTextFile(file), letters),
    record: z.strictObject({ kind: z.literal("characters"), letters: oneOf("kept", "lowered") }),
    async copy({ kind, file, letters }, folder) {
      await Deno.copyFile(file, join(folder, "alphabet.txt"));
      return { kind, letters };
    },
    within: (folder, record) => ({ ...record, file: join(folder, "alphabet.txt") }),
    find: async (path) =>
      basename(path) === "alphabet.txt" && await isThere(path)
        ? { kind: "characters", file: path, letters: "kept" }
        : undefined,
  },
};

/** Another, which is trained: the words of the train split, without those that are there once. */
interface WordsConfig {
  readonly kind: "words";
  readonly count: number;
}

const wordsKind: TrainedKind<WordsConfig> = {
  schema: z.strictObject({ kind: z.literal("words"), count: z.int().describe("integers") }),
  fill: (declared) => declared,
  reads: "texts",
  vocabSize: ({ count }) => special.length + count,
  trained: {
    async train({ count }, texts) {
      const words = new Set<string>();
      for await (const text of texts) text.match(/\S+/g)?.forEach((word) => words.add(word));
      const tokens = [...special, ...[...words].slice(0, count)];
      return JSON.stringify(tokenizerJsonOf({
        specialTokens: special.map((content, id) => ({ content, id })),
        preTokenizer: { type: "WhitespaceSplit" },
        decoder: null,
        model: {
          type: "WordLevel",
          vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
          "unk_token": "<unk>",
        },
      }));
    },
  },
};

/** A LongMem beside the backbone. */
const longMem = {
  sidenet: { memoryBlock: 1 },
  memory: { capacityTokens: 64, retrievedTokens: 16 },
  adaptation: { batchSize: 2, contextTokens: 32, steps: 1, learningRate: 1e-3 },
};

const training = { batchSize: 2, contextTokens: 32, steps: 2, learningRate: 1e-3 };

/** A declaration with a tokenizer, in a folder with a corpus. */
const declare = (folder: string, tokenizer: object): Experiment => ({
  name: "spelled",
  corpus: { folder: `${folder}/corpus`, train: "train", valid: "valid", test: "test" },
  tokenizer: tokenizer as TokenizerConfig,
  backbone: { kind: "pretrain", layers: 2, hiddenDim: 16, heads: 2, training },
  evaluations: [{ kind: "perplexity", split: "test", models: ["backbone"], maxDocuments: 1 }],
  device: "cpu",
});

test("a tokenizer that is registered is declared, described, run, saved and loaded, with no other change", () =>
  withFolder(async (folder) => {
    await writeCorpus(`${folder}/corpus`);
    const file = `${folder}/characters.txt`, results = `${folder}/results`;
    const spelled = { kind: "characters", file };
    const resolve = (tokenizer: object, ...assignments: string[]) =>
      resolveSweep("spelled.ts", declare(folder, tokenizer), { assignments });
    assert.throws(
      () => resolve(spelled),
      /tokenizer.kind has a wrong value: .* allowed are bpe, file, gpt2, huggingface, chronicle$/,
    );

    using registered = tokenizers.register("characters", charactersKind as unknown as AnyKind);
    // Form, rules, defaults, --set, and the other parts that it must fit.
    assert.throws(
      () => resolve({ ...spelled, leters: "kept" }),
      /tokenizer.leters is unknown: .*\(did you mean "letters"\?\)/,
    );
    assert.throws(
      () => resolve(spelled, "tokenizer.file=a.json"),
      /tokenizer.file must be a plain/,
    );
    assert.throws(
      () => resolve({ kind: "chronicle" }),
      /allowed are bpe, file, gpt2, huggingface, characters$/,
    );
    assert.throws(
      () => resolve({ kind: "huggingface" }),
      /there are no weights .*, allowed are bpe, file, gpt2, characters$/,
    );
    const [run] = resolve(spelled, "tokenizer.letters=lowered");
    assert.deepEqual(run.experiment.tokenizer, { kind: "characters", file, letters: "lowered" });
    const [kept] = resolve(spelled);
    assert.deepEqual(kept.experiment.tokenizer, { kind: "characters", file, letters: "kept" });
    assert.equal(kept.id, resolve({ ...spelled, letters: "kept" })[0].id);
    assert.notEqual(kept.id, run.id);

    // Its file.
    assert.deepEqual((await estimateRun(run.experiment)).missing, [file]);
    const experiment = { ...declare(folder, { ...spelled, letters: "lowered" }), ...longMem };
    await assert.rejects(runExperiment(experiment, { results }), /tokenizer.file is missing/);
    await Deno.writeTextFile(file, "abcdefghijklmnopqrstuvwxyz .,\n");
    const [adapted] = resolveSweep("spelled.ts", experiment);
    const described = await describeRuns([adapted], results, await currentEnvironment());
    assert.match(described, /train backbone: 2 steps/);

    const { state } = await runExperiment(experiment, { results });
    assert.equal(state, "completed");
    const runFolder = `${results}/spelled/${adapted.id}`;
    const { hashes, inputs } = JSON.parse(
      await Deno.readTextFile(`${runFolder}/environment.json`),
    );
    const tokenizer = await openTokenizer({
      ...spelled,
      letters: "lowered",
    } as unknown as TokenizerSource);
    assert.equal(hashes.tokenizer, tokenizer.hash);
    assert.ok(inputs["tokenizer.file"], "the file is one of its inputs");

    // A folder of the model carries it.
    const model = `${folder}/model`;
    assert.equal(await execute(importCommand(recordedOutput()), runFolder, "--out", model), 0);
    const config = JSON.parse(await Deno.readTextFile(`${model}/config.json`));
    assert.deepEqual(config.tokenizer, { kind: "characters", letters: "lowered" });
    const carried = await readFolderTokenizer(model);
    assert.equal((await openTokenizer(carried!)).hash, tokenizer.hash);
    const alone = `${folder}/backbone`;
    await writeBackboneFolder(alone, await readBackboneFolder(model), { tokenizer: carried });
    assert.deepEqual(await readFolderTokenizer(alone), {
      ...carried,
      file: `${alone}/alphabet.txt`,
    });
    const generate = async (...args: string[]) => {
      const said = recordedOutput();
      const document = `${folder}/corpus/test/test_0.txt`;
      await execute(
        generateCommand(said),
        ...["--backbone", model, "--sidenet", model, "--document", document, "--device", "cpu"],
        ...["--prompt", "The King.", "--tokens", "8", ...args],
      );
      return { text: said.printed.join("\n"), notes: said.notes.join("\n") };
    };
    const lowered = await generate();
    assert.match(lowered.text, /^The King\.[a-z .,\n]{8}$/);
    assert.doesNotMatch(lowered.notes, /unknown/, lowered.notes);
    const asked = await generate("--tokenizer", `${model}/alphabet.txt`);
    assert.match(asked.notes, /the prompt/, "its capital letters are kept, and unknown");
    await assert.rejects(generate("--chat"), /tokenizer has no chat template/);

    await Deno.writeTextFile(
      `${model}/config.json`,
      JSON.stringify({ ...config, tokenizer: { kind: "characters" } }),
    );
    await assert.rejects(
      readFolderTokenizer(model),
      /tokenizer.letters is missing: allowed are kept, lowered/,
    );
    registered[Symbol.dispose]();
    await assert.rejects(
      readFolderTokenizer(model),
      /tokenizer.kind has a wrong value: .*"characters", allowed are file, gpt2, chronicle$/,
    );
  }));

test("a tokenizer that is trained, and registered, is kept in the run's folder and goes with its model", () =>
  withFolder(async (folder) => {
    await writeCorpus(`${folder}/corpus`);
    using _words = tokenizers.register("words", wordsKind as unknown as AnyKind);
    const experiment = declare(folder, { kind: "words", count: 20 });
    assert.throws(
      () => resolveSweep("x.ts", { ...experiment, corpus: { kind: "none" } }),
      /tokenizer.kind must not be "words" where corpus.kind is "none"/,
    );
    const [{ id, experiment: resolved }] = resolveSweep("x.ts", experiment);
    const results = `${folder}/results`;
    assert.equal((await runExperiment(experiment, { results })).state, "completed");
    const run = `${results}/spelled/${id}`, model = `${folder}/model`;
    const path = `${run}/tokenizer.json`;
    const { vocabSize, hash } = await openTokenizer({ kind: "file", path });
    assert.equal(vocabSize, 24);
    const { hashes } = JSON.parse(await Deno.readTextFile(`${run}/environment.json`));
    assert.equal(hashes.tokenizer, hash);
    await execute(importCommand(recordedOutput()), run, "--out", model);
    const carried = await readFolderTokenizer(model);
    assert.equal((await openTokenizer(carried!)).hash, hash);
    // The declaration tells the size of the vocabulary, and with it that of the backbone.
    const { shape, weights } = await readBackboneFolder(model);
    assert.equal(shape.vocabSize, 24);
    const { backboneParameters } = await estimateRun(resolved);
    assert.equal(
      backboneParameters,
      [...weights.values()].reduce((sum, { data }) => sum + data.length, 0),
    );
    await assert.rejects(
      openTokenizer(experiment.tokenizer as unknown as TokenizerSource),
      /Cannot open a tokenizer of kind "words" as only a run has it: allowed are file, gpt2, chronicle$/,
    );
  }));
