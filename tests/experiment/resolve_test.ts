import type { Experiment, ResolvedExperiment } from "../../src/experiment/declaration.ts";
import { z } from "zod";
import { oneOf } from "../../src/declaration/fields.ts";
import { introducedAt } from "../../src/declaration/identity.ts";
import { experimentSchema } from "../../src/experiment/schema.ts";
import { memoryPart } from "../../src/memory/config.ts";
import { adaptationPart } from "../../src/training/config.ts";
import { resolveRun, resolveRuns, runId } from "../../src/experiment/resolve.ts";
import { DeclarationError } from "../../src/declaration/problem.ts";
import { officialCases } from "../architectures/official_cases.ts";
import { withFolder } from "../temporary_folder.ts";
import { resolvedExperiment } from "./resolved.ts";
import { assert, repositoryPath, test } from "../testing.ts";
import { smallExperiment as small } from "./small_experiment.ts";

const declarations = repositoryPath("tests/experiment/declarations");

function idOf(change: Partial<Experiment>): string {
  return runId(resolvedExperiment({ ...small, ...change }));
}

/** Reverses the order of the keys of every object. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).reverse().map(([key, field]) => [key, reversed(field)]),
  );
}

test("runId() is stable, readable, and does not depend on the order of keys", () => {
  // A change of this value makes every finished run run again: it is to be intended.
  assert.equal(idOf({}), "m1024-c4-k64-seed1-e064af0e");
  assert.equal(runId(resolvedExperiment(reversed(small))), idOf({}));
});

test("runId() is the same for a default written out", () => {
  assert.equal(
    idOf({ seed: 1, protocol: "strict", memory: { ...small.memory, chunkTokens: 4 } }),
    idOf({}),
  );
  const { backbone, corpus } = small;
  assert.equal(idOf({ corpus: { kind: "files", ...corpus } }), idOf({}));
  assert.equal(idOf({ backbone: { ...backbone, initialization: { kind: "official" } } }), idOf({}));
});

test("runId() leaves out what does not change the numbers", () => {
  const { backbone, adaptation } = small;
  const changes: Partial<Experiment>[] = [
    { name: "other" },
    { question: "Why?" },
    { reproduces: { table: "table-2" } },
    { scale: "paper" },
    { device: "wasm" },
    { threads: 2 },
    { adaptation: { ...adaptation, checkpointEverySteps: 1 } },
    { adaptation: { ...adaptation, diagnoseEverySteps: 1 } },
    { backbone: { ...backbone, training: { ...backbone.training, checkpointEverySteps: 1 } } },
  ];
  for (const change of changes) assert.equal(idOf(change), idOf({}), JSON.stringify(change));
});

test("runId() counts paths that have moved as those that runs were recorded with", () => {
  const at = (folder: string) => ({ ...small.corpus, folder });
  const moved = { "data/novels": "../shared/data/novels" };
  const recorded = idOf({ corpus: at("../shared/data/novels") });
  assert.equal(idOf({ corpus: at("data/novels"), moved }), recorded);
  assert.notEqual(idOf({ corpus: at("data/novels") }), recorded);
  // Another folder, as of --set, is another run.
  assert.equal(idOf({ corpus: at("data/others"), moved }), idOf({ corpus: at("data/others") }));
  assert.throws(() => idOf({ moved: { a: 1 } as never }), /moved\.a/);
  // A record has the field, and is resolved to the run that it is of.
  const resolved = resolvedExperiment({ ...small, corpus: at("data/novels"), moved });
  assert.equal(runId(resolvedExperiment(JSON.parse(JSON.stringify(resolved)))), recorded);
});

test("runId() tells apart all that changes the numbers", () => {
  const { backbone, adaptation, memory, corpus, evaluations: [evaluation] } = small;
  const changes: Partial<Experiment>[] = [
    {},
    { seed: 2 },
    { protocol: "paper" },
    { corpus: { ...corpus, folder: "other" } },
    { tokenizer: { kind: "bpe", vocabSize: 513 } },
    { backbone: { ...backbone, layers: 6 } },
    { backbone: { ...backbone, initialization: { kind: "scaled" } } },
    { tokenizer: { kind: "chronicle" }, corpus: { kind: "chronicle" } },
    { tokenizer: { kind: "chronicle" }, corpus: { kind: "chronicle", seed: 2 } },
    { tokenizer: { kind: "chronicle" }, corpus: { kind: "chronicle", drills: 0 } },
    { sidenet: { memoryBlock: 2 } },
    { memory: { ...memory, storage: "float16" } },
    { adaptation: { ...adaptation, learningRate: 2e-3 } },
    { evaluations: [{ ...evaluation, maxDocuments: 3 }] },
  ];
  assert.equal(new Set(changes.map(idOf)).size, changes.length);
});

test("resolveRuns() finds the experiments of a folder, in order, and passes over shared parts", async () => {
  const runs = await resolveRuns([declarations]);
  assert.deepEqual(
    runs.map(({ experiment, id, file }) => [
      experiment.name,
      id.replace(/-[0-9a-f]{8}$/, ""),
      file.split("/").at(-1),
    ]),
    [
      ["baseline", "no-memory-seed1", "baseline.ts"],
      ["two_sizes", "m1024-c4-k64-seed1", "two_sizes.ts"],
      ["two_sizes", "m2048-c4-k64-seed1", "two_sizes.ts"],
    ],
  );
});

test("resolveRuns() lists equal runs once", async () => {
  const file = `${declarations}/two_sizes.ts`;
  const same = ["memory.capacityTokens=4096"];
  assert.equal((await resolveRuns([file, file, declarations])).length, 3);
  assert.equal((await resolveRuns([file], { assignments: same })).length, 1);
});

test("resolveRuns() applies assignments, device and limit; only the device leaves the id alone", async () => {
  const file = `${declarations}/baseline.ts`;
  const [plain] = await resolveRuns([file]);
  const [seeded] = await resolveRuns([file], { assignments: ["seed=5"] });
  assert.equal(seeded.experiment.seed, 5);
  assert.notEqual(seeded.id, plain.id);
  const [onWasm] = await resolveRuns([file], { device: "wasm" });
  assert.equal(onWasm.experiment.device, "wasm");
  assert.equal(onWasm.id, plain.id);
  const [limited] = await resolveRuns([file], { limit: 2 });
  assert.equal(limited.limit, 2);
  assert.equal(Reflect.get(limited.experiment.evaluations[0], "maxDocuments"), 2);
  assert.notEqual(limited.id, plain.id);
  const declared = ["evaluations.0.maxDocuments=1"];
  const [fewer] = await resolveRuns([file], { limit: 2, assignments: declared });
  assert.equal(Reflect.get(fewer.experiment.evaluations[0], "maxDocuments"), 1);
});

test("resolveRun() limits the examples of in-context learning", () => {
  const items = (maxItems?: number) => {
    const { experiment } = resolveRun("program", {
      ...small,
      evaluations: [{
        kind: "in-context-learning",
        source: { kind: "sentences", folder: "icl" },
        models: ["backbone"],
        ...(maxItems && { maxItems }),
      }],
    }, { limit: 5 });
    const [evaluation] = experiment.evaluations;
    return evaluation.kind === "in-context-learning" && evaluation.maxItems;
  };
  assert.deepEqual([items(), items(9), items(3)], [5, 5, 3]);
});

const refused: [path: string, message: RegExp][] = [
  ["nowhere.ts", /^Cannot load "nowhere.ts" as there is no such file or folder$/],
  [
    `${declarations}/inner/shared_part.ts`,
    /^Cannot load ".*shared_part.ts" as it has no default export: allowed are an experiment or a list/,
  ],
  [
    `${declarations}/inner`,
    /^Cannot load ".*inner" as no .ts file in it declares an experiment, and no run lies in it$/,
  ],
  [
    repositoryPath("tests/experiment/malformed/empty_list.ts"),
    /^Cannot load ".*empty_list.ts" as its list is empty: allowed are an experiment or a list of them$/,
  ],
  [
    repositoryPath("tests/experiment/malformed"),
    /malformed\/indivisible.ts: Cannot declare experiment "small" as memory.retrievedTokens must be a multiple/,
  ],
];

for (const [path, message] of refused) {
  test(`resolveRuns() names the file that is wrong: ${path.split("/").at(-1)}`, async () => {
    await assert.rejects(resolveRuns([path]), (error) => {
      assert.ok(error instanceof DeclarationError);
      assert.match(error.message, message);
      return true;
    });
  });
}

test("resolveRuns() checks segments against the positions of a backbone whose folder is there", () =>
  withFolder(async (folder) => {
    const [opt] = officialCases.find(({ name }) => name === "opt")!.cases;
    const config = { ...opt.config, "num_hidden_layers": 2, "max_position_embeddings": 100 };
    await Deno.writeTextFile(`${folder}/config.json`, JSON.stringify(config));
    const backbone = { kind: "checkpoint", path: folder };
    const source = `${folder}/experiment.ts`;
    await Deno.writeTextFile(source, `export default ${JSON.stringify({ ...small, backbone })};`);
    await assert.rejects(resolveRuns([source]), {
      name: "DeclarationError",
      message:
        /adaptation.contextTokens must not exceed the positions of the backbone: current value is 128, allowed are integers up to 100\n.*evaluations.0.contextTokens/,
    });
  }));

test("resolveRuns() checks a SideNet against the blocks of a backbone whose folder is there", async () => {
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  const resolving = async (memoryBlock: number, path: string) => {
    const backbone = { kind: "checkpoint", path };
    const experiment = { ...small, backbone, sidenet: { memoryBlock } };
    const source = `${file.slice(0, -3)}_${memoryBlock}_${path.length}.ts`;
    await Deno.writeTextFile(source, `export default ${JSON.stringify(experiment)};`);
    return await resolveRuns([source]).finally(() => Deno.remove(source));
  };
  try {
    const backbone = repositoryPath("data/chronicle/backbone");
    assert.equal((await resolving(3, backbone)).length, 1);
    await assert.rejects(resolving(4, backbone), {
      name: "DeclarationError",
      message:
        /Cannot declare experiment "small" as sidenet.memoryBlock must be below the backbone's layers: current value is 4, allowed are integers from 0 to 3$/,
    });
    // What is not there, or cannot be read, the run says.
    assert.equal((await resolving(4, "nowhere")).length, 1);
  } finally {
    await Deno.remove(file);
  }
});

test("resolveRuns() takes every record that ships as the declaration of its own run", async () => {
  const results = repositoryPath("results");
  const runs = await resolveRuns([results]);
  assert.ok(runs.length >= 43, `${runs.length} runs`);
  for (const { experiment, id, recorded, optional } of runs) {
    assert.equal(recorded?.path, `${results}/${experiment.name}/${id}`);
    assert.equal(recorded.summary?.run, id);
    assert.match(recorded.environment?.commit ?? "", /^[0-9a-f]{40}$/);
    assert.equal(optional, true); // as of any folder
  }
});

test("resolveRuns() takes one record with its labels, unless another run is made of it", async () => {
  const name = "ablation_memory_size/m4096-c4-k64-seed1-e2747846";
  const folder = repositoryPath(`results/${name}`);
  const capacity = "evaluations.0.memory.capacityTokens";
  for (const path of [folder, `${folder}/experiment.json`]) {
    const [run, ...others] = await resolveRuns([path], { device: "wasm" });
    assert.deepEqual(others, []);
    assert.equal(`${run.experiment.name}/${run.id}`, name);
    assert.equal(run.experiment.device, "wasm");
    assert.equal(run.recorded?.path, folder);
    assert.deepEqual(run.variation, run.recorded.summary?.variation);
    assert.deepEqual(Object.keys(run.variation ?? {}), [capacity]);
    assert.equal(run.optional, undefined);
  }
  const [other] = await resolveRuns([folder], { assignments: [`${capacity}=640`] });
  assert.deepEqual([other.recorded, other.variation], [undefined, undefined]);
  const [limited] = await resolveRuns([folder], { limit: 2 });
  assert.equal(limited.recorded, undefined);
});

test("resolveRuns() says what is wrong with a declaration in JSON", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const refused = async (name: string, text: string, message: RegExp) => {
      await Deno.writeTextFile(`${folder}/${name}`, text);
      await assert.rejects(resolveRuns([`${folder}/${name}`]), (error) => {
        assert.ok(error instanceof DeclarationError);
        assert.match(error.message, message);
        return true;
      });
    };
    await refused("cut.json", '{"name": ', /^Cannot read ".*cut\.json" as it is not JSON: /);
    await refused(
      "words.json",
      '"words"',
      /words\.json" as it is not an experiment: current value is string/,
    );
    await refused(
      "misspelled.json",
      JSON.stringify({ ...small, seeed: 1 }),
      /misspelled\.json: Cannot declare .*seeed is unknown: .*\(did you mean "seed"\?\)/,
    );
    await Deno.writeFile(`${folder}/latin1.json`, Uint8Array.of(0x22, 0xe9, 0x22));
    await assert.rejects(resolveRuns([`${folder}/latin1.json`]), {
      message: `Cannot read "${folder}/latin1.json" as its bytes must be UTF-8`,
    });
    await new Deno.Command("mkfifo", { args: [`${folder}/pipe.json`] }).output();
    await assert.rejects(resolveRuns([`${folder}/pipe.json`]), {
      message: `Cannot read "${folder}/pipe.json" as it is not a regular file: it is a named pipe`,
    });
    await Deno.writeTextFile(`${folder}/plain.json`, JSON.stringify(small));
    const [plain] = await resolveRuns([`${folder}/plain.json`]);
    assert.deepEqual([plain.id, plain.recorded], [idOf({}), undefined]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

test("resolveRuns() reports a file that does not load, or whose export is not an experiment", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const sources: [string, RegExp][] = [
      ["export default ;", /^Cannot load ".*broken0.ts": [^]*broken0.ts:1:/],
      [
        "export default () => 1;",
        /as its default export is not an experiment: current value is function/,
      ],
      [
        "throw new Error('no data')",
        /^Cannot load ".*broken2.ts" as its line 1 throws Error: no data$/,
      ],
      [
        "function declare() {\n  return undefined.name;\n}\n\nexport default declare();",
        /^Cannot load ".*broken3.ts" as its line 2 throws TypeError: /,
      ],
      ["throw 'a word'", /^Cannot load ".*broken4.ts": a word$/],
    ];
    for (const [i, [source, message]] of sources.entries()) {
      const file = `${folder}/broken${i}.ts`;
      await Deno.writeTextFile(file, source);
      await assert.rejects(resolveRuns([file]), (error) => {
        assert.ok(error instanceof DeclarationError);
        assert.match(error.message, message);
        return true;
      });
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

test("runId() stays where fields with defaults are added to parts, and changes where they are used", async () => {
  const grown = experimentSchema().extend({
    greeting: introducedAt(z.string(), "none").exactOptional(),
    memory: memoryPart.schema.extend({ decay: introducedAt(z.number(), 0).exactOptional() })
      .optional(),
    adaptation: adaptationPart.schema.extend({
      noise: introducedAt(oneOf("none", "normal"), "none").exactOptional(),
    }).optional(),
  });
  const runs = await resolveRuns([repositoryPath("experiments")]);
  let used = 0;
  for (const { id, experiment } of runs) {
    const { memory, adaptation } = experiment;
    const filled = {
      ...experiment,
      greeting: "none",
      ...(memory && { memory: { ...memory, decay: 0 } }),
      ...(adaptation && { adaptation: { ...adaptation, noise: "none" } }),
    } as ResolvedExperiment;
    assert.equal(runId(filled, grown), id);
    const changes = [
      { greeting: "hello" },
      ...(memory ? [{ memory: { ...memory, decay: 0.1 } }] : []),
      ...(adaptation ? [{ adaptation: { ...adaptation, noise: "normal" } }] : []),
    ];
    const ids = changes.map((change) => runId({ ...filled, ...change } as typeof filled, grown));
    assert.equal(new Set([id, ...ids]).size, 1 + changes.length);
    used += changes.length;
  }
  assert.ok(used > 100, `${used} changes`);
});
