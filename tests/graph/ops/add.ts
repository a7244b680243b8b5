import { Graph } from "../../../src/graph/graph.ts";
import { add } from "../../../src/graph/ops/add.ts";
import { assert, test } from "../../testing.ts";
import { testOperation } from "../operation_test_case.ts";
import { at, tensor64 } from "../tensor64.ts";

const shapes = [
  { a: [5, 37], b: [5, 37], y: [5, 37] },
  { a: [5, 37], b: [37], y: [5, 37] },
  { a: [37], b: [5, 1], y: [5, 37] },
  { a: [3, 1, 11], b: [1, 5, 1], y: [3, 5, 11] },
  { a: [2, 3, 7], b: [], y: [2, 3, 7] },
];

for (const { a, b, y } of shapes) {
  testOperation(`add() of [${a}] and [${b}]`, {
    inputs: { a, b },
    build: ({ a, b }) => add(a, b),
    reference: ({ a, b }) => tensor64(y, (...i) => at(a, ...i) + at(b, ...i)),
  });
}

test("add() rejects shapes that do not broadcast", () => {
  const graph = new Graph();
  const a = graph.input("a", [5, 7]);
  for (const shape of [[5], [7, 5], [2, 5, 6]]) {
    assert.throws(
      () => add(a, graph.input(`b ${shape}`, shape)),
      {
        name: "RangeError",
        message: `Cannot add shapes [5,7] of a and [${shape}] of b ${shape}`,
      },
    );
  }
});
