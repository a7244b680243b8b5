import type { Experiment } from "../../src/experiment/declaration.ts";
import { defineExperiment } from "../../src/experiment/define_experiment.ts";
import { assign } from "../../src/experiment/overrides.ts";
import { resolveRun, resolveSweep } from "../../src/experiment/resolve.ts";
import { expandSweep } from "../../src/experiment/sweep.ts";
import { DeclarationError } from "../../src/declaration/problem.ts";
import { assert, test } from "../testing.ts";
import { smallExperiment as small } from "./small_experiment.ts";

/** What varies in each run that a declaration of a sweep has. */
function variations(experiment: Experiment): unknown[] {
  return expandSweep(experiment).map(({ variation }) => variation);
}

test("expandSweep() combines lists, the first varying slowest, and takes zipped ones in step", () => {
  assert.deepEqual(
    variations({
      ...small,
      sweep: {
        seed: [1, 2],
        zip: { "memory.capacityTokens": [256, 512], "memory.retrievedTokens": [16, 32] },
      },
    }),
    [
      { seed: 1, "memory.capacityTokens": 256, "memory.retrievedTokens": 16 },
      { seed: 1, "memory.capacityTokens": 512, "memory.retrievedTokens": 32 },
      { seed: 2, "memory.capacityTokens": 256, "memory.retrievedTokens": 16 },
      { seed: 2, "memory.capacityTokens": 512, "memory.retrievedTokens": 32 },
    ],
  );
  assert.deepEqual(variations(small), [{}]);
});

test("expandSweep() allows a zipped field to have a value twice, beside others", () => {
  const sweep = { zip: { seed: [1, 1, 2], "memory.chunkTokens": [2, 4, 4] } };
  assert.deepEqual(variations({ ...small, sweep }), [
    { seed: 1, "memory.chunkTokens": 2 },
    { seed: 1, "memory.chunkTokens": 4 },
    { seed: 2, "memory.chunkTokens": 4 },
  ]);
});

test("expandSweep() sets fields, also those of parts that the declaration lacks, in copies", () => {
  const sweep: NonNullable<Experiment["sweep"]> = {
    "memory.index": [{ kind: "exact" }, { kind: "hnsw", m: 8 }],
    "evaluations.0.maxDocuments": [2],
    "adaptation.dropout": [0.25],
  };
  const before = structuredClone(small);
  const [, { experiment }] = expandSweep({ ...small, sweep });
  assert.deepEqual(experiment, {
    ...small,
    memory: { ...small.memory, index: { kind: "hnsw", m: 8 } },
    evaluations: [{ ...small.evaluations[0], maxDocuments: 2 }],
    adaptation: { ...small.adaptation, dropout: 0.25 },
  });
  assert.deepEqual(small, before);
  const { memory: _memory, ...rest } = small;
  const [only] = expandSweep({ ...rest, sweep: { "memory.capacityTokens": [512] } });
  assert.deepEqual(only.experiment.memory, { capacityTokens: 512 });
});

test("a run of a sweep is the run of a declaration that says the same without one", () => {
  const runs = resolveSweep("a.ts", { ...small, sweep: { "memory.chunkTokens": [2, 4] } });
  const alone = [2, 4].map((chunkTokens) =>
    resolveRun("a.ts", { ...small, memory: { ...small.memory, chunkTokens } })
  );
  assert.deepEqual(runs.map(({ id }) => id), alone.map(({ id }) => id));
  assert.deepEqual(runs.map(({ experiment }) => experiment), alone.map((run) => run.experiment));
  assert.deepEqual(runs.map(({ variation }) => variation), [
    { "memory.chunkTokens": 2 },
    { "memory.chunkTokens": 4 },
  ]);
  assert.ok(!("variation" in alone[0]));
  assert.throws(
    () => resolveRun("a.ts", { ...small, sweep: { seed: [1, 2, 3] } }),
    { message: /^Cannot run "small" as one run as its sweep has 3: / },
  );
});

test("paths and values of a sweep are checked by the compiler", () => {
  const declared: Experiment[] = [
    // @ts-expect-error -- no such field
    { ...small, sweep: { "memory.chunkToken": [4] } },
    // @ts-expect-error -- a number is needed
    { ...small, sweep: { "memory.chunkTokens": ["4"] } },
    // @ts-expect-error -- no such model
    { ...small, sweep: { "evaluations.0.models": [["longmen"]] } },
    // @ts-expect-error -- a label
    { ...small, sweep: { name: ["a", "b"] } },
    // @ts-expect-error -- a list is needed
    { ...small, sweep: { seed: 4 } },
  ];
  for (const experiment of declared) {
    assert.throws(() => defineExperiment(experiment), DeclarationError);
  }
  const right: Experiment = {
    ...small,
    sweep: {
      "backbone.training.learningRate": [1e-3],
      "evaluations.0.models": [["backbone"]],
      "corpus.train": ["train", ["a", "b"]],
    },
  };
  assert.equal(defineExperiment(right), right);
});

/** Sweeps that are wrong, and every line that the error has to list. */
const malformed: { name: string; sweep: unknown; change?: object; problems: string[] }[] = [
  {
    name: "no lists",
    sweep: [1, 2],
    problems: [
      "sweep has a wrong value: current value is [1,2], allowed are lists of values by field",
    ],
  },
  {
    name: "a zip without fields of its own",
    sweep: { zip: 3 },
    problems: [
      "sweep.zip has a wrong value: current value is 3, allowed are lists of values by field",
    ],
  },
  {
    name: "one value instead of a list",
    sweep: { seed: 3 },
    problems: ["sweep.seed has a wrong value: current value is 3, allowed are lists of values"],
  },
  {
    name: "an empty list",
    sweep: { seed: [] },
    problems: ["sweep.seed has a wrong value: current value is [], allowed are lists of values"],
  },
  {
    name: "a value that is absent",
    sweep: { seed: [1, undefined] },
    problems: [
      "sweep.seed has a wrong value: current value is [1,null], allowed are lists of values",
    ],
  },
  {
    name: "a value listed twice",
    sweep: { seed: [1, 2, 1] },
    problems: [
      "sweep.seed lists a value twice: current value is 1, allowed are values listed once",
    ],
  },
  {
    name: "values zipped twice",
    sweep: { zip: { seed: [1, 2, 1], "memory.chunkTokens": [2, 2, 2] } },
    problems: [
      "sweep.zip lists a value twice: current value is [1,2], allowed are values listed once",
    ],
  },
  {
    name: "a misspelled field",
    sweep: { "memory.chunkToken": [2, 4] },
    problems: [
      'sweep.memory.chunkToken is unknown: "chunkToken" is not a field of memory: allowed are capacityTokens, chunkTokens, retrievedTokens, storage, place, bank, eviction, reset, missingChunks, index, positions (did you mean "chunkTokens"?)',
    ],
  },
  {
    name: "a misspelled part, zipped",
    sweep: { zip: { "memroy.chunkTokens": [2, 4], seed: [1, 2] } },
    problems: [
      'sweep.zip.memroy.chunkTokens is unknown: "memroy" is not a field of an experiment: allowed are name, question, reproduces, scale, seed, protocol, corpus, tokenizer, backbone, sidenet, memory, adaptation, evaluations, device, threads, moved, cluster, sweep (did you mean "memory"?)',
    ],
  },
  {
    name: "a field of another kind",
    sweep: { "tokenizer.path": ["a", "b"] },
    problems: [
      'sweep.tokenizer.path is unknown: "path" is not a field of tokenizer: allowed are kind, vocabSize, maxTrainingBytes',
    ],
  },
  {
    name: "an evaluation that is not there",
    sweep: { "evaluations.1.split": ["valid", "test"] },
    problems: [
      "sweep.evaluations.1.split is unknown: evaluations has 1 element: current value is 1, allowed are integers below 1",
    ],
  },
  {
    name: "fields that change nothing that is measured",
    sweep: { device: ["cpu", "wasm"], "adaptation.checkpointEverySteps": [1, 2] },
    problems: [
      "sweep.device must not be swept: allowed are fields that change what is measured",
      "sweep.adaptation.checkpointEverySteps must not be swept: allowed are fields that change what is measured",
    ],
  },
  {
    name: "a sweep of the sweep",
    sweep: { sweep: [{}] },
    problems: ["sweep.sweep must not be swept: allowed are fields of one run"],
  },
  {
    name: "a field twice",
    sweep: { seed: [1, 2], zip: { seed: [1, 2] } },
    problems: ["sweep.zip.seed is swept twice"],
  },
  {
    name: "a field and its part",
    sweep: { "memory.index": [{ kind: "exact" }], "memory.index.kind": ["hnsw"] },
    problems: [
      "sweep.memory.index.kind must not be swept beside memory.index: one of them is part of the other",
    ],
  },
  {
    name: "zipped lists of two lengths",
    sweep: { zip: { seed: [1, 2, 3], "memory.chunkTokens": [2, 4] } },
    problems: [
      "sweep.zip.memory.chunkTokens must have as many values as sweep.zip.seed: current number is 2, allowed is 3",
    ],
  },
  {
    name: "values that the field does not take, in as many runs as there are",
    sweep: { "memory.chunkTokens": [0, 4, "four"], seed: [1, 2, 3] },
    problems: [
      "sweep.memory.chunkTokens has a wrong value: current value is 0, allowed are positive integers",
      'sweep.memory.chunkTokens has a wrong value: current value is "four", allowed are positive integers',
    ],
  },
  {
    name: "a word that the field does not know",
    sweep: { zip: { "memory.storage": ["float16", "float23"] } },
    problems: [
      'sweep.zip.memory.storage has a wrong value: current value is "float23", allowed are float32, float16, int8 (did you mean "float32"?)',
    ],
  },
  {
    name: "a value below the field",
    sweep: { "memory.index": [{ kind: "exact" }, { kind: "hnsw", ef: 3 }] },
    problems: [
      "sweep.memory.index.ef is unknown: allowed are kind, m, efConstruction, efSearch",
    ],
  },
  {
    name: "values that do not go with another field",
    sweep: { "memory.chunkTokens": [3, 4, 5], seed: [1, 2] },
    problems: [
      "memory.retrievedTokens must be a multiple of memory.chunkTokens: current value is 64, allowed are multiples of 3, where sweep.memory.chunkTokens is 3",
      "memory.retrievedTokens must be a multiple of memory.chunkTokens: current value is 64, allowed are multiples of 5, where sweep.memory.chunkTokens is 5",
    ],
  },
  {
    name: "values of two fields that do not go together",
    sweep: { "memory.retrievedTokens": [8, 12], "memory.chunkTokens": [4, 8] },
    problems: [
      "sweep.memory.retrievedTokens must be a multiple of memory.chunkTokens: current value is 12, allowed are multiples of 8, where sweep.memory.chunkTokens is 8",
    ],
  },
  {
    name: "a problem of several values",
    sweep: { "evaluations.0.contextTokens": [128, 2048, 4096], seed: [1, 2] },
    change: { memory: { capacityTokens: 1024, retrievedTokens: 6 } },
    problems: [
      "memory.retrievedTokens must be a multiple of memory.chunkTokens: current value is 6, allowed are multiples of 4",
    ],
  },
  {
    name: "a problem that has nothing to do with the sweep, and one that has",
    sweep: { seed: [1, -1] },
    change: { backbone: { ...small.backbone, hidenDim: 3 } },
    problems: [
      'backbone.hidenDim is unknown: allowed are kind, architecture, settings, size, layers, hiddenDim, heads, feedForwardDim, initialization, training (did you mean "hiddenDim"?)',
      "sweep.seed has a wrong value: current value is -1, allowed are integers from 0, below 2^32",
    ],
  },
  {
    name: "a field that only the sweep would have given",
    sweep: { "sidenet.memoryBlock": 1, "memory.chunkToken": [1] },
    change: { sidenet: {} },
    problems: [
      "sweep.sidenet.memoryBlock has a wrong value: current value is 1, allowed are lists of values",
      'sweep.memory.chunkToken is unknown: "chunkToken" is not a field of memory: allowed are capacityTokens, chunkTokens, retrievedTokens, storage, place, bank, eviction, reset, missingChunks, index, positions (did you mean "chunkTokens"?)',
    ],
  },
];

for (const { name, sweep, change = {}, problems } of malformed) {
  test(`defineExperiment() refuses a sweep: ${name}`, () => {
    const subject = 'Cannot declare experiment "small" as ';
    assert.throws(
      () => defineExperiment({ ...small, ...change, sweep } as Experiment),
      (error) => {
        assert.ok(error instanceof DeclarationError);
        const listed = error.problems.map(({ path, message }) => `${path} ${message}`);
        assert.deepEqual(listed, problems);
        assert.equal(
          error.message,
          problems.length === 1
            ? subject + problems[0]
            : `${subject}${problems.length} fields are wrong:\n  ${problems.join("\n  ")}`,
        );
        return true;
      },
    );
  });
}

const swept: Experiment = {
  ...small,
  sweep: {
    "memory.chunkTokens": [2, 4],
    "memory.index": [{ kind: "exact" }, { kind: "hnsw" }],
    zip: { seed: [1, 2], "adaptation.dropout": [0, 0.1] },
  },
};

test("assign() takes the place of the sweep of a field, and of fields within it", () => {
  const sweepAfter = (...assignments: string[]) => assign(swept, assignments).sweep;
  const { zip, ...grid } = swept.sweep!;
  assert.deepEqual(sweepAfter("name=other"), swept.sweep);
  assert.deepEqual(sweepAfter("memory.chunkTokens=8"), {
    "memory.index": grid["memory.index"],
    zip,
  });
  assert.deepEqual(sweepAfter('memory={"capacityTokens":512}'), { zip });
  assert.deepEqual(sweepAfter("seed=3"), { ...grid, zip: { "adaptation.dropout": [0, 0.1] } });
  assert.deepEqual(sweepAfter("seed=3", "adaptation.dropout=0"), grid);
  const none = assign(swept, ["memory={}", "seed=3", "adaptation.dropout=0"]);
  assert.ok(!("sweep" in none));
  assert.deepEqual(variations(assign(swept, ["memory={}"])), [
    { seed: 1, "adaptation.dropout": 0 },
    { seed: 2, "adaptation.dropout": 0.1 },
  ]);
});

test("assign() sweeps a field over a list of values, each read as the field's type asks", () => {
  const sweepAfter = (...assignments: string[]) => assign(small, assignments).sweep;
  assert.deepEqual(sweepAfter("sweep.memory.chunkTokens=2,4, 1_6"), {
    "memory.chunkTokens": [2, 4, 16],
  });
  assert.deepEqual(sweepAfter("sweep.seed=[1,2]", "sweep.memory.storage=float32,float16"), {
    seed: [1, 2],
    "memory.storage": ["float32", "float16"],
  });
  const indexes = 'sweep.memory.index=[{"kind":"exact"},{"kind":"hnsw","m":8}]';
  assert.deepEqual(sweepAfter(indexes), {
    "memory.index": [{ kind: "exact" }, { kind: "hnsw", m: 8 }],
  });
  assert.deepEqual(variations(assign(small, [indexes, "sweep.seed=3,4"])).length, 4);
  assert.equal(sweepAfter("sweep.seed=1,2", "seed=3"), undefined);
  // A list takes the place of an earlier one of the field, and of fields within it, also where they were zipped.
  const { "memory.index": index, zip: { seed: _, ...zip } = {} } = swept.sweep!;
  assert.deepEqual(assign(swept, ["sweep.memory.chunkTokens=8", "sweep.seed=5,6"]).sweep, {
    "memory.index": index,
    zip,
    "memory.chunkTokens": [8],
    seed: [5, 6],
  });
});

test("assign() sweeps ranges of numbers, their ends included", () => {
  const valuesOf = (assignment: string) => Object.values(assign(small, [assignment]).sweep!)[0];
  assert.deepEqual(valuesOf("sweep.seed=1..5"), [1, 2, 3, 4, 5]);
  assert.deepEqual(valuesOf("sweep.seed=1..9..2"), [1, 3, 5, 7, 9]);
  assert.deepEqual(valuesOf("sweep.seed=1..4..2"), [1, 3]);
  assert.deepEqual(valuesOf("sweep.seed=3..3"), [3]);
  assert.deepEqual(valuesOf("sweep.seed=9, 1..2, 1_000..1_001"), [9, 1, 2, 1000, 1001]);
  assert.deepEqual(valuesOf("sweep.adaptation.dropout=0.1..0.5..0.1"), [0.1, 0.2, 0.3, 0.4, 0.5]);
  assert.deepEqual(valuesOf("sweep.adaptation.learningRate=1e-4..3e-4..1e-4"), [1e-4, 2e-4, 3e-4]);
  assert.deepEqual(valuesOf("sweep.corpus.folder=../a,../b"), ["../a", "../b"]);
  assert.equal(variations(assign(small, ["sweep.seed=1..5"])).length, 5);
});

test("assign() refuses sweeps that are no lists of a field's values, and says how a list is swept", () => {
  const refused = {
    "sweep.memory.storage=float32,flot16":
      'Cannot set memory.storage: current value is "flot16", allowed are float32, float16, int8 (did you mean "float16"?); lists are written as float32,float16',
    "sweep.sed=1":
      /^Cannot set sed as "sed" is not a field of an experiment: .* \(did you mean "seed"\?\)$/,
    "sweep.seed=1,":
      'Cannot set seed as its value is no number: current value is "", allowed are integers from 0, below 2^32; lists are written as 1,2,4 and ranges as 1..5 or 1..9..2',
    "sweep.seed=1-5":
      'Cannot set seed as its value is no number: current value is "1-5", allowed are integers from 0, below 2^32; lists are written as 1,2,4 and ranges as 1..5 or 1..9..2',
    "seed=1..5":
      'Cannot set seed as its value is no number: current value is "1..5", allowed are integers from 0, below 2^32; a list is swept by --set sweep.seed=1..5',
    ...Object.fromEntries(
      ["5..1", "1..", "..5", "1..5..0", "1..5..-1", "1..2..3..4", "1..five", "1...5", "0..1e9"]
        .map((range) => [
          `sweep.seed=7,${range}`,
          `Cannot set sweep.seed as "${range}" is not a range: allowed are ranges such as 1..5 and 1..9..2 ` +
          "(every second), of at most 10000 numbers, from the lowest to the highest",
        ]),
    ),
    "sweep.seed=[1,":
      'Cannot set sweep.seed as its values are no JSON list: current value is "[1,", allowed are lists of integers from 0, below 2^32',
    sweep: /^Cannot set a field as path=value is expected/,
    "sweep=1":
      "Cannot set sweep as one field's values are expected: allowed are assignments such as sweep.memory.chunkTokens=1,2,4 and sweep.seed=1..5",
    "sweep.zip.seed=1":
      "Cannot set sweep.zip.seed as one field's values are expected: allowed are assignments such as sweep.memory.chunkTokens=1,2,4 and sweep.seed=1..5",
    "seed=1,2":
      'Cannot set seed as its value is no number: current value is "1,2", allowed are integers from 0, below 2^32; a list is swept by --set sweep.seed=1,2',
  };
  for (const [assignment, message] of Object.entries(refused)) {
    assert.throws(() => assign(small, [assignment]), { message }, assignment);
  }
});

test("assign() refuses a part of a swept field", () => {
  assert.throws(() => assign(swept, ["memory.index.kind=hnsw"]), {
    message:
      "Cannot set memory.index.kind as memory.index is swept, of which it is part: set memory.index itself, which takes the place of its sweep",
  });
});
