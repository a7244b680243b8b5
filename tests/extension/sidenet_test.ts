import { z } from "zod";
import { describeRuns } from "../../src/commands/dry_run.ts";
import {
  type SideNetConfig,
  type SideNetDeclaration,
  sidenets,
} from "../../src/checkpoint/sidenets.ts";
import { positiveInteger, text } from "../../src/declaration/fields.ts";
import type { Experiment } from "../../src/experiment/declaration.ts";
import { resolveSweep } from "../../src/experiment/resolve.ts";
import type { SideNetKind } from "../../src/longmem/config.ts";
import { initializeSideNet } from "../../src/longmem/initialization.ts";
import { runExperiment } from "../../src/queue/run_experiment.ts";
import { currentEnvironment } from "../../src/results/environment.ts";
import { readFinishedRun } from "../../src/runner/load_trained_model.ts";
import { smallChronicle, smallTraining } from "../runner/small_chronicle.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, test } from "../testing.ts";

interface LentConfig {
  readonly kind: "lent";
  readonly lender: string;
  readonly seed: number;
}

const shape = { layers: 1, reductionFactor: 2, memoryBlock: 1, crossNetworkResidual: false };

/** How a SideNet comes to its weights, as another file would add it: somebody else has trained it, and says its wiring in a file. */
const lentKind: SideNetKind<Partial<LentConfig> & Pick<LentConfig, "kind" | "lender">, LentConfig> =
  {
    schema: z.strictObject({
      kind: z.literal("lent"),
      lender: text,
      seed: positiveInteger.exactOptional(),
    }) as unknown as z.ZodType<LentConfig>,
    missing: ({ lender }, path) =>
      lender === "nobody" ? [{ path: `${path}.seed`, message: "is missing" }] : [],
    fill: (declared) => ({ seed: 7, ...declared }),
    check: ({ seed }, path, { layers, field }) =>
      seed === 13
        ? [{ path: `${path}.seed`, message: `is unlucky beside ${layers} ${field}` }]
        : [],
    isTrained: true,
    shapeOf: () => ({ reductionFactor: 2, memoryBlock: 1 }),
    readShape: () => Promise.resolve(shape),
    files: ({ lender }, path) => [{ field: `${path}.lender`, path: lender }],
    start: ({ seed }, backbone) => {
      const weights = initializeSideNet(shape, backbone, { kind: "random" }, seed);
      return Promise.resolve({ shape, weights });
    },
  };

const declare = (lender: string, fields: Partial<Experiment> = {}): Experiment => ({
  name: "lent",
  ...smallChronicle,
  // The types of declarations do not know it.
  sidenet: { kind: "lent", lender } as unknown as SideNetDeclaration,
  evaluations: [{ kind: "perplexity", split: "test", models: ["backbone", "longmem"] }],
  device: "cpu",
  ...fields,
});

test("a kind of SideNet that is registered is declared, described and run, with no other change", () =>
  withFolder(async (folder) => {
    const lender = `${folder}/lender.txt`, options = { results: `${folder}/results` };
    const resolve = (declared: Experiment, ...assignments: string[]) =>
      resolveSweep("lent.ts", declared, { assignments });
    assert.throws(
      () => resolve(declare(lender)),
      /sidenet.kind has a wrong value: current value is "lent", allowed are initialized, checkpoint$/,
    );
    using _lent = sidenets.register(
      "lent",
      lentKind as unknown as SideNetKind<SideNetDeclaration, SideNetConfig>,
    );
    assert.throws(
      () => resolve(declare(lender), "sidenet.sed=3"),
      /"sed" is not a field of sidenet: .*"seed"/,
    );
    assert.throws(() => resolve(declare("nobody")), /sidenet.seed is missing/);
    assert.throws(
      () => resolve(declare(lender), "sidenet.seed=13"),
      /sidenet.seed is unlucky beside 2 backbone.layers/,
    );
    assert.throws(
      () => resolve(declare(lender, { memory: undefined, evaluations: [] })),
      /memory is missing, but sidenet.kind is "lent": such a SideNet reads one/,
    );
    assert.throws(
      () => resolve(declare(lender), "evaluations.0.models.0=untrained-with-memory"),
      /must not be listed where sidenet.kind is "lent", as that SideNet was trained/,
    );
    const [run] = resolve(declare(lender));
    assert.deepEqual(run.experiment.sidenet, { kind: "lent", lender, seed: 7 });
    const described = await describeRuns([run], options.results, await currentEnvironment());
    await assert.rejects(
      runExperiment(declare(lender), options),
      /Cannot run "lent" as sidenet.lender is missing: current value is ".*lender.txt"/,
    );

    await Deno.writeTextFile(lender, "a friend");
    const asLent = await runExperiment(declare(lender), options);
    assert.equal(asLent.state, "completed");
    const { hashes, inputs } = JSON.parse(
      await Deno.readTextFile(`${options.results}/lent/${asLent.run}/environment.json`),
    );
    assert.match(hashes["SideNet lent"], /^[0-9a-f]{64}$/);
    assert.ok(inputs["sidenet.lender"], "the file is one of its inputs");
    const values = asLent.metrics.filter(({ name }) => name === "perplexity");
    assert.equal(new Set(values.map(({ value }) => value)).size, 2);

    const trained = await runExperiment(declare(lender, { adaptation: smallTraining }), options);
    const finished = await readFinishedRun(`${options.results}/lent/${trained.run}`);
    assert.deepEqual(finished.sideNet.shape, shape);
    const counted = [...finished.sideNet.weights.values()]
      .reduce((sum, { data }) => sum + data.length, 0);
    assert.ok(described.includes(`SideNet of ${counted} parameters`), described);
  }));
