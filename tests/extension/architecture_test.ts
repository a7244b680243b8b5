import { z } from "zod";
import { architectures, registerArchitecture } from "../../src/backbone/architectures.ts";
import { decoder } from "../../src/backbone/decoder.ts";
import { describeRuns } from "../../src/commands/dry_run.ts";
import { positiveInteger, trueOrFalse } from "../../src/declaration/fields.ts";
import { introducedAt } from "../../src/declaration/identity.ts";
import type { Experiment } from "../../src/experiment/declaration.ts";
import { resolveSweep } from "../../src/experiment/resolve.ts";
import { runExperiment } from "../../src/queue/run_experiment.ts";
import { currentEnvironment } from "../../src/results/environment.ts";
import { writeCorpus } from "../queue/command_line_run.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, test } from "../testing.ts";

/** An architecture as another file would add it: learned positions and RMS norms, beside each other, gated if it is told to. */
const stone = decoder({
  name: "stone",
  settings: z.strictObject({
    pebbles: positiveInteger.default(64),
    polished: introducedAt(trueOrFalse, false).default(false),
  }),
  plan: ({ heads, hiddenDim }, { pebbles, polished }) => ({
    keyValueHeads: 1,
    headDim: hiddenDim / heads,
    norm: { kind: "rms", epsilon: 1e-5 },
    positions: { kind: "learned", count: pebbles },
    residual: "parallel",
    attentionBias: { qkv: false, out: true },
    mlp: { gated: polished, activation: "gelu", bias: false },
    tied: true,
  }),
});

const training = { batchSize: 2, contextTokens: 32, steps: 2, learningRate: 1e-3 };

/** A declaration of such a backbone, in a folder with a corpus. */
const declare = (folder: string, fields: object): Experiment => ({
  name: "stone",
  corpus: { folder: `${folder}/corpus`, train: "train", valid: "valid", test: "test" },
  tokenizer: { kind: "bpe", vocabSize: 280 },
  backbone: { kind: "pretrain", layers: 2, hiddenDim: 16, heads: 2, training, ...fields },
  sidenet: { memoryBlock: 1 },
  memory: { capacityTokens: 128, retrievedTokens: 16 },
  adaptation: training,
  evaluations: [{
    kind: "perplexity",
    split: "test",
    models: [
      "backbone",
      "longmem",
      "longmem-memory-off",
      "memorizing-transformer",
      { model: "infllm", capacityTokens: 128, chunkTokens: 4, retrievedTokens: 16 },
      { model: "backbone-sliding-window", windowTokens: 64 },
    ],
    maxDocuments: 1,
  }],
  device: "cpu",
});

test("an architecture that is registered is declared, described and run, with no other change", () =>
  withFolder(async (folder) => {
    await writeCorpus(`${folder}/corpus`);
    const resolve = (fields: object, ...assignments: string[]) =>
      resolveSweep("stone.ts", declare(folder, fields), { assignments });
    const problemsOf = (action: () => unknown) => {
      try {
        action();
      } catch (error) {
        return (error as Error).message.replaceAll(/^.* as /g, "");
      }
      return assert.fail("nothing was refused");
    };
    const known = architectures().map(({ name }) => name).join(", ");
    assert.ok(known.startsWith("longmem_gpt2, gpt2, llama, "));
    assert.ok(
      problemsOf(() => resolve({ architecture: "stone" })).endsWith(
        `backbone.architecture has a wrong value: current value is "stone", allowed are ${known}`,
      ),
    );

    using _stone = registerArchitecture(stone);
    const architecture = "stone";
    assert.match(
      problemsOf(() => resolve({ architecture: "stoen" })),
      /allowed are .*stone.*\(did you mean "stone"\?\)/,
    );
    assert.match(
      problemsOf(() => resolve({ architecture, settings: { pebles: 9 } })),
      /backbone.settings.pebles is unknown: .*\(did you mean "pebbles"\?\)/,
    );
    assert.match(
      problemsOf(() => resolve({ architecture, settings: { ropeTheta: 9 } })),
      /backbone.settings.ropeTheta is not a setting of architecture "stone": allowed are pebbles, polished/,
    );
    assert.match(
      problemsOf(() => resolve({ settings: { pebbles: 9 } })),
      /backbone.settings.pebbles is not a setting of architecture "longmem_gpt2": it has none/,
    );
    assert.match(
      problemsOf(() => resolve({ architecture, heads: 3 })),
      /hiddenDim must be a multiple of heads: current values are 16 and 3/,
    );
    assert.match(
      problemsOf(() => resolve({ architecture, settings: { pebbles: 16 } })),
      /backbone.training.contextTokens must not exceed .*: current value is 32, allowed are integers up to 16/,
    );
    const [set] = resolve({}, "backbone.architecture=stone", "backbone.settings.pebbles=99");
    assert.deepEqual(
      Object.fromEntries(
        Object.entries(set.experiment.backbone).filter(([name]) =>
          name === "architecture" || name === "settings"
        ),
      ),
      { architecture, settings: { pebbles: 99, polished: false } },
    );
    const idOf = (fields: object) => resolve(fields)[0].id;
    assert.equal(idOf({}), idOf({ architecture: "longmem_gpt2" }));
    assert.notEqual(idOf({}), idOf({ architecture }));
    assert.equal(idOf({ architecture }), idOf({ architecture, settings: { polished: false } }));
    assert.notEqual(idOf({ architecture }), idOf({ architecture, settings: { polished: true } }));

    const described = await describeRuns(
      resolve({ architecture }),
      `${folder}/results`,
      await currentEnvironment(),
    );
    assert.match(described, /train longmem: 2 steps/);
    const options = { results: `${folder}/results` };
    for (const settings of [{}, { polished: true }]) {
      const run = await runExperiment(declare(folder, { architecture, settings }), options);
      assert.equal(run.state, "completed");
      const perplexities = run.metrics.filter(({ name }) => name === "perplexity");
      assert.equal(perplexities.length, 6);
      for (const { value } of perplexities) assert.ok(value > 1 && value < 1000, `${value}`);
    }
  }));
