/**
 * A kind of evaluation and a model under test are a file and a line each: here both are registered from outside, and declared,
 * estimated, run, recorded, tabulated and reported without any other change.
 */
import { z } from "zod";
import { positiveInteger } from "../../src/declaration/fields.ts";
import type { EvaluationDeclaration } from "../../src/evaluation/evaluations.ts";
import { evaluations, itemProblem } from "../../src/evaluation/evaluations.ts";
import {
  evaluationForm,
  type EvaluationKind,
  fillModelEvaluation,
  limitOf,
  type ModelEvaluation,
  type ModelEvaluationDeclaration,
} from "../../src/evaluation/evaluation_kind.ts";
import { metricCatalog } from "../../src/evaluation/metric_catalog.ts";
import { models } from "../../src/evaluation/models.ts";
import type { ModelKind } from "../../src/evaluation/model_kind.ts";
import type { Experiment } from "../../src/experiment/declaration.ts";
import { estimateRun } from "../../src/experiment/estimate.ts";
import { resolveRun } from "../../src/experiment/resolve.ts";
import { runExperiment } from "../../src/queue/run_experiment.ts";
import { experimentTables } from "../../src/results/evaluation_table.ts";
import { readRunRecord } from "../../src/results/read_runs.ts";
import { experimentReport } from "../../src/results/report.ts";
import { formatTables } from "../../src/results/table.ts";
import { smallChronicle } from "../runner/small_chronicle.ts";
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
      const tables = experimentTables([await readRunRecord(folder, itemProblem)], metricCatalog);
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
