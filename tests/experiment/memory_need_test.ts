import { describeRuns } from "../../src/commands/dry_run.ts";
import type { Experiment } from "../../src/experiment/declaration.ts";
import {
  describeExcess,
  gpuBankBytes,
  memoryExcess,
  memoryNeed,
} from "../../src/experiment/memory_need.ts";
import { resolveRun, resolveRuns } from "../../src/experiment/resolve.ts";
import { runExperiment } from "../../src/queue/run_experiment.ts";
import { currentEnvironment } from "../../src/results/environment.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, repositoryPath, test } from "../testing.ts";
import { smallExperiment as small } from "./small_experiment.ts";

/** A machine of 16 GiB. */
const machineBytes = 2 ** 34;

const chronicle: Experiment = {
  ...small,
  corpus: { kind: "chronicle" },
  tokenizer: { kind: "chronicle" },
};

/** Declarations that no such machine holds, by the field that is too large. */
const tooLarge: readonly (readonly [base: Experiment, path: string, value: number])[] = [
  [small, "backbone.layers", 1e9],
  [small, "backbone.layers", 1e5],
  [small, "backbone.hiddenDim", 1e6],
  [small, "backbone.feedForwardDim", 1e9],
  [small, "backbone.training.batchSize", 1e8],
  [small, "backbone.training.contextTokens", 1e8],
  [small, "adaptation.batchSize", 1e8],
  // As many tokens as a declaration may have.
  [{ ...small, backbone: { ...small.backbone, hiddenDim: 2048 } }, "tokenizer.vocabSize", 2 ** 20],
  [small, "memory.capacityTokens", 1e9],
  [small, "memory.capacityTokens", Number.MAX_SAFE_INTEGER],
  [
    { ...small, evaluations: [{ ...small.evaluations[0], memory: { capacityTokens: 4096 } }] },
    "evaluations.0.memory.capacityTokens",
    1e9,
  ],
  [
    {
      ...small,
      evaluations: [{
        ...small.evaluations[0],
        models: [{ model: "infllm", capacityTokens: 256 }],
      }],
    },
    "evaluations.0.models.0.capacityTokens",
    1e9,
  ],
  [
    {
      ...small,
      evaluations: [{
        ...small.evaluations[0],
        models: [{ model: "knn-lm", capacityTokens: 256 }],
      }],
    },
    "evaluations.0.models.0.capacityTokens",
    1e9,
  ],
];

for (const [base, path, value] of tooLarge) {
  test(`memoryExcess() names ${path} of ${value}, and the largest that fits`, () => {
    const resolve = (value: number) =>
      resolveRun("a test", base, { assignments: [`${path}=${value}`] }).experiment;
    assert.equal(
      memoryExcess(resolveRun("a test", base).experiment, undefined, machineBytes),
      undefined,
    );
    const { field, bytes } = memoryExcess(resolve(value), undefined, machineBytes)!;
    assert.equal(field?.path, path);
    assert.equal(field.current, value);
    assert.ok(bytes > machineBytes);
    const step = path === "backbone.hiddenDim" ? 4 : path.includes("layers") ? 2 : 1;
    const largest = field.largest - field.largest % step;
    assert.ok(largest > 0);
    assert.ok(memoryNeed(resolve(largest)) <= machineBytes, `${largest} does not fit`);
    assert.ok(
      memoryNeed(resolve(largest + 2 * step)) > machineBytes,
      `${largest} is not the largest`,
    );
  });
}

test("describeExcess() says what is needed, what there is and what would do", () => {
  const { experiment } = resolveRun("a test", small, {
    assignments: ["memory.capacityTokens=1e9"],
  });
  // Two rows have a bank each: 64 numbers of a token's key and value, and 68 of a chunk's mean key; 580 bytes a token.
  assert.match(
    describeExcess(memoryExcess(experiment, undefined, machineBytes)!),
    /^with memory.capacityTokens it takes at least 1080\.\d GiB of memory: this machine has 16.0 GiB; current value is 1000000000, allowed are integers up to 148\d{5}$/,
  );
});

test("gpuBankBytes() counts what a GPU keeps of a memory, and a dry run shows it", async () => {
  const ofRun = (...assignments: string[]) =>
    resolveRun("a test", chronicle, {
      assignments: ["device=webgpu", "memory.capacityTokens=1e7", ...assignments],
    });
  const bytes = (...assignments: string[]) => gpuBankBytes(ofRun(...assignments).experiment);
  // Two rows have a bank each, of 4 heads: for each a token's key and value have 16, 8 or 5 words, and a chunk's mean key 17.
  const bytesOfToken = { float32: 128 + 17, float16: 64 + 17, int8: 40 + 17 };
  for (const [storage, wanted] of Object.entries(bytesOfToken)) {
    assert.equal(bytes(`memory.storage=${storage}`), 1e7 * 8 * wanted, storage);
  }
  assert.equal(bytes("memory.storage=int8", "memory.place=file"), 1e7 * 8 * 17);
  assert.equal(bytes("device=cpu"), 0);
  const environment = await currentEnvironment();
  const described = (...assignments: string[]) =>
    describeRuns([ofRun(...assignments)], "/nowhere", environment);
  assert.match(await described(), /^ +keys and values take 10\.8 GiB of the GPU's memory$/m);
  assert.doesNotMatch(await described("memory.capacityTokens=9e5"), /the GPU's memory/);
});

test("memoryNeed() lets every experiment of the repository run on 16 GiB", async () => {
  const runs = await resolveRuns([repositoryPath("experiments")]);
  const needs = runs.map(({ experiment, file }) => ({ file, bytes: memoryNeed(experiment) }));
  assert.deepEqual(needs.filter(({ bytes }) => bytes > machineBytes), []);
  assert.ok(needs.some(({ bytes }) => bytes > 2 ** 30));
});

test("a run that no machine holds is refused before anything is allocated, and a dry run says so", () =>
  withFolder(async (folder) => {
    for (
      const [path, value] of [["backbone.hiddenDim", 1e7], ["memory.capacityTokens", 1e12]] as const
    ) {
      const declared = path.startsWith("memory")
        ? { ...chronicle, memory: { capacityTokens: value } }
        : { ...chronicle, backbone: { ...small.backbone, hiddenDim: value } };
      const largest = String.raw`current value is ${value}, allowed are integers up to \d+`;
      const reason = new RegExp(
        String
          .raw`with ${path} it takes at least [\d.]+ GiB of memory: this machine has [\d.]+ GiB; ${largest}$`,
        "m",
      );
      await assert.rejects(
        runExperiment(declared, { results: `${folder}/results`, device: "cpu" }),
        reason,
      );
      const described = await describeRuns(
        [resolveRun("a test", declared)],
        `${folder}/results`,
        await currentEnvironment(),
      );
      assert.match(described, reason);
    }
  }));
