import { Graph } from "../../../src/graph/graph.ts";
import { where } from "../../../src/graph/ops/where.ts";
import { assert, test } from "../../testing.ts";
import { testOperation } from "../operation_test_case.ts";
import { at, tensor64 } from "../tensor64.ts";

const shapes = [
  { condition: [5, 7], a: [5, 7], b: [5, 7], y: [5, 7] },
  { condition: [7], a: [5, 7], b: [], y: [5, 7] },
  { condition: [5, 1], a: [1, 7], b: [7], y: [5, 7] },
  { condition: [5, 1], a: [7], b: [1, 7], y: [5, 7] },
  { condition: [5, 7], a: [], b: [7], y: [5, 7] },
  { condition: [3, 5, 1], a: [1, 7], b: [5, 1], y: [3, 5, 7] },
  { condition: [5, 1], a: [1, 7], b: [1, 1], y: [5, 7] },
];

for (const { condition, a, b, y } of shapes) {
  testOperation(`where() of [${condition}], [${a}] and [${b}]`, {
    inputs: {
      condition: { shape: condition, type: "bool", values: (_, i) => i * i % 3 % 2 },
      a,
      b,
    },
    build: ({ condition, a, b }) => where(condition, a, b),
    reference: ({ condition, a, b }) =>
      tensor64(y, (...i) => at(condition, ...i) ? at(a, ...i) : at(b, ...i)),
  });
}

test("where() rejects shapes that do not fit", () => {
  const graph = new Graph();
  const condition = graph.input("condition", [5, 7], "bool"), a = graph.input("a", [7]);
  assert.throws(
    () => where(condition, a, graph.input("b", [6])),
    { name: "RangeError", message: "Cannot choose between shapes [7] of a and [6] of b" },
  );
  assert.throws(
    () => where(condition, graph.input("c", [6]), graph.scalar(0)),
    /Cannot choose by shapes \[5,7\] of condition and \[6\] of c or constant_0/,
  );
});
