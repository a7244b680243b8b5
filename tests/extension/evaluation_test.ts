/**
 * A kind of evaluation and a model under test are a file and a line each: here both are registered from outside, and declared,
 * estimated, run, recorded, tabulated and reported without any other change.
 */
import { z } from "zod";
import { positiveInteger } from "../../src/declaration/fields.ts";
import { measureModels } from "../../src/evaluation/evaluate.ts";
import type { EvaluationConfig, EvaluationDeclaration } from "../../src/evaluation/evaluations.ts";
import { evaluations } from "../../src/evaluation/evaluations.ts";
import {
  evaluationForm,
  type EvaluationKind,
  fillModelEvaluation,
  limitOf,
  type ModelEvaluation,
  type ModelEvaluationDeclaration,
  onceReadMemory,
} from "../../src/evaluation/evaluation_kind.ts";
import { metricCatalog, readReportedRun } from "../../src/evaluation/metric_catalog.ts";
import { models } from "../../src/evaluation/models.ts";
import type { ModelKind } from "../../src/evaluation/model_kind.ts";
import { EncodedMemories } from "../../src/evaluation/shared/memory_cache.ts";
import type { Experiment } from "../../src/experiment/declaration.ts";
import { estimateRun } from "../../src/experiment/estimate.ts";
import { resolveRun } from "../../src/experiment/resolve.ts";
import { runExperiment } from "../../src/queue/run_experiment.ts";
import { experimentTables } from "../../src/results/evaluation_table.ts";
import type { RunSummary } from "../../src/results/records.ts";
import { experimentReport } from "../../src/results/report.ts";
import { formatTables } from "../../src/results/table.ts";
import { smallParts } from "../longmem/random_model.ts";
import type { Device } from "../../src/runtime/device.ts";
import { smallChronicle, smallTraining } from "../runner/small_chronicle.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, test } from "../testing.ts";

interface EchoEvaluation extends ModelEvaluation {
  readonly kind: "echo";
  readonly rounds: number;
}
type EchoDeclaration = ModelEvaluationDeclaration & {
  readonly kind: "echo";
  readonly rounds?: number;
};

const record = z.looseObject({ item: z.string(), round: z.number(), heard: z.boolean() });

/** Whether a model names the token that it has just read. */
const echo: EvaluationKind<EchoDeclaration, EchoEvaluation, z.infer<typeof record>> = {
  schema: evaluationForm("echo", () => ({ rounds: positiveInteger.exactOptional() })),
  fill: (declared, from) => ({ name: "echo", rounds: 8, ...fillModelEvaluation(declared, from) }),
  check: ({ rounds }, path) =>
    rounds === 13 ? [{ path: `${path}.rounds`, message: "must not be unlucky" }] : [],
  readsOnce: true,
  limit: limitOf("rounds"),
  describe: ({ rounds }) => `${rounds} echoes`,
  cost: ({ rounds, contextTokens }) => () => rounds * contextTokens,
  prepare: ({ rounds, contextTokens }) => ({
    async score(model, { report }) {
      const records = [];
      for (let round = 0; round < rounds; round++) {
        const tokens = new Int32Array(contextTokens).fill(4 + round);
        await model.startDocument(0, round);
        const { choices } = await model.ask({ tokens, targets: tokens, rows: 1 });
        records.push({ item: `round ${round}`, round, heard: choices.at(-1) === 4 + round });
        report(round + 1, rounds, "prompts");
      }
      return records;
    },
  }),
  version: () => 3,
  record,
  measures: (records) =>
    ["even", "odd"].map((half, parity) => {
      const own = records.filter(({ round }) => round % 2 === parity);
      return {
        measure: "echo",
        at: { half },
        name: `echo ${half}`,
        sums: {
          items: own.map(({ item }) => item),
          unit: "rounds",
          numerators: own.map(({ heard }) => Number(heard)),
          denominators: own.map(() => 1),
          exponential: false,
        },
      };
    }),
  label: ({ at }) => ({ part: "", header: `${at?.half} rounds`, isProportion: true }),
};

/** The parrots that were opened, and whether memories of texts that are read once were given. */
const opened: [name: string, isReadOnce: boolean][] = [];

/** Names the last token. */
const parrot: ModelKind<{ readonly model: "parrot"; readonly pitch?: number }, {
  readonly model: "parrot";
  readonly pitch: number;
}> = {
  schema: z.strictObject({
    model: z.literal("parrot"),
    pitch: z.int().describe("whole numbers").exactOptional(),
  }),
  fill: (declared) => ({ pitch: 0, ...declared }),
  nameOf: ({ pitch }) => `parrot-${pitch}`,
  needs: [],
  label: "a parrot",
  open: ({ pitch }, _trained, { name, memories }) => {
    opened.push([name, memories !== undefined]);
    const say = (tokens: Int32Array) => ({
      nll: new Float32Array(tokens.length).fill(1),
      choices: tokens.map((id) => id + pitch),
    });
    return Promise.resolve({
      model: {
        name,
        startDocument: () => Promise.resolve(),
        read: () => Promise.resolve(),
        score: ({ tokens }) => Promise.resolve(say(tokens).nll),
        choose: ({ tokens }) => Promise.resolve(say(tokens)),
        ask: ({ tokens }) => Promise.resolve(say(tokens)),
      },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    });
  },
};

test("A registered kind of evaluation and model run from declaration to report", async () => {
  const { sidenet: _sidenet, memory: _memory, ...declared } = smallChronicle;
  const experiment = {
    name: "extension",
    ...declared,
    evaluations: [
      { kind: "echo", models: [{ model: "parrot", pitch: 1 }, "parrot", "backbone"], rounds: 14 },
      { kind: "perplexity", split: "test", models: ["parrot"] },
    ] as unknown as EvaluationDeclaration[],
  } satisfies Experiment;
  assert.throws(() => resolveRun("a.ts", experiment), /evaluations\.0\.kind has a wrong value/);
  {
    using _echo = evaluations.register("echo", echo as never);
    using _parrot = models.register("parrot", parrot as never);
    const { experiment: resolved } = resolveRun("a.ts", experiment);
    assert.deepEqual(resolved.evaluations[0].models, [
      { pitch: 1, model: "parrot" },
      { pitch: 0, model: "parrot" },
      "backbone",
    ]);
    const { evaluations: estimated } = await estimateRun(resolved);
    assert.equal(estimated[0].tokens, 3 * 14 * 16);
    const unlucky = { ...experiment, evaluations: [{ ...experiment.evaluations[0], rounds: 13 }] };
    assert.throws(() => resolveRun("a.ts", unlucky as Experiment), /rounds must not be unlucky/);

    await withFolder(async (results) => {
      const { state, metrics, run } = await runExperiment(experiment, { results, device: "cpu" });
      assert.equal(state, "completed");
      assert.deepEqual(opened, [["parrot-1", true], ["parrot-0", true], ["parrot-0", false]]);
      const value = (model: string, half: string) =>
        metrics.find((metric) =>
          metric.model === model && metric.measure === "echo" && metric.at?.half === half
        );
      assert.deepEqual(
        ["even", "odd"].map((half) => [value("parrot-0", half)?.value, value("parrot-1", half)?.n]),
        [[1, 7], [1, 7]],
      );
      assert.equal(value("parrot-0", "odd")!.metricVersion, 3);
      const folder = `${results}/extension/${run}`;
      const tables = experimentTables([await readReportedRun(folder)], metricCatalog);
      const text = formatTables(tables, "md");
      assert.match(text, / even rounds \|/);
      assert.match(text, /\| parrot-0 +\| \*?\*?1\.00/);
      const [{ tables: [{ rows, columns }] }] = tables;
      assert.ok(columns[0].isProportion);
      assert.equal(rows[1].cells[0]!.difference?.value, 1, "compared item by item");
      assert.equal(rows[1].cells[0]!.over?.unit, "rounds");
      const { html } = experimentReport(tables[0], metricCatalog);
      assert.match(html, /odd rounds/);
    });
  }
  assert.ok(!evaluations.names.includes("echo") && !models.names.includes("parrot"));
  assert.throws(() => resolveRun("a.ts", experiment), /evaluations\.0\.kind has a wrong value/);
});

test("A registered kind without texts refuses controls that read others", async () => {
  using _echo = evaluations.register("echo", echo as never);
  for (
    const [model, name] of [
      ["longmem-other-document", "longmem-other-document"],
      [{ model: "longmem-other-document", texts: 3 }, "longmem-other-document-3"],
    ]
  ) {
    const experiment = {
      name: "extension",
      ...smallChronicle,
      adaptation: smallTraining,
      evaluations: [{ kind: "echo", name: "heard", models: [model], memory: onceReadMemory }],
    } as unknown as Experiment;
    await withFolder(async (results) => {
      await assert.rejects(runExperiment(experiment, { results, device: "cpu" }), {
        name: "RangeError",
        message:
          `Cannot measure "${name}" in "heard" as its items have no texts that others could replace: ` +
          "allowed are other models",
      });
    });
  }
});

test("Models are compared on the same items, of the same draws where records have their seeds", async () => {
  const records: Record<string, { item: string; seed?: number }[]> = {
    "parrot-0": [{ item: "a", seed: 1 }, { item: "a", seed: 2 }],
    "parrot-1": [{ item: "a", seed: 2 }, { item: "a", seed: 1 }],
    "parrot-2": [{ item: "a", seed: 1 }, { item: "b", seed: 2 }],
    "parrot-3": [{ item: "a", seed: 1 }],
    "parrot-4": [{ item: "a" }, { item: "a" }],
    "parrot-5": [{ item: "a", seed: 1 }, { item: "a", seed: 2 }],
  };
  using _echo = evaluations.register("echo", echo as never);
  using _parrot = models.register("parrot", parrot as never);
  const { backbone } = smallParts();
  const measured: string[] = [];
  const compare = (pitch: number) =>
    measureModels({
      kind: "echo",
      name: "heard",
      models: [{ model: "parrot", pitch: 0 }, { model: "parrot", pitch }],
      batchSize: 1,
      contextTokens: 16,
    } as unknown as EvaluationConfig, {
      items: {
        score: ({ name }) =>
          Promise.resolve(records[name].map((own, round) => ({ round, heard: true, ...own }))),
      },
      trained: { backbone, models: {} },
      device: {} as Device,
      seed: 1,
      memories: new EncodedMemories(backbone),
      results: {
        summary: { metrics: [] } as unknown as RunSummary,
        readSamples: () => Promise.resolve([]),
        keepSamples: () => Promise.resolve([]),
        appendSamples(_evaluation, model) {
          measured.push(model);
          return Promise.resolve();
        },
        recordMetrics: () => Promise.resolve(),
        recordHash: () => Promise.resolve(),
      },
      signal: new AbortController().signal,
      report: () => {},
    });
  const different = (pitch: number, items: string) => ({
    message: `Cannot compare "parrot-${pitch}" with "parrot-0" in "heard" as item ${items}; ` +
      "--fresh starts the run again",
  });
  await assert.rejects(
    compare(1),
    different(1, "1 must be the same: current items are a of seed 2 and a of seed 1"),
  );
  await assert.rejects(compare(2), different(2, "2 must be the same: current items are b and a"));
  await assert.rejects(
    compare(3),
    different(3, "2 must be the same: current items are none and a"),
  );
  measured.length = 0;
  await compare(4);
  await compare(5);
  assert.deepEqual(measured, ["parrot-0", "parrot-4", "parrot-0", "parrot-5"]);
});
