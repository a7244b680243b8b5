import type { Experiment } from "../../src/experiment/declaration.ts";
import { runExperiment } from "../../src/queue/run_experiment.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, test } from "../testing.ts";

/** A declaration of the smallest LongMem, with a corpus in a folder. */
async function declare(folder: string): Promise<Experiment> {
  for (const [split, times] of [["train", 40], ["valid", 8], ["test", 8]] as const) {
    await Deno.mkdir(`${folder}/corpus/${split}`, { recursive: true });
    const text = "It was the age of wisdom, it was the age of foolishness. ".repeat(times);
    await Deno.writeTextFile(`${folder}/corpus/${split}/${split}.txt`, text);
  }
  const training = { batchSize: 1, contextTokens: 16, steps: 3, learningRate: 1e-3 };
  return {
    name: "ages",
    corpus: { folder: `${folder}/corpus`, train: "train", valid: "valid", test: "test" },
    tokenizer: { kind: "bpe", vocabSize: 280 },
    backbone: { kind: "pretrain", layers: 2, hiddenDim: 8, heads: 2, training },
    sidenet: { memoryBlock: 1 },
    memory: { capacityTokens: 64, chunkTokens: 4, retrievedTokens: 8 },
    adaptation: training,
    evaluations: [{ kind: "perplexity", split: "test", models: ["backbone", "longmem"] }],
  };
}

test("runExperiment() returns the metrics that it records, and keeps a finished run", async () => {
  await withFolder(async (folder) => {
    const experiment = await declare(folder);
    const options = { results: `${folder}/results`, device: "cpu" } as const;
    const lines: string[] = [];
    const write = (text: string) => void lines.push(text);
    const summary = await runExperiment(experiment, { ...options, write });
    assert.equal(summary.state, "completed");
    const models = summary.metrics.filter(({ name }) => name === "perplexity")
      .map(({ model }) => model);
    assert.deepEqual(models, ["backbone", "longmem"]);
    assert.match(lines.join(""), /ages\/m64-c4-k8-seed1-\w+ .*longmem/);

    const file = `${options.results}/ages/${summary.run}/summary.json`;
    assert.deepEqual(JSON.parse(await Deno.readTextFile(file)), summary);
    lines.length = 0;
    assert.deepEqual(await runExperiment(experiment, { ...options, write }), summary);
    assert.deepEqual(lines, [], "nothing runs again");
  });
});

test("runExperiment() measures again what an older version measured, without training again", async () => {
  await withFolder(async (folder) => {
    const experiment = await declare(folder);
    const options = { results: `${folder}/results`, device: "cpu" } as const;
    const summary = await runExperiment(experiment, options);
    const path = `${options.results}/ages/${summary.run}`;
    const trained = await Deno.readTextFile(`${path}/metrics.jsonl`);
    const samples = await Deno.readTextFile(`${path}/samples/perplexity-test.jsonl`);
    // As an older version might have left them: another number, and one that is measured no more.
    const [first, ...rest] = summary.metrics;
    const old = { ...first, value: 1, metricVersion: 0 };
    const outdated = { ...summary, metrics: [old, { ...old, name: "gone" }, ...rest] };
    await Deno.writeTextFile(`${path}/summary.json`, JSON.stringify(outdated));
    await Deno.writeTextFile(`${path}/samples/perplexity-test.jsonl`, "");
    assert.deepEqual(await runExperiment(experiment, options), summary);
    assert.equal(await Deno.readTextFile(`${path}/metrics.jsonl`), trained);
    assert.equal(await Deno.readTextFile(`${path}/samples/perplexity-test.jsonl`), samples);
  });
});

test("runExperiment() records how much all memories together hold", async () => {
  await withFolder(async (folder) => {
    const experiment = await declare(folder);
    await Deno.writeTextFile(`${folder}/corpus/train/short.txt`, "It was the age of wisdom. ");
    const training = { batchSize: 2, contextTokens: 16, steps: 4, learningRate: 1e-3 };
    const results = `${folder}/results`;
    const { run } = await runExperiment({ ...experiment, adaptation: training }, {
      results,
      device: "cpu",
    });
    const lines = (await Deno.readTextFile(`${results}/ages/${run}/metrics.jsonl`)).trim();
    const held = lines.split("\n").map((line) => JSON.parse(line))
      .filter(({ phase }) => phase === "longmem").map(({ memoryTokens }) => memoryTokens);
    // One row reads the long document, the other the short one of one segment, then the long one, too.
    assert.deepEqual(held, [16 + 16, 32 + 16, 48 + 32, 64 + 48]);
  });
});

test("runExperiment() lets no document see another in a bank that rows share", async () => {
  await withFolder(async (folder) => {
    const experiment = await declare(folder);
    const text = "It was the epoch of belief, it was the epoch of incredulity. ".repeat(7);
    await Deno.writeTextFile(`${folder}/corpus/test/other.txt`, text);
    const results = `${folder}/results`;
    const samples = [];
    for (const batchSize of [1, 2]) {
      const { run } = await runExperiment({
        ...experiment,
        protocol: "released-code",
        memory: { ...experiment.memory, capacityTokens: 128 },
        evaluations: [{
          kind: "perplexity",
          name: "all",
          split: "test",
          batchSize,
          models: ["longmem"],
        }],
      }, { results, device: "cpu" });
      samples.push(await Deno.readTextFile(`${results}/ages/${run}/samples/all.jsonl`));
    }
    assert.equal(samples[0].trim().split("\n").length, 2);
    assert.equal(samples[1], samples[0]);
  });
});

test("runExperiment() records that it was aborted, throws the reason, and resumes", async () => {
  await withFolder(async (folder) => {
    const experiment = await declare(folder);
    const options = { results: `${folder}/results`, device: "cpu" } as const;
    const stop = new AbortController();
    const write = (text: string) => {
      if (text.includes("longmem step")) stop.abort(new Error("Enough"));
    };
    await assert.rejects(runExperiment(experiment, { ...options, write, signal: stop.signal }), {
      message: "Enough",
    });
    const [run] = await Array.fromAsync(Deno.readDir(`${options.results}/ages`));
    const file = `${options.results}/ages/${run.name}/summary.json`;
    assert.equal(JSON.parse(await Deno.readTextFile(file)).state, "interrupted");
    assert.equal((await runExperiment(experiment, options)).state, "completed");
  });
});

test("runExperiment() records why it failed, and says so", async () => {
  await withFolder(async (folder) => {
    const experiment = await declare(folder);
    await Deno.remove(`${folder}/corpus`, { recursive: true });
    const results = `${folder}/results`;
    await assert.rejects(
      runExperiment(experiment, { results }),
      /Cannot run "ages" as corpus.folder is missing/,
    );
    const [run] = await Array.fromAsync(Deno.readDir(`${results}/ages`));
    const summary = JSON.parse(await Deno.readTextFile(`${results}/ages/${run.name}/summary.json`));
    assert.equal(summary.state, "failed");
    assert.match(summary.error, /corpus.folder is missing/);
  });
});

test("runExperiment() names an option that is wrong, before anything runs", async () => {
  await withFolder(async (folder) => {
    const experiment = await declare(folder);
    const results = `${folder}/results`;
    const cases: [object, RegExp][] = [
      [{ reslts: "elsewhere" }, /as reslts is unknown: .*did you mean "results"/],
      [
        { device: "gpu" },
        /device has a wrong value: current value is "gpu", allowed are auto, webgpu, cpu/,
      ],
      [{ limit: -1 }, /limit .* current value is -1, allowed are positive integers/],
      [{ limit: 1.5 }, /current value is 1.5/],
      [{ write: "x" }, /write has a wrong value: current value is "x", allowed are functions/],
      [{ signal: {} }, /signal has a wrong value: current value is \{\}, allowed are signals/],
    ];
    for (const [option, message] of cases) {
      await assert.rejects(runExperiment(experiment, { results, ...option }), {
        name: "TypeError",
        message,
      });
    }
    await assert.rejects(Deno.stat(results), Deno.errors.NotFound);
  });
});
