import { drawnMeasures, totalOfDraws } from "../../../src/evaluation/shared/few_shot_metrics.ts";
import { metricOf } from "../../../src/results/paired_comparison.ts";
import type { Metric, SampleRecord } from "../../../src/results/records.ts";
import { assert, assertClose, test } from "../../testing.ts";
import { metricsWith } from "../measured_metrics.ts";

/** Records of a task, a row of answers for each seed. */
function records(task: string, answers: readonly (readonly number[])[]): SampleRecord[] {
  return answers.flatMap((row, i) =>
    row.map((correct, j) => ({ item: `${task} ${j}`, task, seed: i + 1, correct: correct === 1 }))
  );
}

interface Options {
  readonly score?: string;
  readonly namesTasks?: boolean;
  readonly draw?: "seed" | "task";
  readonly total?: Readonly<Record<string, number>>;
  readonly baseline?: { readonly model: string; readonly samples: readonly SampleRecord[] };
}

type Asked = { item: string; task: string; seed: number };

function measures(samples: readonly SampleRecord[], { namesTasks = true, draw = "seed" }: Options) {
  const scores = namesTasks
    ? { accuracy: (record: Asked) => Number(Reflect.get(record, "correct")) }
    : {
      "exact match": (record: Asked) => Number(Reflect.get(record, "exactMatch")),
      F1: (record: Asked) => Number(Reflect.get(record, "f1")),
    };
  return drawnMeasures(samples as unknown as Asked[], { scores, namesTasks, draw });
}

function drawnMetrics(samples: readonly SampleRecord[], options: Options = {}): Metric[] {
  const { total, baseline } = options;
  return metricsWith({ evaluation: "icl", model: "longmem" }, {
    version: () => 3,
    total: (measure) => totalOfDraws(measure, (task) => total?.[task]),
    measures: (records) => measures(records, options),
  }, { samples, ...(baseline && { baseline }) });
}

/** The sums of the measure of that name. */
function itemSums(
  { name }: Pick<Metric, "name">,
  samples: readonly SampleRecord[],
  options: Options = {},
) {
  return measures(samples, options).find((measure) => measure.name === name)?.sums;
}

const found = (metrics: readonly Metric[], name: string) =>
  metrics.find((metric) => metric.name === name) ?? assert.fail(`${name} is missing`);

// Accuracies of the seeds: 0.75, 0.5, 0.25 of "mr"; 1, 0.5, 0 of "subj".
const mr = records("mr", [[1, 1, 1, 0], [1, 0, 1, 0], [0, 0, 1, 0]]);
const subj = records("subj", [[1, 1], [1, 0], [0, 0]]);
// 0.5, 0.5, 0 and 0.5, 0.5, 0.5.
const mrBefore = records("mr", [[1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]]);
const subjBefore = records("subj", [[1, 0], [1, 0], [0, 1]]);

test("drawnMetrics() measures each task over seeds and seed by seed, and the average of tasks, by hand", () => {
  const metrics = drawnMetrics([...mr, ...subj], { total: { mr: 10 } });
  assert.deepEqual(metrics.map(({ name }) => name), [
    "accuracy mr",
    "accuracy mr seed deviation (sample)",
    "accuracy mr seed deviation (population)",
    "accuracy mr seed 1",
    "accuracy mr seed 2",
    "accuracy mr seed 3",
    "accuracy subj",
    "accuracy subj seed deviation (sample)",
    "accuracy subj seed deviation (population)",
    "accuracy subj seed 1",
    "accuracy subj seed 2",
    "accuracy subj seed 3",
    "accuracy average",
    "accuracy average seed deviation (sample)",
    "accuracy average seed deviation (population)",
    "accuracy average seed 1",
    "accuracy average seed 2",
    "accuracy average seed 3",
  ]);
  const expected: Record<string, [value: number, stderr: number | undefined, n: number]> = {
    "accuracy mr": [0.5, 0.25 / Math.sqrt(3), 12],
    "accuracy mr seed deviation (sample)": [0.25, undefined, 3],
    "accuracy mr seed deviation (population)": [Math.sqrt(2 / 3) * 0.25, undefined, 3],
    // Three of four are right: a variance of 3/16 * 4/3, over 4.
    "accuracy mr seed 1": [0.75, 0.25, 4],
    "accuracy subj seed 3": [0, 0, 2],
    // Of the averages 0.875, 0.5, 0.125.
    "accuracy average": [0.5, 0.375 / Math.sqrt(3), 18],
    "accuracy average seed deviation (sample)": [0.375, undefined, 3],
    "accuracy average seed deviation (population)": [Math.sqrt(2 / 3) * 0.375, undefined, 3],
    "accuracy average seed 1": [0.875, undefined, 2],
  };
  for (const [name, [value, stderr, n]] of Object.entries(expected)) {
    const metric = found(metrics, name);
    assertClose([metric.value], [value], { tolerance: 1e-12, name });
    assert.equal(metric.stderr === undefined, stderr === undefined, name);
    if (stderr !== undefined) assertClose([metric.stderr!], [stderr], { tolerance: 1e-12, name });
    assert.equal(metric.n, n, name);
    assert.equal(metric.higherIsBetter, !name.includes("deviation"), name);
    assert.equal(metric.metricVersion, 3);
  }
  assert.equal(found(metrics, "accuracy mr").total, 30);
  assert.equal(found(metrics, "accuracy subj").total, undefined);
});

test("drawnMetrics() pairs gains by seed and by item, by hand", () => {
  const metrics = drawnMetrics([...mr, ...subj], {
    baseline: { model: "backbone", samples: [...mrBefore, ...subjBefore] },
  });
  const gains = metrics.filter(({ name }) => name.startsWith("gain"));
  const expected: [name: string, value: number, stderr: number, n: number][] = [
    // By seed 1/4, 0, 1/4.
    ["accuracy mr by seed", 1 / 6, Math.sqrt(1 / 48 / 3), 3],
    // By item 0, 0, 2/3, 0.
    ["accuracy mr by item", 1 / 6, 1 / 6, 4],
    // By seed 1/2, 0, -1/2.
    ["accuracy subj by seed", 0, 0.5 / Math.sqrt(3), 3],
    // By item 0, (1 + 0 - 1) / 3.
    ["accuracy subj by item", 0, 0, 2],
    // By seed 3/8, 0, -1/8.
    [
      "accuracy average by seed",
      1 / 12,
      Math.sqrt(((7 / 24) ** 2 + (1 / 12) ** 2 + (5 / 24) ** 2) / 2 / 3),
      3,
    ],
  ];
  assert.deepEqual(
    gains.map(({ name, n }) => [name, n]),
    expected.map(([name, , , n]) => [
      `gain over backbone ${name}`,
      n,
    ]),
  );
  gains.forEach(({ value, stderr, name }, i) =>
    assertClose([value, stderr!], [expected[i][1], expected[i][2]], { tolerance: 1e-12, name })
  );
});

test("drawnMetrics() of tasks that are drawn once has no seeds", () => {
  // The third task has one item less.
  const tasks = records("reviews", [[1, 1, 1, 0], [1, 0, 1, 0], [0, 0, 1]]);
  const before = records("reviews", [[0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0]]);
  const metrics = drawnMetrics(tasks, {
    draw: "task",
    baseline: { model: "backbone", samples: before },
  });
  assert.deepEqual(metrics.map(({ name, n }) => [name, n]), [
    ["accuracy reviews", 11],
    ["gain over backbone accuracy reviews by task", 3],
  ]);
  assertClose(metrics.map(({ value }) => value), [6 / 11, 3 / 11], { tolerance: 1e-12 });
  // 6/11 without one of the tasks, a ratio of sums over the others.
  const changes = [3 / 7, 4 / 7, 5 / 8].map((without) => without - 6 / 11);
  const stderr = Math.sqrt(2 / 3 * changes.reduce((sum, d) => sum + d * d, 0));
  assertClose([metrics[0].stderr!], [stderr], { tolerance: 1e-12 });
});

test("drawnMetrics() of several measures without tasks names them alone", () => {
  const samples = [0.25, 1].map((f1, i) => ({
    item: `q${i}`,
    task: "squad",
    seed: 1,
    f1,
    exactMatch: f1 === 1,
  }));
  const metrics = drawnMetrics(samples, {
    namesTasks: false,
  });
  assert.deepEqual(metrics.map(({ name, value }) => [name, value]), [
    ["exact match", 0.5],
    ["exact match seed 1", 0.5],
    ["F1", 0.625],
    ["F1 seed 1", 0.625],
  ]);
  // A single seed knows nothing of others.
  assert.deepEqual(metrics.map(({ stderr }) => stderr === undefined), [true, false, true, false]);
});

test("Measures over draws have are sums over questions, too, and of the average of tasks", () => {
  const samples = [...mr, ...subj];
  const metrics = drawnMetrics(samples);
  const ofTask = itemSums(found(metrics, "accuracy mr"), samples)!.across!;
  assert.deepEqual([ofTask.items.length, ofTask.numerators], [4, [2, 1, 3, 0]]);
  const average = itemSums(found(metrics, "accuracy average"), samples)!;
  assertClose(average.numerators, [(0.75 + 1) / 2, (0.5 + 0.5) / 2, 0.25 / 2], {
    tolerance: 1e-12,
  });
  // Two questions of "subj" count as much as four of "mr".
  assertClose([metricOf(average), metricOf(average.across!)], [0.5, 0.5], { tolerance: 1e-12 });
  assertClose([metricOf(average.across!, [0, 4])], [(2 / 4 + 2 / 2) / (3 / 4 + 3 / 2)], {
    tolerance: 1e-12,
  });
  // Draws that ask questions of their own have nothing across them.
  const own = samples.map((sample) => ({ ...sample, item: `${sample.item} ${sample.seed}` }));
  assert.equal(itemSums(found(metrics, "accuracy mr"), own)!.across, undefined);
  assert.equal(itemSums(found(metrics, "accuracy average"), own)!.across, undefined);
});

test("Measures over draws have are sums of each draw", () => {
  const metrics = drawnMetrics([...mr, ...subj]);
  const sums = itemSums(found(metrics, "accuracy subj"), [...mr, ...subj])!;
  const { across: _across, ...ofDraws } = sums;
  assert.deepEqual(ofDraws, {
    items: ["draw 1", "draw 2", "draw 3"],
    unit: "draws",
    numerators: [2, 1, 0],
    denominators: [2, 2, 2],
    exponential: false,
  });
  assert.equal(metricOf(sums), 0.5);
  for (const { name } of metrics) {
    const known = ["accuracy mr", "accuracy subj", "accuracy average"].includes(name);
    assert.equal(itemSums(found(metrics, name), [...mr, ...subj]) !== undefined, known, name);
  }
  // Without tasks in its name.
  const squad = mr.map((sample) => ({ ...sample, f1: Number(sample.correct) / 2, task: "squad" }));
  assert.deepEqual(itemSums({ name: "F1" }, squad, { namesTasks: false })!.numerators, [
    1.5,
    1,
    0.5,
  ]);
});
