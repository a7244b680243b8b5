import { join } from "node:path";
import { compareDeterminants, hashBatches } from "../../src/runner/training_identity.ts";
import { DocumentStream } from "../../src/text/document_stream.ts";
import { LaneStream } from "../../src/text/lane_stream.ts";
import type { SegmentStream } from "../../src/text/segments.ts";
import { Trainer, type TrainerOptions } from "../../src/training/trainer.ts";
import { testedDevice } from "../graph/devices.ts";
import { copyFolder, withFolder } from "../temporary_folder.ts";
import { assert, repositoryPath, test } from "../testing.ts";
import {
  declaration,
  outcomeOf,
  readJson,
  runFolders,
  signalAfterLines,
  spawnRun,
  writeCorpus,
} from "../queue/command_line_run.ts";
import {
  releasedTraining,
  smallBackbone,
  smallMemory,
  smallSideNet,
} from "../training/small_training.ts";

test({
  name: "Trainer.graphHash changes with whatever changes the step, and with nothing else",
  // The device outlives the test.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const backbone = smallBackbone(), sideNet = smallSideNet(backbone);
    const options: TrainerOptions = {
      device: await testedDevice("cpu"),
      config: releasedTraining,
      seed: 1,
      parts: { backbone, sideNet, memory: smallMemory },
    };
    const hashOf = async (change: Partial<TrainerOptions> = {}) => {
      const trainer = await Trainer.prepare({ ...options, ...change });
      const hash = trainer.graphHash;
      assert.equal(trainer.graphHash, hash);
      await trainer.close();
      return hash;
    };
    const { config, parts } = options;
    const silent = { ...sideNet, shape: { ...sideNet.shape, crossNetworkResidual: false } };
    const memory = { ...smallMemory, retrievedTokens: smallMemory.retrievedTokens * 2 };
    const hashes = await Promise.all([
      hashOf(),
      hashOf({ dropout: 0.1 }),
      hashOf({ dropout: 0.2 }),
      hashOf({ gate: "fixed" }),
      hashOf({ config: { ...config, clipNorm: 0.5 } }),
      hashOf({ config: { ...config, betas: [0.8, 0.9] } }),
      hashOf({ config: { ...config, accumulationSteps: 2 } }),
      hashOf({ config: { ...config, batchSize: 1 } }),
      hashOf({ parts: { ...parts, sideNet: silent } }),
      hashOf({ parts: { ...parts, memory } }),
      hashOf({ parts: { backbone, sideNet } }),
      hashOf({ parts: { backbone } }),
    ]);
    assert.equal(new Set(hashes).size, hashes.length);
    // Weights and the learning rate are no part of the graph.
    assert.equal(await hashOf({ parts: { ...parts, backbone: smallBackbone(2) } }), hashes[0]);
    assert.equal(await hashOf({ config: { ...config, learningRate: 1 } }), hashes[0]);
  },
});

/** Documents of which a stream is made. */
function texts(...lengths: number[]) {
  return lengths.map((length, i) => ({
    name: `document ${i}`,
    tokens: Int32Array.from({ length }, (_, t) => 4 + (7 * i + t) % 9),
    words: 1,
  }));
}

test("hashBatches() tells streams apart by what they read, and leaves them at their beginning", () => {
  const sizes = { batchSize: 2, contextTokens: 8, pad: 1, seed: 1 };
  const documents = (change = {}, lengths = [41, 9, 30, 17, 23]) =>
    new DocumentStream(texts(...lengths), { ...sizes, ...change });
  const lanes = (change = {}) =>
    new LaneStream(texts(200)[0].tokens, { batchSize: 2, contextTokens: 8, eos: 2, ...change });
  /** A stream of the same batches, but for one. */
  const changed = (at: number, change: object): SegmentStream => {
    const stream = documents(), next = stream.next.bind(stream);
    stream.next = () => {
      const { step } = stream.position() as { step: number };
      const batch = next();
      return step === at ? { ...batch, ...change } : batch;
    };
    return stream;
  };
  const streams = [
    documents(),
    documents({ seed: 2 }),
    documents({ contextTokens: 4 }),
    documents({ maxDocumentTokens: 16 }),
    documents({ pad: 3 }),
    documents({}, [41, 9, 30, 17, 22]),
    lanes(),
    lanes({ eos: 3 }),
    lanes({ batchSize: 1 }),
    changed(19, { starts: [true, true] }),
    changed(19, { endsEpoch: true }),
    changed(19, { targets: new Int32Array(16) }),
    changed(19, { tokens: new Int32Array(16) }),
  ];
  const hashes = streams.map((stream) => hashBatches(stream, 20));
  assert.equal(new Set(hashes).size, streams.length);
  for (const [i, stream] of streams.entries()) {
    assert.equal(hashBatches(stream, 20), hashes[i], `stream ${i} is at its beginning`);
    assert.notEqual(hashBatches(stream, 19), hashes[i], `stream ${i} is read to the end`);
  }
  assert.equal(hashBatches(changed(20, { endsEpoch: true }), 20), hashes[0]);
});

test("compareDeterminants() names what would make other weights, and what might", () => {
  const recorded = {
    version: 2,
    device: "cpu: a",
    engines: [["onnxruntime-node", "1"]],
    graph: "a".repeat(64),
    batches: "b".repeat(64),
    documents: "c".repeat(64),
    valid: "d".repeat(64),
    tokenizer: "e".repeat(64),
    backbone: { shape: { layers: 2 }, weights: "f".repeat(64) },
    sideNet: { shape: { layers: 1 }, weights: "0".repeat(64) },
    sources: "1".repeat(64),
  };
  const compare = (change: object) => compareDeterminants(recorded, { ...recorded, ...change });
  assert.deepEqual(compare({}), { changes: [], doubts: [] });
  const other = "9".repeat(64);
  for (
    const [key, text] of [
      ["graph", "the graph of its step"],
      ["batches", "its batches"],
      ["documents", "its documents"],
      ["valid", "the documents it validates on"],
      ["tokenizer", "its tokenizer"],
    ] as const
  ) {
    const [hash] = compare({ [key]: other }).changes;
    assert.equal(
      hash,
      `${text} (SHA-256 999999999999, recorded is ${recorded[key].slice(0, 12)})`,
    );
  }
  for (const key of ["backbone", "sideNet"]) {
    const { changes, doubts } = compare({ [key]: { shape: { layers: 2 }, weights: other } });
    assert.match(
      changes.join(),
      /^the (backbone|SideNet) it starts from \(SHA-256 \w{12}, recorded is \w{12}\)$/,
    );
    assert.deepEqual(doubts, []);
  }
  assert.match(
    compare({ sources: other }).doubts.join(),
    /^the code of its memory, .* has changed/,
  );
  // Another device has another graph of the same step; and finished trainings are compared without their data.
  assert.deepEqual(compare({ device: "webgpu: b", graph: other }).changes, []);
  assert.deepEqual(compare({ engines: [], graph: other }).changes, []);
  assert.equal(compare({ device: "webgpu: b", batches: other }).changes.length, 1);
  const { batches: _batches, documents: _documents, ...code } = recorded;
  assert.deepEqual(compareDeterminants(recorded, code), { changes: [], doubts: [] });
  // Records of earlier versions stay readable.
  const earlier = compareDeterminants({ version: 1, documents: other }, recorded);
  assert.deepEqual(earlier.changes, []);
  assert.match(earlier.doubts.join(), /did not record the graph of its step$/);
});

/** Changes of the code, and what a training of it is. */
const changes: [name: string, file: string, from: string, to: string, kind: Change][] = [
  [
    "an operation",
    "src/graph/ops/layer_norm.ts",
    "sub(sub(dn, reduceMean(dn)), ",
    "sub(dn, ",
    "graph",
  ],
  [
    "the order of the batches",
    "src/text/document_stream.ts",
    ".shuffle(parts)",
    ".shuffle(parts).reverse()",
    "batches",
  ],
  [
    "the memory",
    "src/memory/ring.ts",
    "this.count += added;",
    "this.count += 1 * added;",
    "sources",
  ],
  [
    "how a graph is executed",
    "src/runtime/host_device.ts",
    'import { checkedFeeds, type SessionInput, sessionInputs } from "./feeds.ts";',
    'import { checkedFeeds, type SessionInput, sessionInputs } from "./feeds.ts";\nconst _added = 1;',
    "sources",
  ],
  ["a comment", "src/memory/ring.ts", "/** Chunks stored. */", "/** Stored chunks. */", "nothing"],
];

type Change = "graph" | "batches" | "sources" | "nothing";

/** Runs tiny.ts with the code of a folder, one retrieved size a run; both runs train the same. */
function runTiny(code: string, folder: string, retrievedTokens: number, ...args: string[]) {
  return spawnRun(folder, [...tinyArguments(retrievedTokens), ...args], { code });
}

function tinyArguments(retrievedTokens: number): string[] {
  return [
    declaration("tiny_sweep.ts"),
    ...["--set", "memory.chunkTokens=4"],
    ...["--set", `evaluations.0.memory.retrievedTokens=${retrievedTokens}`],
    ...["--set", "evaluations.0.models=backbone,longmem"],
    ...["--set", "adaptation.steps=24"],
  ];
}

/** The folder of the run that evaluates with a retrieved size. */
async function runOf(folder: string, retrievedTokens: number): Promise<string> {
  for (const path of await runFolders(join(folder, "results"))) {
    const { evaluations } = await readJson(path, "experiment.json");
    if (evaluations[0].memory.retrievedTokens === retrievedTokens) return path;
  }
  throw new Error(`There is no run with ${retrievedTokens} retrieved tokens`);
}

test("trainings are neither taken nor resumed where the code would come to other weights", async () => {
  await withFolder(async (base) => {
    const code = join(base, "code"), interrupted = join(base, "interrupted");
    await copyFolder(repositoryPath("src"), join(code, "src"));
    for (const name of ["deno.json", "deno.lock", "library.ts", "mod.ts"]) {
      await Deno.copyFile(repositoryPath(name), join(code, name));
    }
    await writeCorpus(join(interrupted, "corpus"));
    // In the second training.
    const outcome = await signalAfterLines(12 + 12, "SIGINT", interrupted, tinyArguments(32), {
      code,
    });
    assert.equal(outcome.code, 130, outcome.stderr);
    const finished = join(base, "finished");
    await copyFolder(interrupted, finished);
    const first = await outcomeOf(runTiny(code, finished, 32));
    assert.equal(first.code, 0, first.stderr);

    for (const [name, file, from, to, kind] of changes) {
      const path = join(code, file), source = await Deno.readTextFile(path);
      assert.ok(source.includes(from), `${file} has ${from}`);
      await Deno.writeTextFile(path, source.replace(from, to));
      await checkTaken(name, kind, join(base, name));
      const isFirst = changes.find((change) => change.at(-1) === kind)?.[0] === name;
      if (kind !== "nothing" && isFirst) {
        await checkResumed(name, kind, join(base, `${name} resumed`));
      }
      await Deno.writeTextFile(path, source);
    }

    /** Runs what the finished run has trained. */
    async function checkTaken(name: string, kind: Change, folder: string): Promise<void> {
      await copyFolder(finished, folder);
      const { code: exit, stderr } = await outcomeOf(runTiny(code, folder, 16));
      assert.equal(exit, 0, stderr);
      const { taken = {} } = await readJson(await runOf(folder, 16), "environment.json");
      const wanted = kind === "nothing" ? ["backbone", "longmem"] : [];
      assert.deepEqual(Object.keys(taken), wanted, `taken after ${name}`);
    }

    /** Resumes the interrupted run, whose backbone is finished. */
    async function checkResumed(
      name: string,
      kind: Exclude<Change, "nothing">,
      folder: string,
    ): Promise<void> {
      await copyFolder(interrupted, folder);
      const outcome = await outcomeOf(runTiny(code, folder, 32));
      const { state, error } = await readJson(await runOf(folder, 32), "summary.json");
      switch (kind) {
        case "graph":
          assert.deepEqual([outcome.code, state], [1, "failed"], name);
          assert.match(
            error,
            /^Cannot use training "backbone" of run ".*" as what determines its weights has changed since it began: the graph of its step \(SHA-256 [0-9a-f]{12}, recorded is [0-9a-f]{12}\); .*--fresh/,
          );
          return await checkFresh(folder);
        case "batches":
          // Those of the finished training are not read again.
          assert.deepEqual([outcome.code, state], [1, "failed"], name);
          assert.match(
            error,
            /^Cannot resume training "longmem" .* has changed since it began: its batches \(SHA/,
          );
          return;
        case "sources":
          assert.deepEqual([outcome.code, state], [0, "completed"], name);
          for (const phase of ["backbone", "longmem"]) {
            assert.match(
              outcome.stdout,
              new RegExp(
                `${phase}: the code of its memory, its updates or its validation has changed`,
              ),
            );
          }
          return;
        default:
          return kind satisfies never;
      }
    }

    async function checkFresh(folder: string): Promise<void> {
      const { code: exit, stderr } = await outcomeOf(runTiny(code, folder, 32, "--fresh"));
      assert.equal(exit, 0, stderr);
      const of = async (folder: string) => {
        const { determinedBy, weights } = await readJson(
          await runOf(folder, 32),
          "checkpoint/backbone/phase.json",
        );
        return [determinedBy.graph, weights];
      };
      const [graph, weights] = await of(folder), [before, earlier] = await of(finished);
      assert.notEqual(graph, before);
      assert.notEqual(weights, earlier);
    }
  });
});
