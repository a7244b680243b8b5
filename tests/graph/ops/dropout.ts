import { Graph } from "../../../src/graph/graph.ts";
import {
  dropout,
  dropoutMask,
  dropoutRandoms,
  dropoutSteps,
  maskedBy,
} from "../../../src/graph/ops/dropout.ts";
import { compile } from "../../../src/runtime/compile.ts";
import { Random } from "../../../src/random.ts";
import { assert, test } from "../../testing.ts";
import { deviceTest } from "../devices.ts";
import { keptFactor } from "../dropout_reference.ts";
import { testOperation } from "../operation_test_case.ts";
import { at, tensor64 } from "../tensor64.ts";

function drawn(seed: string, rows: number, columns: number) {
  const random = new Random(seed);
  return dropoutRandoms(() => random.nextUint32(), { rows, columns });
}

for (const p of [0.1, 0.5]) {
  const randoms = drawn(`dropout ${p}`, 15, 37);
  const rounded = Math.round(p * dropoutSteps) / dropoutSteps;
  const input = (shape: number[], values: ArrayLike<number>) => (
    { shape, values, gradient: false } as const
  );
  testOperation(`dropout() of ${p} scales what it keeps`, {
    inputs: {
      x: [3, 5, 37],
      rowFactors: input([3, 5, 1], randoms.rowFactors),
      rowOffsets: input([3, 5, 1], randoms.rowOffsets),
      columns: input([37], randoms.columns),
    },
    build: ({ x, ...mask }) => dropout(x, { p: rounded, ...mask }),
    reference: ({ x }) =>
      tensor64(
        x.shape,
        (b, t, j) => at(x, b, t, j) * keptFactor(randoms, rounded, b * 5 + t, j),
      ),
    tolerance: 1e-6,
  });
}

deviceTest("dropout() drops the elements of exact arithmetic, no others", async (device) => {
  const rows = 41, columns = 301, p = 0.3;
  const randoms = drawn("dropout bits", rows, columns);
  // The extremes of what can be drawn: their products need all 24 bits of float32.
  randoms.rowFactors[0] = (dropoutSteps - 1) / dropoutSteps;
  randoms.rowOffsets[0] = (dropoutSteps - 1) / dropoutSteps;
  randoms.columns[0] = dropoutSteps - 1;
  const graph = new Graph();
  const mask = dropoutMask(graph, "mask", { p, rowShape: [rows], columns });
  graph.output("y", dropout(graph.input("x", [rows, columns]), mask));
  const session = await compile(device, graph);
  const { y } = await session.run({
    x: device.tensor(new Float32Array(rows * columns).fill(1), [rows, columns]),
    "mask.rowFactors": device.tensor(randoms.rowFactors, [rows, 1]),
    "mask.rowOffsets": device.tensor(randoms.rowOffsets, [rows, 1]),
    "mask.columns": device.tensor(randoms.columns, [columns]),
  });
  const expected = tensor64(
    [rows, columns],
    (i, j) => Math.fround(keptFactor(randoms, mask.p, i, j)),
  );
  assert.deepEqual(Array.from(await y.read(), Number), [...expected.data]);
  await session.close();
});

test("dropoutMask() rounds the probability to the resolution of the masks", () => {
  const mask = dropoutMask(new Graph(), "mask", { p: 0.1, rowShape: [2, 3], columns: 5 });
  assert.equal(mask.p, 410 / 4096);
  assert.deepEqual(mask.rowFactors.shape, [2, 3, 1]);
  assert.deepEqual(mask.columns.shape, [5]);
});

test("dropoutRandoms() draws odd factors, offsets below 1 and whole columns", () => {
  const { rowFactors, rowOffsets, columns } = drawn("ranges", 500, 700);
  assert.deepEqual([rowFactors.length, rowOffsets.length, columns.length], [500, 500, 700]);
  assert.ok(rowFactors.every((a) => a > 0 && a < 1 && a * dropoutSteps % 2 === 1));
  assert.ok(rowOffsets.every((c) => c >= 0 && c < 1 && c * dropoutSteps % 1 === 0));
  assert.ok(columns.every((b) => b >= 0 && b < dropoutSteps && b % 1 === 0));
  assert.ok(new Set(columns).size > 600 && new Set(rowOffsets).size > 400);
});

test("dropout masks drop p of the elements, in rows that are not alike", () => {
  const rows = 200, columns = 512;
  for (const p of [0.1, 0.5]) {
    const steps = Math.round(p * dropoutSteps) / dropoutSteps;
    const randoms = drawn(`statistics ${p}`, rows, columns);
    const dropped = Array.from(
      { length: rows },
      (_, i) =>
        Float64Array.from({ length: columns }, (_, j) => keptFactor(randoms, steps, i, j) ? 0 : 1),
    );
    const total = dropped.reduce((sum, row) => sum + row.reduce((a, b) => a + b), 0);
    const deviation = Math.sqrt(steps * (1 - steps) * rows * columns);
    assert.ok(
      Math.abs(total - steps * rows * columns) < 5 * deviation,
      `${total} of ${rows * columns} dropped at ${steps}`,
    );
    // The correlation of two independent rows has variance 1 / columns.
    let squares = 0, pairs = 0;
    for (let i = 0; i < rows; i++) {
      for (let k = 0; k < i; k++, pairs++) {
        let both = 0;
        for (let j = 0; j < columns; j++) both += (dropped[i][j] - steps) * (dropped[k][j] - steps);
        squares += (both / (columns * steps * (1 - steps))) ** 2;
      }
    }
    const excess = squares / pairs * columns;
    assert.ok(excess > 0.5 && excess < 2, `squared correlation is ${excess} times that of chance`);
  }
});

test("dropout() and maskedBy() without a mask or of nothing return the value itself", () => {
  const graph = new Graph();
  const x = graph.input("x", [1, 1, 5, 7]);
  const block = { b0: 0, b1: 1, t0: 0, t1: 5 };
  const mask = dropoutMask(graph, "mask", { p: 0, rowShape: [1, 1, 5], columns: 7 });
  for (const nothing of [mask, undefined]) {
    assert.equal(dropout(x, nothing), x);
    assert.equal(maskedBy(x, nothing, block), x);
  }
});
