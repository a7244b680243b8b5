import { Graph } from "../../../src/graph/graph.ts";
import { topK } from "../../../src/graph/ops/top_k.ts";
import type { Random } from "../../../src/random.ts";
import { assert, test } from "../../testing.ts";
import { testOperation } from "../operation_test_case.ts";
import { at, type Tensor64, tensor64 } from "../tensor64.ts";

/** Places of the largest elements of a row, best first. */
function order(x: Tensor64, row: number[]): number[] {
  const size = x.shape[x.shape.length - 1];
  return Array.from({ length: size }, (_, j) => j).sort((i, j) =>
    at(x, ...row, j) - at(x, ...row, i)
  );
}

/** Few different numbers, hardly any above 0: of equal ones the first are the best. */
const equals = (random: Random) => random.below(32) === 0 ? 2 : random.below(4) - 3;

for (
  const { shape, count, values } of [
    { shape: [37], count: 5 },
    { shape: [3, 5, 37], count: 37 },
    { shape: [2, 1000], count: 8 },
    { shape: [5, 7], count: 1 },
    { shape: [3, 24, 128], count: 8 },
    { shape: [64, 160], count: 10, values: equals },
  ]
) {
  const x = { shape, gradient: false, ...(values && { values }) } as const;
  testOperation(`topK() values of ${count} of [${shape}]`, {
    inputs: { x },
    build: ({ x }) => topK(x, count).values,
    reference: ({ x }) =>
      tensor64([...shape.slice(0, -1), count], (...i) => {
        const row = i.slice(0, -1);
        return at(x, ...row, order(x, row)[i[i.length - 1]]);
      }),
    tolerance: 0,
  });
  testOperation(`topK() ids of ${count} of [${shape}]`, {
    inputs: { x },
    build: ({ x }) => topK(x, count).ids,
    reference: ({ x }) =>
      tensor64(
        [...shape.slice(0, -1), count],
        (...i) => order(x, i.slice(0, -1))[i[i.length - 1]],
      ),
  });
}

test("topK() raises small elements of many rows of moderate size", () => {
  const raises = (shape: number[], count: number) => {
    const graph = new Graph();
    topK(graph.input("x", shape), count);
    return graph.nodes.some(({ op }) => op === "ReduceMin");
  };
  assert.ok(raises([8, 64, 4096], 16));
  assert.ok(raises([2, 32, 128], 16));
  assert.ok(!raises([63, 128], 16)); // few rows
  assert.ok(!raises([64, 8192], 16));
  assert.ok(!raises([64, 1001], 16)); // no equal groups
  assert.ok(!raises([64, 112], 16)); // small groups
  assert.ok(!raises([64, 1024], 4));
});
