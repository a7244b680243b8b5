import type { EfficiencyEvaluation, Experiment } from "../../src/experiment/declaration.ts";
import { resolvedExperiment } from "../experiment/resolved.ts";
import { RunFolder } from "../../src/results/run_folder.ts";
import { currentEnvironment } from "../../src/results/environment.ts";
import { efficiencyItems } from "../../src/evaluation/efficiency.ts";
import { type EfficiencyTask, measurePoint } from "../../src/evaluation/efficiency_process.ts";
import type { TrainedModels } from "../../src/evaluation/model_kind.ts";
import { measureModels } from "../../src/evaluation/evaluate.ts";
import { EncodedMemories } from "../../src/evaluation/shared/memory_cache.ts";
import type { Device } from "../../src/runtime/device.ts";
import { Display } from "../../src/queue/terminal.ts";
import { Progress } from "../../src/queue/progress.ts";
import { runExperiment } from "../../src/queue/run_experiment.ts";
import { withFolder } from "../temporary_folder.ts";
import { smallParts } from "../longmem/random_model.ts";
import benchmark from "../bench/efficiency.ts";
import { assert, test } from "../testing.ts";
import { smallChronicle } from "./small_chronicle.ts";

const experiment = {
  name: "stopwatch",
  ...smallChronicle,
  evaluations: [{
    kind: "efficiency",
    models: ["backbone", "untrained-with-memory"],
    totalTokens: [32, 64],
    batchSize: 2,
    warmupPasses: 1,
    repetitions: 2,
  }],
} as const satisfies Experiment;

function evaluationOf(declared: Experiment): EfficiencyEvaluation {
  const [evaluation] = resolvedExperiment(declared).evaluations;
  assert.ok(evaluation.kind === "efficiency");
  return evaluation;
}

test("evaluateEfficiency() measures each point of each model once, also when it goes on", async () => {
  await withFolder(async (results) => {
    const { backbone, sideNet } = smallParts();
    const trained: TrainedModels = { backbone, models: { untrained: { backbone, sideNet } } };
    const open = async () =>
      await RunFolder.open({
        results,
        identity: { experiment: "stopwatch", run: "run", scale: "scaled-down" },
        declaration: {},
        environment: { ...await currentEnvironment(), declarationFile: "none" },
      });
    const display = new Display({ write: () => {}, overwrites: false });
    const progress = new Progress({ label: "stopwatch", display });
    const tasks: EfficiencyTask[] = [];
    const run = async (milliseconds: number) => {
      const folder = await open();
      await measureModels(evaluationOf(experiment), {
        items: efficiencyItems(evaluationOf(experiment), {
          measure(task) {
            tasks.push(task);
            return Promise.resolve({ milliseconds: [milliseconds], peakMebibytes: 10 });
          },
        }),
        trained,
        device: { kind: "cpu" } as Device,
        seed: 1,
        memories: new EncodedMemories(backbone),
        results: folder,
        report: (item) => progress.item(item),
        signal: new AbortController().signal,
      });
      return folder.summary.metrics;
    };
    const metrics = await run(100);
    assert.deepEqual(
      tasks.map(({ point, memory, sideNet }) => [point, memory?.capacityTokens, !!sideNet]),
      [
        [{ totalTokens: 32, contextTokens: 32, rows: 2 }, undefined, false],
        [{ totalTokens: 64, contextTokens: 64, rows: 2 }, undefined, false],
        [{ totalTokens: 32, contextTokens: 16, memoryTokens: 16, rows: 2 }, 16, true],
        [{ totalTokens: 64, contextTokens: 16, memoryTokens: 48, rows: 2 }, 48, true],
      ],
    );
    const value = (model: string, name: string) =>
      metrics.find((metric) => metric.model === model && metric.name === name)?.value;
    assert.equal(value("backbone", "speed 64"), 1280);
    assert.equal(value("untrained-with-memory", "speed 64"), 320);
    assert.equal(value("untrained-with-memory", "speed 64 relative to backbone"), 0.25);

    // A finished evaluation keeps its times: they are not measured again.
    assert.deepEqual(await run(999), metrics);
    assert.equal(tasks.length, 4);
  });
});

test("the benchmark by length of context is a declaration", () => {
  const { totalTokens, memory, models } = evaluationOf(benchmark);
  assert.deepEqual([totalTokens.length, memory!.chunkTokens, models.length], [4, 4, 2]);
});

test("measurePoint() times passes of a model whose memory is full", async () => {
  const { backbone, sideNet, memory } = smallParts();
  const passes = {
    warmupPasses: 1,
    repetitions: 2,
    device: "cpu",
    backbone: backbone.shape,
  } as const;
  for (
    const task of [
      { ...passes, point: { totalTokens: 40, contextTokens: 40, rows: 2 } },
      {
        ...passes,
        sideNet: sideNet.shape,
        memory: { ...memory, capacityTokens: 28 },
        point: { totalTokens: 40, contextTokens: 12, memoryTokens: 28, rows: 2 },
      },
    ]
  ) {
    const { milliseconds, filledTokens, peakMebibytes } = await measurePoint(task);
    assert.deepEqual(filledTokens, "memory" in task ? [28, 28] : undefined);
    assert.equal(milliseconds.length, 2);
    assert.ok(milliseconds.every((ms) => ms > 0) && peakMebibytes! > 1);
  }
});

test("runExperiment() measures efficiency in processes of their own", async () => {
  await withFolder(async (results) => {
    const { state, metrics } = await runExperiment(experiment, { results, device: "cpu" });
    assert.equal(state, "completed");
    for (const tokens of [32, 64]) {
      for (const name of [`speed ${tokens}`, `peak memory ${tokens}`]) {
        assert.equal(
          metrics.filter((metric) => metric.name === name && metric.value > 0).length,
          2,
        );
      }
    }
  });
});
