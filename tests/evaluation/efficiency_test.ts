import { timePasses } from "../../src/evaluation/efficiency_process.ts";
import { efficiencyMetrics } from "./measured_metrics.ts";
import { efficiencyPoint, efficiencySample } from "../../src/evaluation/efficiency.ts";
import { assert, assertClose, test } from "../testing.ts";

test("timePasses() times each pass after the warm-up, and nothing between them", async () => {
  const took = [50, 40, 7, 3, 5];
  let clock = 1000, passes = 0;
  const milliseconds = await timePasses(() => {
    clock += took[passes++];
    return Promise.resolve();
  }, { warmupPasses: 2, repetitions: 3, now: () => clock });
  assert.deepEqual(milliseconds, [7, 3, 5]);
  assert.equal(passes, 5);
});

test("efficiencyPoint() has all tokens in the segment, or those beyond it in the memory", () => {
  const sizes = { contextTokens: 128, rows: 2 };
  assert.deepEqual(efficiencyPoint(1024, { ...sizes, hasMemory: false }), {
    totalTokens: 1024,
    contextTokens: 1024,
    rows: 2,
  });
  assert.deepEqual(efficiencyPoint(1024, { ...sizes, hasMemory: true }), {
    totalTokens: 1024,
    contextTokens: 128,
    memoryTokens: 896,
    rows: 2,
  });
});

test("efficiencyMetrics() gives the median speed, the peak, and both relative to the first model", () => {
  const sample = (hasMemory: boolean, milliseconds: number[], peakMebibytes?: number) =>
    efficiencySample(
      efficiencyPoint(1000, { contextTokens: 100, rows: 2, hasMemory }),
      { milliseconds, ...(peakMebibytes !== undefined && { peakMebibytes }) },
    );
  const backbone = [sample(false, [500, 1000, 2000], 300)];
  // 200 tokens a pass: 2000, 4000, ... tokens a second.
  const longmem = [sample(true, [100, 50, 200, 40, 80, 60, 50], 150)];
  const labels = { evaluation: "efficiency", model: "longmem" };
  const metrics = efficiencyMetrics(labels, longmem, { model: "backbone", samples: backbone });
  const of = (name: string) => metrics.find((metric) => metric.name === name)!;
  const speed = of("speed 1000");
  assertClose([speed.value, ...speed.ci95!], [200e3 / 60, 1000, 5000], { tolerance: 1e-9 });
  assert.deepEqual([speed.unit, speed.n, speed.higherIsBetter], ["tokens/s", 7, true]);
  const peak = of("peak memory 1000");
  assert.deepEqual([peak.value, peak.unit, peak.higherIsBetter], [150, "MiB", false]);
  assertClose([of("speed 1000 relative to backbone").value], [200e3 / 60 / 2000], {
    tolerance: 1e-12,
  });
  assert.equal(of("peak memory 1000 relative to backbone").value, 0.5);
  assert.equal(metrics.length, 4);

  const onGpu = efficiencyMetrics(labels, [sample(true, [100])], {
    model: "backbone",
    samples: backbone,
  });
  assert.deepEqual(onGpu.map(({ name, ci95 }) => [name, ci95]), [
    ["speed 1000", undefined],
    ["speed 1000 relative to backbone", undefined],
  ]);
});
