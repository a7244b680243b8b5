import { z } from "zod";
import type { BackboneKind } from "../../src/backbone/config.ts";
import { initializeBackbone } from "../../src/backbone/initialization.ts";
import { describeRuns } from "../../src/commands/dry_run.ts";
import { positiveInteger } from "../../src/declaration/fields.ts";
import {
  type BackboneConfig,
  type BackboneDeclaration,
  backbones,
} from "../../src/experiment/backbones.ts";
import type { Experiment } from "../../src/experiment/declaration.ts";
import { estimateRun } from "../../src/experiment/estimate.ts";
import { resolveSweep } from "../../src/experiment/resolve.ts";
import { runExperiment } from "../../src/queue/run_experiment.ts";
import { currentEnvironment } from "../../src/results/environment.ts";
import { vocabulary } from "../../src/text/chronicle/vocabulary.ts";
import { smallChronicle, smallTraining } from "../runner/small_chronicle.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, test } from "../testing.ts";

interface DrawnConfig {
  readonly kind: "drawn";
  readonly luck: number;
}

const shape = {
  layers: 2,
  hiddenDim: 8,
  heads: 2,
  feedForwardDim: 32,
  vocabSize: vocabulary.length,
};

/** Where a backbone comes from, as another file would add it: weights drawn at random, and read from one file besides. */
function drawnKind(file: string) {
  const kind: BackboneKind<Partial<DrawnConfig> & { readonly kind: "drawn" }, DrawnConfig> = {
    schema: z.strictObject({
      kind: z.literal("drawn"),
      luck: positiveInteger.exactOptional(),
    }) as unknown as z.ZodType<DrawnConfig>,
    fill: (declared) => ({ luck: 7, ...declared }),
    check: ({ luck }, path) =>
      luck === 13 ? [{ path: `${path}.luck`, message: "must not be unlucky" }] : [],
    shapeOf: (_config, path) => ({ shape, path }),
    files: (_config, path) => Promise.resolve([{ field: `${path}.luck`, path: file }]),
    stored: {
      read: ({ luck }) =>
        Promise.resolve({
          backbone: { shape, weights: initializeBackbone(shape, luck) },
          commit: `luck ${luck}`,
        }),
      tokenizer: () => Promise.resolve({ kind: "chronicle" }),
    },
  };
  // The types of declarations do not know it.
  return kind as unknown as BackboneKind<BackboneDeclaration, BackboneConfig> & {
    readonly trained?: undefined;
  };
}

const declared = {
  name: "drawn",
  ...smallChronicle,
  backbone: { kind: "drawn" } as unknown as { kind: "checkpoint"; path: string },
  adaptation: smallTraining,
  evaluations: [{ kind: "perplexity", split: "test", models: ["backbone", "longmem"] }],
  device: "cpu",
} as const satisfies Experiment;

test("a kind of backbone that is registered is declared, described and run, with no other change", () =>
  withFolder(async (folder) => {
    const resolve = (...assignments: string[]) =>
      resolveSweep("drawn.ts", declared, { assignments });
    assert.throws(() => resolve(), /backbone.kind has a wrong value: current value is "drawn"/);

    const file = `${folder}/luck.txt`;
    using _drawn = backbones.register("drawn", drawnKind(file));
    assert.throws(() => resolve("backbone.luk=3"), /"luk" is not a field of backbone: .*"luck"/);
    assert.throws(() => resolve("backbone.luck=13"), /backbone.luck must not be unlucky/);
    assert.throws(() => resolve("sidenet.memoryBlock=2"), /memoryBlock must be below .*layers/);
    const [run] = resolve("backbone.luck=9");
    assert.deepEqual(run.experiment.backbone, { kind: "drawn", luck: 9 });
    const { backboneParameters, missing } = await estimateRun(run.experiment);
    const counted = [...initializeBackbone(shape, 1).values()]
      .reduce((sum, { data }) => sum + data.length, 0);
    assert.equal(backboneParameters, counted);
    assert.deepEqual(missing, [file]);
    const options = { results: `${folder}/results` };
    await assert.rejects(
      runExperiment(declared, options),
      /Cannot run "drawn" as backbone.luck is missing: current value is ".*luck.txt"/,
    );

    await Deno.writeTextFile(file, "seven");
    const described = await describeRuns([run], options.results, await currentEnvironment());
    assert.match(described, /train longmem: 2 steps/);
    assert.doesNotMatch(described, /train backbone/);
    const { state, run: id } = await runExperiment(declared, options);
    assert.equal(state, "completed");
    const recorded = JSON.parse(
      await Deno.readTextFile(`${folder}/results/drawn/${id}/environment.json`),
    );
    assert.equal(recorded.hashes["backbone commit"], "luck 7");
    assert.ok(recorded.inputs["backbone.luck"], "the file is one of its inputs");
  }));
