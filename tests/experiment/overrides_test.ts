import { resolveSweep } from "../../src/experiment/resolve.ts";
import { assign } from "../../src/experiment/overrides.ts";
import type { Experiment, FileCorpusDeclaration } from "../../src/experiment/declaration.ts";
import { DeclarationError } from "../../src/declaration/problem.ts";
import { resolvedExperiment } from "./resolved.ts";
import { assert, test } from "../testing.ts";
import { smallExperiment as small } from "./small_experiment.ts";

/** The corpus of a declaration that has one of files. */
function files({ corpus }: Experiment): FileCorpusDeclaration {
  return "folder" in corpus ? corpus : assert.fail("the corpus is no files");
}

/** What an assignment puts where. */
const assignments: [assignment: string, read: (e: Experiment) => unknown, expected: unknown][] = [
  ["seed=7", (e) => e.seed, 7],
  ["name=other", (e) => e.name, "other"],
  ["question=Is a = b?", (e) => e.question, "Is a = b?"],
  ["memory.capacityTokens=65_536", (e) => e.memory?.capacityTokens, 65536],
  ["memory.storage=float16", (e) => e.memory?.storage, "float16"],
  ["memory.index.kind=hnsw", (e) => e.memory?.index, { kind: "hnsw" }],
  ['memory.index={"kind":"hnsw","m":8}', (e) => e.memory?.index, { kind: "hnsw", m: 8 }],
  ["adaptation.learningRate=2e-4", (e) => e.adaptation?.learningRate, 2e-4],
  ["adaptation.betas=0.9,0.95", (e) => e.adaptation?.betas, [0.9, 0.95]],
  ["adaptation.betas.1=0.99", (e) => e.adaptation?.betas, [0.9, 0.99]],
  ["corpus.unwrap=true", (e) => files(e).unwrap, true],
  ["corpus.unwrap=false", (e) => files(e).unwrap, false],
  ["corpus.train=novels/*", (e) => files(e).train, "novels/*"],
  ["corpus.train=1900", (e) => files(e).train, "1900"],
  ['corpus.train=["a","b"]', (e) => files(e).train, ["a", "b"]],
  ["corpus.maxDocuments.train=3", (e) => files(e).maxDocuments, { train: 3 }],
  ["evaluations.0.split=valid", (e) => Reflect.get(e.evaluations[0], "split"), "valid"],
  [
    "evaluations.0.models=backbone, longmem-memory-off",
    (e) => e.evaluations[0].models,
    ["backbone", "longmem-memory-off"],
  ],
  [
    "backbone.training.steps=3",
    (e) => e.backbone.kind === "pretrain" && e.backbone.training.steps,
    3,
  ],
];

/** The same, where the declaration is of the chronicle. */
const chronicleAssignments: typeof assignments = [
  ["corpus.books.test=3", (e) => e.corpus, { kind: "chronicle", books: { test: 3 } }],
  [
    "evaluations.0.prefixTokens=512",
    (e) => Reflect.get(e.evaluations[0], "prefixTokens"),
    [512],
  ],
  [
    "evaluations.0.prefixTokens=512, 1024",
    (e) => Reflect.get(e.evaluations[0], "prefixTokens"),
    [512, 1024],
  ],
  ["corpus.drills=0", (e) => e.corpus, { kind: "chronicle", drills: 0 }],
  [
    "corpus.config.book.chapters=8",
    (e) => e.corpus,
    { kind: "chronicle", config: { book: { chapters: 8 } } },
  ],
];

const base: Experiment = { ...small, adaptation: { ...small.adaptation, betas: [0.9, 0.98] } };

const chronicle: Experiment = {
  ...base,
  corpus: { kind: "chronicle" },
  tokenizer: { kind: "chronicle" },
  evaluations: [{ kind: "chapter-break", models: ["backbone"] }],
};

const cases = [
  ...assignments.map((assigned) => [base, ...assigned] as const),
  ...chronicleAssignments.map((assigned) => [chronicle, ...assigned] as const),
];

for (const [base, assignment, read, expected] of cases) {
  test(`assign() sets ${assignment} with the type of the field`, () => {
    const before = structuredClone(base);
    const changed = assign(base, [assignment]);
    assert.deepEqual(read(changed), expected);
    resolvedExperiment(changed);
    assert.deepEqual(base, before, "the declaration itself was changed");
  });
}

test("assign() applies assignments in order, also to fields of a part that was absent", () => {
  const { memory: _memory, ...rest } = small;
  const changed = assign(rest, ["memory.chunkTokens=2", "memory.chunkTokens=8", "seed=3"]);
  assert.deepEqual(changed.memory, { chunkTokens: 8 });
  assert.equal(changed.seed, 3);
});

test("assign() and sweeps shorten a warm-up with the training that it would exceed", () => {
  const warm: Experiment = {
    ...small,
    adaptation: { ...small.adaptation, steps: 200, warmupSteps: 20 },
  };
  const warmupOf = (...assignments: string[]) =>
    resolveSweep("a test", warm, { assignments }).map(({ experiment: { adaptation } }) =>
      `${adaptation!.warmupSteps} of ${adaptation!.steps}`
    );
  assert.deepEqual(warmupOf("adaptation.steps=100"), ["20 of 100"]);
  assert.deepEqual(warmupOf("adaptation.steps=20"), ["20 of 20"]);
  assert.deepEqual(warmupOf("adaptation.steps=19"), ["1 of 19"]);
  assert.deepEqual(warmupOf("adaptation.steps=4"), ["0 of 4"]);
  assert.deepEqual(warmupOf("adaptation.steps=4", "adaptation.warmupSteps=3"), ["3 of 4"]);
  assert.deepEqual(warmupOf("sweep.adaptation.steps=4,50"), ["0 of 4", "20 of 50"]);
  assert.deepEqual(warmupOf("backbone.training.steps=4"), ["20 of 200"]);
  for (const sweep of ["", "sweep."]) {
    assert.throws(
      () => warmupOf(`${sweep}adaptation.warmupSteps=5`, `${sweep}adaptation.steps=4`),
      { message: /warmupSteps must not exceed adaptation.steps: current value is 5, allowed are/ },
    );
  }
});

test("assign() sets a field of one part alone, where another is the same object", () => {
  const { training } = small.backbone;
  assert.equal(training, small.adaptation);
  const changed = assign(small, ["adaptation.steps=3", "evaluations.0.batchSize=2"]);
  assert.equal(changed.adaptation?.steps, 3);
  assert.deepEqual(changed.backbone, small.backbone);
  const evaluations = [small.evaluations[0], small.evaluations[0]];
  const [first, second] = assign({ ...small, evaluations }, ["evaluations.1.name=b"]).evaluations;
  assert.deepEqual([first.name, second.name], [undefined, "b"]);
});

const refused: [assignment: string, message: string][] = [
  [
    "memory.chunkToken=4",
    'Cannot set memory.chunkToken as "chunkToken" is not a field of memory: allowed are capacityTokens, chunkTokens, retrievedTokens, storage, place, bank, eviction, reset, missingChunks, index, positions (did you mean "chunkTokens"?)',
  ],
  [
    "memroy.chunkTokens=4",
    'Cannot set memroy as "memroy" is not a field of an experiment: allowed are name, question, reproduces, scale, seed, protocol, corpus, tokenizer, backbone, sidenet, memory, adaptation, evaluations, device, threads, moved, cluster, sweep (did you mean "memory"?)',
  ],
  [
    "tokenizer.path=x",
    'Cannot set tokenizer.path as "path" is not a field of tokenizer: allowed are kind, vocabSize, maxTrainingBytes',
  ],
  [
    "memory.chunkTokens=four",
    'Cannot set memory.chunkTokens as its value is no number: current value is "four", allowed are positive integers',
  ],
  [
    "memory.chunkTokens=",
    'Cannot set memory.chunkTokens as its value is no number: current value is "", allowed are positive integers',
  ],
  [
    "corpus.unwrap=yes",
    'Cannot set corpus.unwrap as its value is no boolean: current value is "yes", allowed are true, false',
  ],
  [
    "memory.bank=share",
    'Cannot set memory.bank: current value is "share", allowed are shared, per-row (did you mean "shared"?)',
  ],
  [
    "adaptation.betas=a,b",
    'Cannot set adaptation.betas as its value is no number: current value is "a", allowed are numbers from 0, below 1',
  ],
  [
    "evaluations=perplexity",
    'Cannot set evaluations as its value is no JSON list: current value is "perplexity", allowed are lists of evaluations',
  ],
  [
    "evaluations.1.split=valid",
    "Cannot set evaluations.1.split as evaluations has 1 element: current value is 1, allowed are integers below 1",
  ],
  [
    "evaluations.first.split=valid",
    'Cannot set evaluations.first as "first" is not an element of evaluations: allowed are integers from 0',
  ],
  ["seed.value=1", 'Cannot set seed.value as "value" is not there: seed has no fields'],
  [
    "__proto__.polluted=1",
    'Cannot set __proto__ as "__proto__" is not a field of an experiment: allowed are name, question, reproduces, scale, seed, protocol, corpus, tokenizer, backbone, sidenet, memory, adaptation, evaluations, device, threads, moved, cluster, sweep',
  ],
  [
    "seed",
    'Cannot set a field as path=value is expected: current value is "seed", allowed are assignments such as memory.chunkTokens=4',
  ],
];

for (const [assignment, message] of refused) {
  test(`assign() refuses ${assignment}`, () => {
    assert.throws(
      () => assign(base, [assignment]),
      (error) => {
        assert.ok(error instanceof DeclarationError);
        assert.equal(error.message, message);
        return true;
      },
    );
  });
}

test("assign() of a kind leaves out what only the other kind has", () => {
  const tokenizer = { kind: "bpe", vocabSize: 512 } as const;
  const assigned = assign({ ...small, tokenizer }, [
    "tokenizer.kind=file",
    "tokenizer.path=t.json",
  ]);
  assert.deepEqual(assigned.tokenizer, { kind: "file", path: "t.json" });
  assert.deepEqual(assign({ ...small, tokenizer }, ["tokenizer.kind=bpe"]).tokenizer, tokenizer);
});
