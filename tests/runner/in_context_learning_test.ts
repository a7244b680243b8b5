import type { Experiment } from "../../src/experiment/declaration.ts";
import type { InContextLearningEvaluation } from "../../src/evaluation/in_context_learning.ts";
import { inContextLearning } from "../../src/evaluation/in_context_learning.ts";
import { measuresOf } from "../../src/evaluation/evaluation_kind.ts";
import { totalOfDraws } from "../../src/evaluation/shared/few_shot_metrics.ts";
import { metricsWith } from "../evaluation/measured_metrics.ts";
import { otherDemonstrations, textsOfEpisodes } from "../../src/evaluation/in_context_learning.ts";
import type { SampleRecord } from "../../src/results/records.ts";
import { runExperiment } from "../../src/queue/run_experiment.ts";
import { sentenceTasks } from "../../src/text/sentence_tasks.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, sharedPath, sharedTest, test } from "../testing.ts";
import { smallBooks, smallChronicle, smallTraining } from "./small_chronicle.ts";

const training = { batchSize: 1, contextTokens: 128, steps: 2, learningRate: 1e-3 };
const models = [
  "backbone",
  "longmem",
  "longmem-memory-off",
  "longmem-other-document",
  "untrained-with-memory",
] as const;

/** Writes a small corpus and two small sets of sentences. */
async function writeData(folder: string): Promise<void> {
  for (const split of ["train", "valid", "test"]) {
    await Deno.mkdir(`${folder}/corpus/${split}`, { recursive: true });
    const text = "Review: a fine film Sentiment: positive. Review: dull Sentiment: negative. ";
    await Deno.writeTextFile(`${folder}/corpus/${split}/${split}.txt`, text.repeat(30));
  }
  const sentences = (prefix: string, count: number) =>
    Array.from({ length: count }, (_, i) => ({ text: `${prefix} ${i}`, label: i % 2 }));
  await Deno.mkdir(`${folder}/icl/SST-2`, { recursive: true });
  await Deno.mkdir(`${folder}/icl/mr`);
  for (const [file, count] of [["train", 24], ["dev", 7]] as const) {
    const lines = sentences(file, count).map(({ text, label }) => `${text}\t${label}\n`);
    await Deno.writeTextFile(
      `${folder}/icl/SST-2/${file}.tsv`,
      `sentence\tlabel\n${lines.join("")}`,
    );
  }
  for (const [file, count] of [["train", 20], ["test", 9]] as const) {
    const lines = sentences(`"m${file}"`, count).map(({ text, label }) => `${label},${text}\n`);
    await Deno.writeTextFile(`${folder}/icl/mr/${file}.csv`, lines.join(""));
  }
}

function experimentIn(folder: string): Experiment {
  const source = {
    kind: "sentences",
    folder: `${folder}/icl`,
    tasks: ["sst-2", "mr"],
    seeds: [1, 5],
    memoryDemonstrations: 8,
  } as const;
  return {
    name: "moods",
    corpus: { folder: `${folder}/corpus`, train: "train", valid: "valid", test: "test" },
    tokenizer: { kind: "bpe", vocabSize: 290 },
    backbone: { kind: "pretrain", layers: 2, hiddenDim: 16, heads: 2, training },
    sidenet: { memoryBlock: 1 },
    memory: { capacityTokens: 512, chunkTokens: 4, retrievedTokens: 16 },
    adaptation: training,
    evaluations: [
      {
        kind: "in-context-learning",
        name: "strict",
        source,
        shots: 2,
        calibration: "content-free",
        batchSize: 4,
        maxItems: 4,
        models,
      },
      {
        kind: "in-context-learning",
        name: "released",
        source: { ...source, draw: "released-code" },
        shots: 1,
        scoring: "open-vocabulary",
        batchSize: 3,
        contextTokens: 64,
        models: ["backbone", "longmem", "backbone-full-context"],
        memory: { eviction: "coarse", missingChunks: "zero-slot" },
      },
    ],
  };
}

async function readSamples(path: string): Promise<(SampleRecord & { model: string })[]> {
  return (await Deno.readTextFile(path)).trim().split("\n").map((line) => JSON.parse(line));
}

test("runExperiment() asks sentences with every model, and compares them by seed and by item", async () => {
  await withFolder(async (folder) => {
    await writeData(folder);
    const results = `${folder}/results`;
    const { state, metrics, run } = await runExperiment(experimentIn(folder), {
      results,
      device: "cpu",
    });
    assert.equal(state, "completed");
    const strict = await readSamples(`${results}/moods/${run}/samples/strict.jsonl`);
    const of = (model: string, samples = strict) =>
      samples.filter((sample) => sample.model === model);
    // Evenly spaced, the same for each seed, with the label of the file.
    const spaced = [
      ...[0, 1, 3, 5].map((i) => `sst-2 ${i}`),
      ...[0, 2, 4, 6].map((i) => `mr ${i}`),
    ];
    for (const model of models) {
      const samples = of(model);
      assert.equal(samples.length, 2 * 2 * 4);
      for (const seed of [1, 5]) {
        const ofSeed = samples.filter((sample) => sample.seed === seed);
        assert.deepEqual(ofSeed.map(({ item }) => item), spaced);
        for (const { item, label } of ofSeed) {
          const i = Number(item.split(" ")[1]);
          assert.equal(label, ["negative", "positive"][i % 2]);
        }
      }
      const labels = { evaluation: "strict", model };
      assert.deepEqual(
        metrics.filter((metric) => metric.evaluation === "strict" && metric.model === model),
        metricsWith(labels, {
          version: () => 2,
          total: (measure) => totalOfDraws(measure, (task) => ({ "sst-2": 7, mr: 9 })[task]),
          measures: (records) =>
            measuresOf(
              inContextLearning,
              records,
              { source: { kind: "sentences" } } as InContextLearningEvaluation,
            ),
        }, {
          samples,
          ...(model !== "backbone" &&
            { baseline: { model: "backbone", samples: of("backbone") } }),
        }),
      );
    }
    // What needs no model has records, too: of one draw, as all have the same commonest label, "negative".
    const commonest = of("commonest-label");
    assert.deepEqual(
      commonest.map(({ item, correct }) => [item, correct]),
      spaced.map((item) => [item, Number(item.split(" ")[1]) % 2 === 0]),
    );
    const scores = (model: string) => of(model).map((sample) => sample.scores);
    const distinct = new Set(models.map((model) => JSON.stringify(scores(model))));
    assert.equal(distinct.size, models.length, "two models score alike");

    const named = (evaluation: string, model: string, name: string) =>
      metrics.find((metric) =>
        metric.evaluation === evaluation && metric.model === model && metric.name === name
      )!;
    // Of the seven or nine, the even ones are negative; the training files have as many of either.
    const { value, n } = named("released", "commonest-label", "accuracy sst-2");
    assert.deepEqual([value, n], [4 / 7, 7]);
    assert.equal(named("strict", "commonest-label", "accuracy mr").value, 1);
    assert.equal(named("strict", "commonest-label", "accuracy sst-2").value, 1 / 4);
    assert.equal(named("released", "longmem", "accuracy mr").n, 18);
    const released = await readSamples(`${results}/moods/${run}/samples/released.jsonl`);
    assert.equal(of("backbone-full-context-576", released).length, 2 * (7 + 9));
    for (const { prediction, label, correct } of released) {
      assert.equal(correct, prediction !== "" && String(label).startsWith(String(prediction)));
    }
    const { hashes } = JSON.parse(
      await Deno.readTextFile(`${results}/moods/${run}/environment.json`),
    );
    assert.match(hashes["sst-2"], /^[0-9a-f]{64}$/);
    assert.notEqual(hashes["sst-2"], hashes.mr);
  });
});

test("runExperiment() says which set of sentences is missing before it trains anything", async () => {
  await withFolder(async (folder) => {
    await writeData(folder);
    await Deno.remove(`${folder}/icl/mr/test.csv`);
    await assert.rejects(
      runExperiment(experimentIn(folder), { results: `${folder}/results`, device: "cpu" }),
      (error: Error) => {
        assert.ok(error instanceof Deno.errors.NotFound);
        assert.match(
          error.message,
          /^Cannot run "moods" as evaluations.0.source.folder is missing: current value is ".*\/mr\/test.csv"/,
        );
        return true;
      },
    );
  });
});

test("runExperiment() asks reviews of the chronicle", async () => {
  await withFolder(async (results) => {
    const { metrics } = await runExperiment({
      name: "goods",
      ...smallChronicle,
      corpus: {
        ...smallBooks,
        config: { ...smallBooks.config, reviews: { goods: 8, demonstrations: 16 } },
      },
      memory: { ...smallChronicle.memory, capacityTokens: 128 },
      adaptation: smallTraining,
      evaluations: [{
        kind: "in-context-learning",
        source: { kind: "chronicle", tasks: 3 },
        batchSize: 3,
        maxItems: 5,
        models: ["longmem", "longmem-other-document"],
      }],
    }, { results, device: "cpu" });
    const names = metrics.map(({ model, name, n, total }) => [model, name, n, total]);
    assert.deepEqual(names, [
      ["longmem", "accuracy reviews", 15, 24],
      ["commonest-label", "accuracy reviews", 15, 24],
      ["longmem-other-document", "accuracy reviews", 15, 24],
      ["longmem-other-document", "gain over longmem accuracy reviews by task", 3, undefined],
    ]);
  });
});

test("otherDemonstrations() gives the control the next task's demonstrations, as many tokens as its own", () => {
  const episode = (task: string, seed: number, memory: number[][]) => ({
    task,
    seed,
    memory: memory.map((tokens) => Int32Array.from(tokens)),
    queries: [],
  });
  const read = (episodes: ReturnType<typeof episode>[], draw: "seed" | "task") =>
    otherDemonstrations(textsOfEpisodes(episodes, draw)).map(({ segments }) =>
      segments.map(({ tokens, targetTokens }) => {
        assert.equal(targetTokens, tokens.length);
        return [...tokens];
      })
    );
  assert.deepEqual(
    read([
      episode("a", 1, [[1, 2, 3], [4, 5]]),
      episode("a", 2, [[6, 7, 8]]),
      episode("b", 1, [[11, 12, 13]]),
      episode("b", 2, [[14, 15, 16], [17, 18, 19], [20]]),
    ], "seed"),
    [
      [[11, 12, 13], [11, 12]],
      [[14, 15, 16]],
      [[1, 2, 3]],
      [[6, 7, 8], [6, 7, 8], [6]],
    ],
  );
  // Nothing to read stays nothing, of which the control makes an error.
  assert.deepEqual(read([episode("a", 1, [[1]]), episode("b", 1, [])], "seed"), [[], []]);
  const reviews = [1, 2, 3].map((task) => episode("reviews", task, [[task, task]]));
  assert.deepEqual(read(reviews, "task"), [[[2, 2]], [[3, 3]], [[1, 1]]]);
  for (
    const [few, draw] of [[reviews.slice(0, 1), "task"], [reviews, "seed"]] as const
  ) {
    assert.throws(
      () => read(few, draw),
      /^RangeError: Cannot read another document as there is none: current number of documents is 1,/,
    );
  }
});

sharedTest("runExperiment() asks all five sets in GPT-2's tokens", async () => {
  await withFolder(async (folder) => {
    await writeData(folder);
    const small = experimentIn(folder);
    const { metrics } = await runExperiment({
      ...small,
      tokenizer: { kind: "gpt2", folder: sharedPath("data/gpt2_bpe") },
      evaluations: [{
        kind: "in-context-learning",
        source: {
          kind: "sentences",
          folder: sharedPath("data/icl"),
          seeds: [1, 2],
          memoryDemonstrations: 8,
        },
        shots: 1,
        contextTokens: 192,
        batchSize: 4,
        maxItems: 2,
        models: ["backbone", "longmem"],
      }],
    }, { results: `${folder}/results`, device: "cpu" });
    for (const task of sentenceTasks) {
      const ofTask = metrics.filter(({ name }) => name === `accuracy ${task}`);
      assert.deepEqual(ofTask.map(({ model }) => model), [
        "backbone",
        "commonest-label",
        "longmem",
      ]);
      const [{ n, total }, { value }] = ofTask;
      const all = { "sst-2": 872, mr: 2000, subj: 2000, "sst-5": 1101, mpqa: 2000 }[task];
      assert.deepEqual([n, total], [4, 2 * all]);
      // Of the sets in the order of two labels the first example of each is asked.
      if (["mr", "subj", "mpqa"].includes(task)) assert.equal(value, 0.5);
    }
    assert.ok(metrics.some(({ name }) => name === "accuracy average"));
  });
});
