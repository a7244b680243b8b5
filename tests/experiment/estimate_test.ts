import type { EvaluationDeclaration, Experiment } from "../../src/experiment/declaration.ts";
import { type EvaluationConfig, kindOf } from "../../src/evaluation/evaluations.ts";
import { estimateRun } from "../../src/experiment/estimate.ts";
import { resolvedExperiment } from "./resolved.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, repositoryPath, test } from "../testing.ts";
import { smallExperiment as small } from "./small_experiment.ts";

function estimate(change: Partial<Experiment>) {
  return estimateRun(resolvedExperiment({ ...small, ...change }));
}

function describeItems(evaluation: EvaluationConfig): string {
  return kindOf(evaluation).describe(evaluation);
}

test("estimateRun() counts the parameters of the released shape", async () => {
  const { backboneParameters, sidenetParameters } = await estimate({
    tokenizer: { kind: "gpt2", folder: "gpt2_bpe" },
    backbone: { ...small.backbone, layers: 24, hiddenDim: 1024, heads: 16 },
    sidenet: { memoryBlock: 17 },
  });
  assert.equal(backboneParameters, 407_072_768); // specification section 1
  assert.equal(sidenetParameters, 151_083_024);
});

test("estimateRun() leaves open what only a file knows", async () => {
  const { backboneParameters, trainings } = await estimate({
    tokenizer: { kind: "file", path: "tokenizer.json" },
  });
  assert.equal(backboneParameters, undefined);
  const { key: _key, ...training } = trainings[0];
  assert.deepEqual(training, { phase: "backbone", steps: 10, tokens: 2560 });
});

test("estimateRun() knows the sizes of a backbone whose folder is there", async () => {
  const { backboneParameters, sidenetParameters } = await estimate({
    tokenizer: { kind: "chronicle" },
    corpus: { kind: "chronicle" },
    backbone: { kind: "checkpoint", path: repositoryPath("data/chronicle/backbone") },
    sidenet: { memoryBlock: 2 },
  });
  // Layer by layer, weights and biases: 4 * (12 * 128^2 + 7 * 128) + 2 * 128 + 2 * 322 * 128 + 322
  assert.equal(backboneParameters, 873_026);
  assert.equal(sidenetParameters, 395_268);
});

test("estimateRun() counts tokens, and a SideNet without memory as a training of its own", async () => {
  const { trainings } = await estimate({
    adaptation: { ...small.adaptation, accumulationSteps: 3 },
    evaluations: [{
      kind: "perplexity",
      split: "test",
      models: ["sidenet-without-memory", "longmem"],
    }],
  });
  assert.deepEqual(trainings.map(({ phase, tokens }) => [phase, tokens]), [
    ["backbone", 2 * 128 * 10],
    ["longmem", 2 * 128 * 10 * 3],
    ["sidenet-without-memory", 2 * 128 * 10 * 3],
  ]);
});

test("estimateRun() counts the operations of a step of the measured configuration", async () => {
  // design.md: about 48 MFLOP a token with attention at T = 512; without it, by hand:
  // backbone 2 * 8 * 12 * 256^2, SideNet 6 * 4 * 12 * 256^2, head 4 * 8192 * 256; biases are under 1 %.
  const { trainings } = await estimate({
    tokenizer: { kind: "bpe", vocabSize: 8192 },
    backbone: { ...small.backbone, layers: 8, hiddenDim: 256, heads: 8 },
  });
  const { operations, tokens } = trainings.find(({ phase }) => phase === "longmem")!;
  const expected = (2 * 8 + 6 * 4) * 12 * 256 ** 2 + 4 * 8192 * 256;
  assert.ok(Math.abs(operations! / tokens / expected - 1) < 0.01);
});

test("estimateRun() counts the same operations whether the head is the table of embeddings or not", async () => {
  for (const architecture of ["llama", "opt"]) {
    const costs = [false, true].map(async (tied) => {
      const { backboneParameters, trainings, evaluations } = await estimate({
        tokenizer: { kind: "chronicle" },
        corpus: { kind: "chronicle" },
        backbone: { ...small.backbone, architecture, settings: { tied } },
      });
      const operations = [...trainings, ...evaluations].map(({ operations }) => operations);
      return { parameters: backboneParameters!, operations };
    });
    const [own, shared] = await Promise.all(costs);
    assert.equal(own.parameters - shared.parameters, 322 * small.backbone.hiddenDim);
    assert.deepEqual(shared.operations, own.operations);
    assert.ok(own.operations.every((count) => count! > 0));
  }
});

test("estimateRun() counts the training of a Memorizing Transformer where one is asked for", async () => {
  const { trainings } = await estimate({
    tokenizer: { kind: "bpe", vocabSize: 8192 },
    backbone: { ...small.backbone, layers: 8, hiddenDim: 256, heads: 8 },
    sidenet: { memoryBlock: 5 },
    evaluations: [{
      kind: "perplexity",
      split: "test",
      models: ["longmem", "memorizing-transformer"],
    }],
  });
  assert.deepEqual(trainings.map(({ phase }) => phase), [
    "backbone",
    "longmem",
    "memorizing-transformer",
  ]);
  const { operations, tokens } = trainings[2];
  const expected = (2 * 5 + 6 * 3) * 12 * 256 ** 2 + 4 * 8192 * 256; // blocks 5, 6, 7 are trained
  assert.ok(Math.abs(operations! / tokens / expected - 1) < 0.01);
});

test("estimateRun() lists the paths that are not there", async () => {
  const folder = repositoryPath("tests");
  const { missing } = await estimate({
    corpus: { folder, train: ["experiment", "nowhere"], valid: "*.txt", test: "results" },
    tokenizer: { kind: "file", path: "no_tokenizer.json" },
    backbone: { kind: "checkpoint", path: `${folder}/no_backbone.pt` },
  });
  assert.deepEqual(missing, [
    `${folder}/nowhere`,
    "no_tokenizer.json",
    `${folder}/no_backbone.pt`,
  ]);
});

test("estimateRun() lists the sets of sentences that are not there, of those asked alone", async () => {
  const missing = async (folder: string) =>
    (await estimate({
      backbone: { kind: "checkpoint", path: repositoryPath("tests") },
      evaluations: [{
        kind: "in-context-learning",
        source: { kind: "sentences", folder, tasks: ["sst-2", "mr"] },
        models: ["backbone"],
      }],
    })).missing.slice(1); // without the corpus
  assert.deepEqual(await missing("no_folder"), ["no_folder"]);
  await withFolder(async (folder) => {
    await Deno.mkdir(`${folder}/SST-2`);
    await Deno.writeTextFile(`${folder}/SST-2/train.tsv`, "");
    assert.deepEqual(await missing(folder), [
      `${folder}/SST-2/dev.tsv`,
      `${folder}/mr/train.csv`,
      `${folder}/mr/test.csv`,
    ]);
  });
});

test("estimateRun() lists the questions that are not there, compressed or not", async () => {
  const missing = async (folder: string) =>
    (await estimate({
      backbone: { kind: "checkpoint", path: repositoryPath("tests") },
      evaluations: [{ kind: "squad", folder, models: ["backbone"] }],
    })).missing.slice(1); // without the corpus
  assert.deepEqual(await missing("no_folder"), ["no_folder"]);
  await withFolder(async (folder) => {
    assert.deepEqual(await missing(folder), [`${folder}/dev-v1.1.json`]);
    await Deno.writeTextFile(`${folder}/dev-v1.1.json.gz`, "");
    assert.deepEqual(await missing(folder), []);
    await Deno.rename(`${folder}/dev-v1.1.json.gz`, `${folder}/dev-v1.1.json`);
    assert.deepEqual(await missing(folder), []);
  });
});

test("describeItems() says how many facts are asked for, and from where", () => {
  const { evaluations: [evaluation] } = resolvedExperiment({
    ...small,
    evaluations: [{ kind: "needle", models: ["backbone"], needles: [1, 4], distances: [64, 9] }],
  });
  assert.equal(
    describeItems(evaluation),
    "24 instances of 1, 4 facts, told 64, 9 tokens before",
  );
});

test("describeItems() says how many examples are asked, and of what", () => {
  const described = (
    fields: Partial<Extract<EvaluationDeclaration, { kind: "in-context-learning" }>>,
    change: Partial<Experiment> = {},
  ) => {
    const { evaluations: [evaluation] } = resolvedExperiment({
      ...small,
      ...change,
      evaluations: [{
        kind: "in-context-learning",
        source: { kind: "sentences", folder: "icl", tasks: ["mr", "subj"], seeds: [1, 2] },
        models: ["backbone"],
        ...fields,
      }],
    });
    return describeItems(evaluation);
  };
  assert.equal(described({}), "all examples of mr, subj, 2 seeds");
  assert.equal(described({ maxItems: 7 }), "at most 7 examples of mr, subj, 2 seeds");
  const { evaluations: [squad] } = resolvedExperiment({
    ...small,
    evaluations: [{ kind: "squad", folder: "squad", models: ["backbone"] }],
  });
  assert.equal(describeItems(squad), "all questions, 6 seeds");
  assert.equal(
    described({ source: { kind: "chronicle" } }, {
      corpus: { kind: "chronicle" },
      tokenizer: { kind: "chronicle" },
    }),
    "at most 16 examples of 24 tasks of reviews",
  );
});

test("estimateRun() knows the words of the chronicle, and misses no files of it", async () => {
  const { backboneParameters, missing } = await estimate({
    corpus: { kind: "chronicle" },
    tokenizer: { kind: "chronicle" },
  });
  // Four blocks, the last LayerNorm, embeddings, and a head with bias.
  const block = 4 * 64 * 64 + 2 * 64 + (64 + 1) * 256 + (256 + 1) * 64;
  assert.equal(backboneParameters, 4 * block + 2 * 64 + 322 * 64 + 322 * (64 + 1));
  assert.deepEqual(missing, []);
});

test("estimateRun() misses a file of chapter breaks, and describeItems() says what each evaluation asks", async () => {
  const change: Partial<Experiment> = {
    evaluations: [
      { kind: "perplexity", split: "valid", models: ["backbone"], maxDocuments: 3 },
      {
        kind: "chapter-break",
        models: ["backbone"],
        source: { kind: "file", path: "no_breaks.json", split: "ao3" },
        maxItems: 9,
      },
      { kind: "chapter-break", models: ["backbone"], prefixTokens: 512 },
    ],
  };
  const { missing } = await estimate({
    ...change,
    corpus: { kind: "chronicle" },
    tokenizer: { kind: "chronicle" },
  });
  assert.deepEqual(missing, ["no_breaks.json"]);
  const { evaluations } = resolvedExperiment({ ...small, ...change });
  assert.deepEqual(evaluations.map(describeItems), [
    "at most 3 documents of valid",
    "at most 9 chapter breaks of ao3, after 4096, 6144, 8192 tokens",
    "all chapter breaks of test, after 512 tokens",
  ]);
});
