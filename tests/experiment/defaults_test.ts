import { resolveRun } from "../../src/experiment/resolve.ts";
import type { TrainingConfig } from "../../src/training/config.ts";
import type { Protocol } from "../../src/declaration/protocol.ts";
import type { ChapterBreakEvaluation, Experiment } from "../../src/experiment/declaration.ts";
import { lengthBuckets } from "../../src/evaluation/perplexity.ts";
import { windowOf } from "../../src/evaluation/evaluation_kind.ts";
import { modelKindOf, modelName } from "../../src/evaluation/models.ts";
import { resolvedExperiment } from "./resolved.ts";
import { defaultChronicle } from "../../src/text/chronicle/config.ts";
import { assert, test } from "../testing.ts";
import { smallExperiment as small } from "./small_experiment.ts";

test("every field left out has its documented default", () => {
  const adaptation = {
    batchSize: 2,
    contextTokens: 128,
    steps: 10,
    learningRate: 1e-3,
    schedule: "polynomial",
    warmupSteps: 0,
    finalLearningRate: 0,
    totalSteps: 10,
    weightDecay: 0.01,
    betas: [0.9, 0.98],
    epsilon: 1e-6,
    accumulationSteps: 1,
    batches: "documents",
    checkpointEverySteps: 200,
  };
  const memory = {
    capacityTokens: 65_536,
    chunkTokens: 4,
    retrievedTokens: 64,
    storage: "float32",
    bank: "per-row",
    eviction: "exact",
    reset: "document",
    missingChunks: "masked",
    index: { kind: "exact" },
  };
  assert.deepEqual(resolvedExperiment({ ...small, memory: {} }), {
    name: "small",
    scale: "scaled-down",
    seed: 1,
    protocol: "strict",
    corpus: {
      kind: "files",
      folder: "corpus",
      train: ["train"],
      valid: ["valid"],
      test: ["test"],
      lines: "plain",
      unwrap: false,
      maxDocuments: {},
    },
    tokenizer: { kind: "bpe", vocabSize: 512 },
    backbone: {
      kind: "pretrain",
      layers: 4,
      hiddenDim: 64,
      heads: 4,
      feedForwardDim: 256,
      initialization: { kind: "official" },
      training: adaptation,
    },
    sidenet: { memoryBlock: 1, reductionFactor: 2, initialization: { kind: "paper" } },
    memory,
    adaptation: { ...adaptation, dropout: 0.1 },
    evaluations: [{
      kind: "perplexity",
      name: "perplexity-test",
      split: "test",
      models: ["backbone", "longmem"],
      batchSize: 1,
      contextTokens: 128,
      memory,
    }],
    device: "auto",
  });
});

const protocols: Record<Protocol, unknown[]> = {
  "released-code": ["released-code", "lanes", "float16", "shared", "coarse", "epoch", "zero-slot"],
  strict: ["plain", "documents", "float32", "per-row", "exact", "document", "masked"],
  paper: ["plain", "lanes", "float32", "per-row", "exact", "epoch", "masked"],
};

for (const [protocol, expected] of Object.entries(protocols) as [Protocol, unknown[]][]) {
  test(`protocol "${protocol}" decides what paper and released code leave open`, () => {
    const { corpus, memory, adaptation, backbone } = resolvedExperiment({ ...small, protocol });
    const { storage, bank, eviction, reset, missingChunks } = memory!;
    const found = [
      corpus.kind === "files" && corpus.lines,
      adaptation!.batches,
      storage,
      bank,
      eviction,
      reset,
      missingChunks,
    ];
    assert.deepEqual(found, expected);
    assert.equal(backbone.kind === "pretrain" && backbone.training.batches, expected[1]);
  });
}

test("what is declared goes before the protocol and every default", () => {
  const experiment: Experiment = {
    ...small,
    protocol: "released-code",
    seed: 7,
    corpus: { ...small.corpus, lines: "plain", unwrap: true },
    backbone: { ...small.backbone, feedForwardDim: 100 },
    memory: { ...small.memory, bank: "per-row", index: { kind: "hnsw", m: 8 } },
    adaptation: { ...small.adaptation, dropout: 0, totalSteps: 100, clipNorm: 1 },
    evaluations: [{
      ...small.evaluations[0],
      name: "fine",
      contextTokens: 64,
      memory: { chunkTokens: 2 },
    }],
  };
  const resolved = resolvedExperiment(experiment);
  assert.equal(resolved.seed, 7);
  assert.ok(resolved.corpus.kind === "files");
  assert.equal(resolved.corpus.lines, "plain");
  assert.equal(resolved.corpus.unwrap, true);
  assert.equal(resolved.backbone.kind === "pretrain" && resolved.backbone.feedForwardDim, 100);
  const index = { kind: "hnsw", m: 8, efConstruction: 100, efSearch: 128 };
  assert.deepEqual(resolved.memory!.index, index);
  assert.equal(resolved.memory!.bank, "per-row");
  assert.equal(resolved.adaptation!.dropout, 0);
  assert.equal(resolved.adaptation!.totalSteps, 100);
  assert.equal(resolved.adaptation!.clipNorm, 1);
  const [evaluation] = resolved.evaluations;
  assert.equal(evaluation.contextTokens, 64);
  // The override changes one field; the others are the experiment's.
  assert.deepEqual(evaluation.memory, { ...resolved.memory, chunkTokens: 2 });
});

test("a cross-network residual is what a SideNet has anyway, so that declaring it makes no other run", () => {
  const resolved = (sidenet: Partial<Experiment["sidenet"]>) =>
    resolvedExperiment({ ...small, sidenet: { ...small.sidenet!, ...sidenet } });
  assert.deepEqual(resolved({ crossNetworkResidual: true }), resolved({}));
  const without = { ...resolved({}).sidenet, crossNetworkResidual: false };
  assert.deepEqual(resolved({ crossNetworkResidual: false }).sidenet, without);
});

test("the start of a SideNet and its last residual are fields whose defaults make no other run", () => {
  const resolved = (sidenet: object, change: object = {}) =>
    resolveRun("a test", { ...small, ...change, sidenet: { ...small.sidenet!, ...sidenet } });
  const { id } = resolved({});
  for (
    const sidenet of [
      { lastResidual: "final-norm" },
      { initialization: { kind: "paper" } },
      { initialization: { kind: "paper", outputScale: 1, memoryShare: 0.5 } },
    ]
  ) {
    assert.equal(resolved(sidenet).id, id);
  }
  const others = [
    resolved({ lastResidual: "raw" }),
    resolved({ initialization: { kind: "paper", outputScale: 0.25 } }),
    resolved({ initialization: { kind: "paper", outputScale: 0 } }),
    resolved({ initialization: { kind: "paper", memoryShare: 0.1 } }),
  ].map((run) => run.id);
  assert.equal(new Set([id, ...others]).size, 5);
  // The paper's formula has no norm; the released code's has, of the paper's architecture alone.
  const lastResidual = (change: object) =>
    Reflect.get(resolved({}, change).experiment.sidenet!, "lastResidual");
  const memory = { ...small.memory, reset: "epoch" };
  assert.equal(lastResidual({ protocol: "strict" }), undefined);
  assert.equal(lastResidual({ protocol: "released-code", memory }), undefined);
  assert.equal(lastResidual({ protocol: "paper" }), "raw");
  const llama = { backbone: { ...small.backbone, architecture: "llama" } };
  assert.equal(lastResidual({ ...llama, protocol: "paper" }), undefined);
  assert.equal(resolved({ lastResidual: "raw" }, llama).id, resolved({}, llama).id);
  assert.notEqual(resolved({ lastResidual: "final-norm" }, llama).id, resolved({}, llama).id);
  // Weights from elsewhere say their architecture themselves.
  const checkpoint = { backbone: { kind: "checkpoint", path: "backbone" } };
  assert.notEqual(resolved({ lastResidual: "raw" }, checkpoint).id, resolved({}, checkpoint).id);
  assert.throws(
    () => resolved({ lastResidual: "normed" }),
    /sidenet\.lastResidual.*allowed are final-norm, raw/s,
  );
  assert.throws(
    () => resolved({ initialization: { kind: "paper", outputScale: -1 } }),
    /sidenet\.initialization\.outputScale.*allowed are numbers from 0/s,
  );
  assert.throws(
    () => resolved({ initialization: { kind: "paper", memoryShare: 1 } }),
    /sidenet\.initialization\.memoryShare.*allowed are numbers above 0, below 1/s,
  );
});

test("a named size brings batches and learning rates of its trainings, but for those that are declared", () => {
  const sized = (size: string, training: object, adaptation: object = training) => {
    const { backbone, adaptation: adapted } = resolvedExperiment({
      ...small,
      backbone: { kind: "pretrain", size, training },
      sidenet: { size },
      adaptation,
    });
    const fieldsOf = (
      { batchSize, contextTokens, learningRate, steps }: TrainingConfig,
    ) => [batchSize, contextTokens, learningRate, steps];
    assert.ok(backbone.kind === "pretrain" && adapted);
    return [fieldsOf(backbone.training), fieldsOf(adapted)];
  };
  assert.deepEqual(sized("small", { steps: 9 }), [[4, 256, 2e-3, 9], [4, 256, 1e-3, 9]]);
  assert.deepEqual(sized("mini", { steps: 9 }), [[8, 128, 1e-3, 9], [8, 128, 2e-3, 9]]);
  const rows = [8, 1024, 2e-4, 9];
  assert.deepEqual(sized("gpt2-medium", { steps: 9 }), [rows, rows]);
  assert.deepEqual(
    sized("tiny", { steps: 9, batchSize: 1 }, { steps: 3, learningRate: 1, contextTokens: 64 }),
    [[1, 128, 2e-3, 9], [4, 64, 1, 3]],
  );
  // Whether a value is declared or the default makes no difference to the run.
  const idOf = (training: object) =>
    resolveRun("a test", {
      ...small,
      backbone: { kind: "pretrain", size: "small", training: { steps: 9, ...training } },
    }).id;
  assert.equal(idOf({}), idOf({ batchSize: 4, contextTokens: 256, learningRate: 2e-3 }));
  const { adaptation } = resolvedExperiment({
    ...small,
    backbone: { kind: "checkpoint", path: "backbone.pt", shape: { size: "small" } },
    adaptation: { steps: 9 },
  });
  assert.equal(adaptation?.contextTokens, 256);
});

test("a named size is the sizes that it stands for, but for those declared beside it", () => {
  const { training } = small.backbone;
  const pretrained = { kind: "pretrain", training } as const;
  const resolved = (change: Partial<Experiment>) => resolvedExperiment({ ...small, ...change });
  assert.deepEqual(
    resolved({ backbone: { ...pretrained, size: "small" }, sidenet: { size: "small" } }),
    resolved({
      backbone: { ...pretrained, layers: 6, hiddenDim: 128, heads: 4 },
      sidenet: { reductionFactor: 2, memoryBlock: 3 },
    }),
  );
  const wider = { ...pretrained, size: "gpt2-medium", hiddenDim: 256, heads: 8 } as const;
  assert.deepEqual(
    resolved({ backbone: wider, sidenet: { size: "gpt2-medium", memoryBlock: 19 } }),
    resolved({
      backbone: { ...pretrained, layers: 24, hiddenDim: 256, heads: 8, feedForwardDim: 1024 },
      sidenet: { reductionFactor: 2, memoryBlock: 19 },
    }),
  );
  const read = { kind: "checkpoint", path: "weights.pt" } as const;
  const { backbone, sidenet } = resolved({
    backbone: { ...read, shape: { size: "gpt2-medium", vocabSize: 51_200 } },
    sidenet: { ...read, shape: { size: "gpt2-medium", reductionFactor: 3 } },
    evaluations: [{ ...small.evaluations[0], models: ["longmem"] }],
  });
  assert.deepEqual(backbone, {
    ...read,
    shape: { layers: 24, hiddenDim: 1024, heads: 16, feedForwardDim: 4096, vocabSize: 51_200 },
  });
  assert.deepEqual(sidenet, {
    ...read,
    shape: { layers: 8, reductionFactor: 3, memoryBlock: 17 },
  });
});

test("a gate is learned anyway, so that declaring it makes no other run", () => {
  const resolved = (gate?: "learned" | "fixed") =>
    resolvedExperiment({ ...small, adaptation: { ...small.adaptation!, ...gate && { gate } } });
  assert.deepEqual(resolved("learned"), resolved());
  assert.deepEqual(resolved("fixed").adaptation, { ...resolved().adaptation, gate: "fixed" });
});

test("a SideNet is initialised unless its kind says otherwise, and saying so makes no other run", () => {
  const { sidenet } = resolvedExperiment(small);
  assert.deepEqual(sidenet, {
    reductionFactor: 2,
    initialization: { kind: "paper" },
    memoryBlock: 1,
  });
  const said = { ...small, sidenet: { kind: "initialized", memoryBlock: 1 } };
  assert.deepEqual(resolvedExperiment(said).sidenet, sidenet);
  const read = { kind: "checkpoint", path: "longmem.pt" };
  assert.deepEqual(resolvedExperiment({ ...small, sidenet: read }).sidenet, read);
});

test("a model with a sliding window is named after it, and without one it is its name", () => {
  const { evaluations: [{ models }] } = resolvedExperiment({
    ...small,
    evaluations: [{
      kind: "perplexity",
      split: "test",
      models: [
        "backbone",
        { model: "longmem" },
        { model: "longmem", windowTokens: 512 },
        { model: "sidenet-without-memory", windowTokens: 512 },
        { model: "longmem-other-document", windowTokens: 512 },
        { model: "longmem-other-document", texts: 2, windowTokens: 512 },
        { model: "infllm", windowTokens: 512 },
        { model: "copy", windowTokens: 512 },
      ],
      contextTokens: 64,
    }],
  });
  assert.deepEqual(models.slice(1, 6), [
    "longmem",
    { model: "longmem", windowTokens: 512 },
    { model: "sidenet-without-memory", windowTokens: 512 },
    { model: "longmem-other-document", texts: 1, windowTokens: 512 },
    { model: "longmem-other-document", texts: 2, windowTokens: 512 },
  ]);
  assert.deepEqual(models.map(modelName), [
    "backbone",
    "longmem",
    "longmem-window-512",
    "sidenet-without-memory-window-512",
    "longmem-other-document-window-512",
    "longmem-other-document-2-window-512",
    "infllm-m1024-c16-k64-d512-window-512",
    "copy-m1024-n2-4-w0.5-window-512",
  ]);
  const versions = models.map((model) => modelKindOf(model).version?.(model));
  assert.deepEqual(versions, [undefined, undefined, 1, 1, 1, 1, 1, 2]);
  assert.deepEqual(models.map((model) => windowOf(model, 64)), [
    64,
    64,
    512,
    512,
    512,
    512,
    512,
    512,
  ]);
});

test("settings of a model are as declared, or fit what it is to be compared with", () => {
  const { evaluations: [{ models }] } = resolvedExperiment({
    ...small,
    evaluations: [{
      kind: "perplexity",
      split: "test",
      models: [
        "longmem",
        "backbone-sliding-window",
        { model: "backbone-sliding-window", windowTokens: 1000 },
        "backbone-full-context",
        { model: "backbone-full-context", windowTokens: 128 },
        "infllm",
        { model: "infllm", chunkTokens: 8, distanceTokens: 0 },
      ],
      contextTokens: 64,
      memory: { capacityTokens: 2048 },
    }],
  });
  assert.deepEqual(models, [
    "longmem",
    { model: "backbone-sliding-window", windowTokens: 128 },
    { model: "backbone-sliding-window", windowTokens: 1000 },
    { model: "backbone-full-context", windowTokens: 64 + 2048 },
    { model: "backbone-full-context", windowTokens: 128 },
    {
      model: "infllm",
      capacityTokens: 2048,
      chunkTokens: 16,
      retrievedTokens: 64,
      distanceTokens: 64,
    },
    {
      model: "infllm",
      capacityTokens: 2048,
      chunkTokens: 8,
      retrievedTokens: 64,
      distanceTokens: 0,
    },
  ]);
  assert.deepEqual(models.map(modelName), [
    "longmem",
    "backbone-sliding-window-128",
    "backbone-sliding-window-1000",
    "backbone-full-context-2112",
    "backbone-full-context-128",
    "infllm-m2048-c16-k64-d64",
    "infllm-m2048-c8-k64-d0",
  ]);
});

for (
  const [protocol, expected] of [
    ["released-code", ["open-vocabulary", "released-code", 2, "coarse"]],
    ["strict", ["label-likelihood", "balanced", 4, "exact"]],
    ["paper", ["label-likelihood", "balanced", 4, "exact"]],
  ] as const
) {
  test(`protocol "${protocol}" decides how in-context learning from sentences is asked`, () => {
    const { memory, evaluations: [evaluation] } = resolvedExperiment({
      ...small,
      protocol,
      memory: { capacityTokens: 65_536 },
      evaluations: [{
        kind: "in-context-learning",
        source: { kind: "sentences", folder: "icl" },
        models: ["backbone", "longmem"],
      }],
    });
    assert.ok(evaluation.kind === "in-context-learning" && evaluation.source.kind === "sentences");
    const { scoring, source, memory: asked } = evaluation;
    assert.deepEqual([scoring, source.draw, asked!.chunkTokens, asked!.eviction], expected);
    // Read by one row, for all that ask; otherwise the experiment's memory.
    assert.deepEqual(asked, {
      ...memory,
      chunkTokens: asked!.chunkTokens,
      bank: "shared",
      reset: "epoch",
    });
    assert.deepEqual(source, {
      kind: "sentences",
      folder: "icl",
      tasks: ["sst-2", "mr", "subj", "sst-5", "mpqa"],
      seeds: [1, 2, 3, 4, 5, 6],
      draw: source.draw,
      memoryDemonstrations: 2000,
    });
    const { name, shots, calibration, memoryLabels, maxItems } = evaluation;
    assert.deepEqual([name, shots, calibration, memoryLabels, maxItems], [
      "in-context-learning",
      20,
      "none",
      "true",
      undefined,
    ]);
  });
}

test("SQuAD is asked as the paper did, from one memory for all questions", () => {
  const { memory, evaluations: [evaluation] } = resolvedExperiment({
    ...small,
    protocol: "released-code",
    evaluations: [{ kind: "squad", folder: "squad", models: ["longmem"], maxItems: 9 }],
  });
  const { models: _models, ...fields } = evaluation;
  assert.deepEqual(fields, {
    kind: "squad",
    name: "squad",
    folder: "squad",
    seeds: [1, 2, 3, 4, 5, 6],
    shots: 3,
    memoryDemonstrations: 200,
    maxAnswerTokens: 16,
    maxItems: 9,
    batchSize: 1,
    contextTokens: 128,
    memory: { ...memory, bank: "shared", reset: "epoch" },
  });
});

test("in-context learning from reviews has defaults of its own, and what is declared goes before them", () => {
  const chronicle = { tokenizer: { kind: "chronicle" }, corpus: { kind: "chronicle" } } as const;
  const asked = { kind: "in-context-learning", models: ["longmem"] } as const;
  const { evaluations: [plain, declared] } = resolvedExperiment({
    ...small,
    ...chronicle,
    protocol: "released-code",
    evaluations: [{ ...asked, source: { kind: "chronicle" } }, {
      ...asked,
      name: "few",
      source: { kind: "chronicle", tasks: 3 },
      shots: 4,
      scoring: "label-likelihood",
      memoryLabels: "shuffled",
      maxItems: 2,
      memory: { chunkTokens: 8 },
    }],
  });
  const fields = (evaluation: typeof plain) => {
    assert.ok(evaluation.kind === "in-context-learning");
    const { source, shots, scoring, memoryLabels, maxItems, memory } = evaluation;
    return [source, shots, scoring, memoryLabels, maxItems, memory!.chunkTokens, memory!.bank];
  };
  const tasks = (count: number) => ({ kind: "chronicle", tasks: count });
  assert.deepEqual(fields(plain), [tasks(24), 0, "open-vocabulary", "true", 16, 4, "shared"]);
  assert.deepEqual(fields(declared), [
    tasks(3),
    4,
    "label-likelihood",
    "shuffled",
    2,
    8,
    "shared",
  ]);
});

test("an evaluation that has no name has that of its kind and split", () => {
  const { evaluations } = resolvedExperiment({
    ...small,
    tokenizer: { kind: "chronicle" },
    corpus: { kind: "chronicle" },
    evaluations: (["recall", "perplexity"] as const).flatMap((kind) =>
      (["valid", "test"] as const).map((split) => ({ kind, split, models: ["longmem"] as const }))
    ),
  });
  assert.deepEqual(evaluations.map(({ name, kind, memory }) => [name, kind, memory?.bank]), [
    ["recall-valid", "recall", "per-row"],
    ["recall-test", "recall", "per-row"],
    ["perplexity-valid", "perplexity", "per-row"],
    ["perplexity-test", "perplexity", "per-row"],
  ]);
});

test("a chronicle is written as its generator defaults to, but for what is declared", () => {
  const tokenizer = { kind: "chronicle" } as const;
  const { pretraining, ...defaults } = defaultChronicle;
  assert.deepEqual(
    resolvedExperiment({ ...small, seed: 7, tokenizer, corpus: { kind: "chronicle" } }).corpus,
    {
      kind: "chronicle",
      seed: 7,
      books: { train: pretraining.books, valid: 8, test: 24 },
      drills: pretraining.drills,
      config: defaults,
    },
  );
  const songWords = { from: 2, to: 3 };
  const declared: Experiment = {
    ...small,
    tokenizer,
    corpus: {
      kind: "chronicle",
      seed: 3,
      books: { train: 5 },
      drills: 0,
      config: { contextTokens: 64, book: { chapters: 4 }, drill: { songWords } },
    },
  };
  assert.deepEqual(resolvedExperiment(declared).corpus, {
    kind: "chronicle",
    seed: 3,
    books: { train: 5, valid: 8, test: 24 },
    drills: 0,
    config: {
      contextTokens: 64,
      book: { ...defaults.book, chapters: 4 },
      sentence: defaults.sentence,
      drill: { ...defaults.drill, songWords },
      reviews: defaults.reviews,
    },
  });
});

test("a field set to undefined is absent, at every depth, and takes its default", () => {
  const corpus = { ...small.corpus, lines: undefined, maxDocumentTokens: undefined };
  const resolved = resolvedExperiment({ ...small, seed: undefined, corpus });
  assert.deepEqual(resolved, resolvedExperiment(small));
});

test("the reproduction of Table 2 knows by itself what stands for what", () => {
  const { reproduces } = resolvedExperiment({ ...small, reproduces: { table: "table-2" } });
  assert.deepEqual(reproduces?.rows, [
    { row: "GPT-2*", model: "backbone" },
    { row: "LongMem", model: "longmem" },
  ]);
  // Metrics as src/evaluation/perplexity.ts names them.
  const metrics = lengthBuckets.slice(1).map(({ name }) => `perplexity ${name}`);
  assert.deepEqual(reproduces?.columns.map(({ metric }) => metric), metrics);
  const rows = [{ row: "MemTRM", model: "longmem" }];
  const own = resolvedExperiment({ ...small, reproduces: { table: "table-2", rows } });
  assert.deepEqual(own.reproduces?.rows, rows);
  assert.ok(!("reproduces" in resolvedExperiment(small)));
});

test("fillDefaults() asks chapter breaks of the corpus as the paper does, and in the way of the protocol", () => {
  const breaks = (change: Partial<Experiment>, evaluation: object = {}) =>
    resolvedExperiment({
      ...small,
      ...change,
      evaluations: [{ kind: "chapter-break", models: ["backbone"], ...evaluation }],
    }).evaluations[0];
  const { memory: _memory, ...ofFiles } = breaks({}, { contextTokens: 1024 });
  assert.deepEqual(ofFiles, {
    kind: "chapter-break",
    name: "chapter-break-test",
    models: ["backbone"],
    batchSize: 1,
    contextTokens: 1024,
    source: { kind: "books", split: "test", minPrefixTokens: 8192, seed: 1 },
    prefixTokens: [4096, 6144, 8192],
    suffixTokens: 128,
    scoring: "sum",
    ties: "wrong",
  });
  for (const protocol of ["paper", "released-code"] as const) {
    const memory = { ...small.memory, reset: "epoch" } as const;
    assert.equal(Reflect.get(breaks({ protocol, memory }), "ties"), "right");
  }
  const chronicle = breaks({
    corpus: { kind: "chronicle" },
    tokenizer: { kind: "chronicle" },
  }, { prefixTokens: 512, source: { kind: "chronicle", split: "valid" } });
  const { name, source, prefixTokens, suffixTokens } = chronicle as ChapterBreakEvaluation;
  assert.deepEqual({ name, source, prefixTokens, suffixTokens }, {
    name: "chapter-break-valid",
    source: { kind: "chronicle", split: "valid", firstChapter: 4, seed: 1 },
    prefixTokens: [512],
    suffixTokens: 64, // half of the window
  });
});
