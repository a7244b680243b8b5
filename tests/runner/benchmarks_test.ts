import type { Experiment } from "../../src/experiment/declaration.ts";
import { describeSources } from "../../src/commands/missing_data.ts";
import { missingPaths } from "../../src/experiment/estimate.ts";
import { checkExperiment } from "../../src/experiment/validation.ts";
import { resolveRun } from "../../src/experiment/resolve.ts";
import type { SampleRecord } from "../../src/results/records.ts";
import { runExperiment } from "../../src/queue/run_experiment.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, test } from "../testing.ts";
import { smallChronicle } from "./small_chronicle.ts";

const models = ["backbone", "untrained-with-memory", "infllm", "copy"] as const;
const base = {
  name: "benchmarks",
  ...smallChronicle,
  memory: { ...smallChronicle.memory, bank: "shared", reset: "epoch" },
} as const;
const line = (i: number, dataset: string) =>
  JSON.stringify({
    _id: `q${i}`,
    dataset,
    input: "kept Dezer",
    context: `kept Dezer sobek . ${"the ridrel of the pefol zapeed . ".repeat(20)}`,
    answers: ["sobek"],
    length: 100,
    all_classes: null,
  });

test("runExperiment() asks generated benchmarks and those of files of every kind of model", async () => {
  await withFolder(async (folder) => {
    await Deno.mkdir(`${folder}/longbench`);
    for (const dataset of ["qasper", "lcc"]) {
      await Deno.writeTextFile(
        `${folder}/longbench/${dataset}.jsonl`,
        [1, 2, 3, 4].map((i) => line(i, dataset)).join("\n"),
      );
    }
    await Deno.writeTextFile(
      `${folder}/prompts.json`,
      JSON.stringify({ qasper: "{context} {input}", lcc: "{context} {input}" }),
    );
    const experiment: Experiment = {
      ...base,
      evaluations: [
        { kind: "ruler", tasks: ["niah_single_2", "vt"], lengths: [200], instances: 2, models },
        { kind: "babilong", tasks: ["qa1"], lengths: [150, 250], instances: 2, models },
        {
          kind: "benchmark",
          format: "longbench",
          path: `${folder}/longbench`,
          prompts: `${folder}/prompts.json`,
          maxAnswerTokens: 2,
          maxItems: 2,
          models,
        },
      ],
    };
    const { state, metrics, run } = await runExperiment(experiment, {
      results: `${folder}/results`,
      device: "cpu",
    });
    assert.equal(state, "completed");
    const lines = async (name: string): Promise<(SampleRecord & { model: string })[]> =>
      (await Deno.readTextFile(`${folder}/results/benchmarks/${run}/samples/${name}.jsonl`)).trim()
        .split("\n").map((line) => JSON.parse(line));
    for (const name of ["ruler", "babilong", "longbench"]) {
      const samples = await lines(name);
      const measured = [...new Set(samples.map(({ model }) => model))];
      assert.equal(measured.length, name === "longbench" ? 4 : 5);
      for (const model of measured) {
        const own = samples.filter((sample) => sample.model === model);
        assert.equal(own.length, 4, `${name} of ${model}`);
        // One task, or several of as many questions: the score over all is the mean of their scores.
        const all = own.reduce((sum, { score }) => sum + Number(score), 0) / 4;
        const metric = metrics.find((metric) =>
          metric.evaluation === name && metric.model === model && metric.measure === "score" &&
          metric.at?.task === undefined && [undefined, 200].includes(metric.at?.length as number)
        )!;
        assert.ok(Math.abs(metric.value - all) < 1e-12, `${name} of ${model}`);
        assert.equal(metric.n, 4);
        assert.equal(metric.total, name === "longbench" ? 8 : undefined);
      }
    }
    assert.deepEqual(
      (await lines("longbench")).filter(({ model }) => model === "backbone").map(({ item }) =>
        item
      ),
      ["lcc/q1", "lcc/q3", "qasper/q1", "qasper/q3"],
    );
    const chance = (at: object) =>
      metrics.find((metric) =>
        metric.model === "chance" && JSON.stringify(metric.at) === JSON.stringify(at)
      )?.value;
    assert.equal(chance({ task: "niah_single_2", length: 200 }), 1 / 24);
    assert.equal(chance({ length: 150 }), 1 / 6);
    assert.ok(
      !metrics.some(({ evaluation, model }) => evaluation === "longbench" && model === "chance"),
    );
  });
});

test("files that are missing are reported with where they are published", async () => {
  const experiment: Experiment = {
    ...base,
    evaluations: [{
      kind: "benchmark",
      format: "nolima",
      path: "nowhere/needle_set.json",
      haystack: "nowhere/books",
      lengths: [100],
      models: ["backbone"],
    }],
  };
  const run = resolveRun("mine.ts", experiment);
  assert.deepEqual(
    (await missingPaths(run.experiment)).map(({ field, path }) => [field, path]),
    [
      ["evaluations.0.path", "nowhere/needle_set.json"],
      ["evaluations.0.haystack", "nowhere/books"],
    ],
  );
  const sources = await describeSources([run]);
  assert.equal(sources.length, 1);
  assert.match(sources[0], /^nolima: needlesets\/needle_set\.json and, .*"amodaresi\/NoLiMa"$/);
});

test("fields of benchmarks that do not fit are named", () => {
  const problemsOf = (evaluation: object) =>
    checkExperiment(
      { ...base, evaluations: [{ models: ["backbone"], ...evaluation }] } as unknown as Experiment,
    ).problems.map(({ path, message }) => `${path} ${message}`);
  const file = { kind: "benchmark", path: "x.json" };
  assert.deepEqual(problemsOf({ ...file, format: "nolima" }), [
    'evaluations.0.haystack is missing: format "nolima" hides needles in it',
    'evaluations.0.lengths is missing: format "nolima" hides needles in it',
  ]);
  const [lengths] = problemsOf({ ...file, format: "longbench", lengths: [100] });
  assert.match(lengths, /^evaluations\.0\.lengths must not be declared as the texts of format/);
  assert.match(
    problemsOf({ ...file, format: "longbnch" })[0],
    /evaluations\.0\.format .*longbench/,
  );
  assert.match(
    problemsOf({ kind: "ruler", lengths: [100, 100] })[0],
    /^evaluations\.0\.lengths\.1 /,
  );
  assert.match(
    problemsOf({ kind: "ruler", lengths: [2 ** 20], instances: 1000 })[0],
    /^evaluations\.0\.instances must write 268435456 tokens at most: .*integers from 1 to 23/,
  );
  assert.match(
    problemsOf({ kind: "ruler", lengths: [100], tasks: ["niah"] })[0],
    /evaluations\.0\.tasks.*niah_single_1/,
  );
  assert.match(
    problemsOf({ kind: "babilong", lengths: [100], memory: { bank: "per-row" } })[0],
    /^evaluations\.0\.memory\.bank must be "shared"/,
  );
});

test("LongMemEval's records of a model are hypotheses as its official script reads them", () =>
  withFolder(async (folder) => {
    const question = (id: string, type: string) => ({
      question_id: id,
      question_type: type,
      question: "kept Dezer",
      answer: "sobek",
      question_date: "2023/05/30",
      haystack_dates: ["2023/05/01"],
      haystack_sessions: [[{ role: "user", content: "kept Dezer sobek ." }]],
    });
    await Deno.writeTextFile(
      `${folder}/questions.json`,
      JSON.stringify([
        question("q1", "multi-session"),
        question("q2_abs", "multi-session"),
        question("q3", "single-session-preference"),
      ]),
    );
    const types = ["multi-session", "single-session-preference"];
    await Deno.writeTextFile(
      `${folder}/prompts.json`,
      JSON.stringify(Object.fromEntries(types.map((type) => [type, "{context} kept Dezer"]))),
    );
    const { state, metrics, run } = await runExperiment({
      ...base,
      evaluations: [{
        kind: "benchmark",
        format: "longmemeval",
        path: `${folder}/questions.json`,
        prompts: `${folder}/prompts.json`,
        maxAnswerTokens: 2,
        models: ["backbone", "copy"],
      }],
    }, { results: `${folder}/results`, device: "cpu" });
    assert.equal(state, "completed");
    // One question of one task is scored; the others are for a judge.
    const { model } = metrics.find(({ model }) => model.startsWith("copy"))!;
    const own = metrics.filter((metric) => metric.model === model && metric.over === undefined);
    assert.deepEqual(
      own.map(({ name, n }) => [name, n]).sort(),
      [["F1", 1], ["containment", 1], ["log-likelihood", 1]],
    );
    const samples = `${folder}/results/benchmarks/${run}/samples/longmemeval.jsonl`;
    const lines = (await Deno.readTextFile(samples)).split("\n");
    // As docs/benchmarks.md selects them.
    const hypotheses = lines.filter((line) => line.includes(`"model":"${model}"`))
      .map((line) => JSON.parse(line));
    assert.deepEqual(hypotheses.map(({ question_id }) => question_id), ["q1", "q2_abs", "q3"]);
    for (const { hypothesis, prediction, nats, question_id } of hypotheses) {
      assert.equal(hypothesis, prediction.trim());
      assert.ok(hypothesis.length > 0);
      assert.equal(nats === undefined, question_id !== "q1");
    }
  }));
