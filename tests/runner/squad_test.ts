import type { Experiment } from "../../src/experiment/declaration.ts";
import { measuresOf } from "../../src/evaluation/evaluation_kind.ts";
import { totalOfDraws } from "../../src/evaluation/shared/few_shot_metrics.ts";
import { metricsWith } from "../evaluation/measured_metrics.ts";
import { exactMatch, f1, squad } from "../../src/evaluation/squad.ts";
import type { SampleRecord } from "../../src/results/records.ts";
import { resolveRun } from "../../src/experiment/resolve.ts";
import type { EvaluationInputs, EvaluationTexts } from "../../src/evaluation/evaluation_kind.ts";
import { openTokenizer } from "../../src/text/tokenizers/tokenizers.ts";
import { ScriptedModel } from "../evaluation/scripted_model.ts";
import { runExperiment } from "../../src/queue/run_experiment.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, sharedPath, sharedTest, test } from "../testing.ts";

const training = { batchSize: 1, contextTokens: 128, steps: 2, learningRate: 1e-3 };
const models = ["backbone", "longmem", "longmem-memory-off"] as const;

/** A small corpus in a folder, and the smallest LongMem, which is asked the questions of another. */
async function declare(folder: string, squad: string): Promise<Experiment> {
  for (const split of ["train", "valid", "test"]) {
    await Deno.mkdir(`${folder}/corpus/${split}`, { recursive: true });
    const text = "Context: Rain falls in Oslo. Question: Where? Answer: Oslo\n";
    await Deno.writeTextFile(`${folder}/corpus/${split}/${split}.txt`, text.repeat(40));
  }
  return {
    name: "questions",
    corpus: { folder: `${folder}/corpus`, train: "train", valid: "valid", test: "test" },
    tokenizer: { kind: "bpe", vocabSize: 280 },
    backbone: { kind: "pretrain", layers: 2, hiddenDim: 16, heads: 2, training },
    sidenet: { memoryBlock: 1 },
    memory: { capacityTokens: 512, chunkTokens: 4, retrievedTokens: 16 },
    adaptation: training,
    evaluations: [{
      kind: "squad",
      folder: squad,
      seeds: [1, 2],
      shots: 1,
      memoryDemonstrations: 3,
      maxAnswerTokens: 3,
      maxItems: 4,
      batchSize: 3,
      models,
    }],
  };
}

async function readSamples(path: string): Promise<(SampleRecord & { model: string })[]> {
  return (await Deno.readTextFile(path)).trim().split("\n").map((line) => JSON.parse(line));
}

test("runExperiment() asks questions of SQuAD and scores the answers", async () => {
  await withFolder(async (folder) => {
    const article = (title: string) => ({
      title,
      paragraphs: [0, 1, 2, 3].map((i) => ({
        context: `Rain ${i} falls in ${title}.`,
        qas: [{ id: `${title}-${i}`, question: "Where?", answers: [{ text: title }] }],
      })),
    });
    const data = ["Oslo", "Lima", "Rome"].map(article);
    await Deno.writeTextFile(`${folder}/dev-v1.1.json`, JSON.stringify({ data }));
    const split = { demonstrations: ["Oslo"], evaluation: ["Lima", "Rome"] };
    await Deno.writeTextFile(`${folder}/dev-article-split.json`, JSON.stringify(split));

    const results = `${folder}/results`;
    const experiment = await declare(folder, folder);
    const { state, metrics, run } = await runExperiment(experiment, { results, device: "cpu" });
    assert.equal(state, "completed");
    const samples = await readSamples(`${results}/questions/${run}/samples/squad.jsonl`);
    const of = (model: string) => samples.filter((sample) => sample.model === model);
    for (const model of models) {
      assert.deepEqual(
        of(model).map(({ item, seed }) => [item, seed]),
        [1, 2].flatMap((seed) =>
          ["Lima-0", "Lima-2", "Rome-0", "Rome-2"].map((item) => [item, seed])
        ),
      );
      for (const { item, answers, prediction, exactMatch: exact, f1: overlap } of of(model)) {
        assert.equal(answers, String(item).split("-")[0]);
        assert.equal(exact, exactMatch(String(prediction), [String(answers)]));
        assert.equal(overlap, f1(String(prediction), [String(answers)]));
      }
      assert.deepEqual(
        metrics.filter((metric) => metric.model === model),
        metricsWith({ evaluation: "squad", model }, {
          version: () => 3,
          total: (measure) => totalOfDraws(measure, () => 8),
          measures: (records) => measuresOf(squad, records, undefined as never),
        }, {
          samples: of(model),
          ...(model !== "backbone" &&
            { baseline: { model: "backbone", samples: of("backbone") } }),
        }),
      );
    }
    const { hashes } = JSON.parse(
      await Deno.readTextFile(`${results}/questions/${run}/environment.json`),
    );

    // What is written to the memory before the questions: three of the other article's paragraphs.
    const { experiment: { evaluations: [evaluation] } } = resolveRun("test", experiment);
    assert.ok(evaluation.kind === "squad");
    const tokenizer = await openTokenizer({
      kind: "file",
      path: `${results}/questions/${run}/tokenizer.json`,
    });
    const recorded: string[] = [];
    const steps = await squad.prepare(evaluation, {
      texts: { tokenizer } as EvaluationTexts,
      recordHash: (_: string, hash: string) => Promise.resolve(void recorded.push(hash)),
    } as EvaluationInputs);
    assert.ok("score" in steps);
    assert.deepEqual(recorded, [hashes.squad]);
    const read: number[][] = [];
    const model = new ScriptedModel({
      names: () => {
        read.splice(0, read.length, ...model.segments);
        return tokenizer.specialIds.eos;
      },
    }, tokenizer.specialIds.pad!);
    const reported: [number, number][] = [];
    await steps.score(model, {
      signal: new AbortController().signal,
      report: (done, total) => reported.push([done, total]),
    });
    assert.deepEqual(reported.at(-1), [8, 8]);
    const shown = tokenizer.decode(read.flat());
    assert.match(shown, /^(Context: Rain \d falls in Oslo. Question: Where\? Answer: Oslo){3}$/);
  });
});

sharedTest("runExperiment() asks real questions of SQuAD in GPT-2's tokens", async () => {
  await withFolder(async (folder) => {
    const squad = sharedPath("data/squad");
    const experiment = await declare(folder, squad);
    const { metrics } = await runExperiment({
      ...experiment,
      tokenizer: { kind: "gpt2", folder: sharedPath("data/gpt2_bpe") },
      evaluations: [{
        kind: "squad",
        folder: squad,
        seeds: [1],
        contextTokens: 512,
        memoryDemonstrations: 5,
        maxAnswerTokens: 2,
        maxItems: 3,
        batchSize: 3,
        models: ["backbone", "longmem"],
        memory: { capacityTokens: 2048 },
      }],
    }, { results: `${folder}/results`, device: "cpu" });
    assert.deepEqual(
      metrics.filter(({ name }) => ["exact match", "F1"].includes(name))
        .map(({ model, name, n, total }) => [model, name, n, total]),
      [
        ["backbone", "exact match", 3, 5609],
        ["backbone", "F1", 3, 5609],
        ["longmem", "exact match", 3, 5609],
        ["longmem", "F1", 3, 5609],
      ],
    );
  });
});
