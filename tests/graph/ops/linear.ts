import { Graph } from "../../../src/graph/graph.ts";
import { linear } from "../../../src/graph/ops/linear.ts";
import { assert, test } from "../../testing.ts";
import { testOperation } from "../operation_test_case.ts";
import { at, sum64, tensor64 } from "../tensor64.ts";

for (const { N, I, O } of [{ N: 5, I: 37, O: 11 }, { N: 1, I: 7, O: 3 }, { N: 37, I: 3, O: 1 }]) {
  testOperation(`linear() of [${N}, ${I}] to ${O} features`, {
    inputs: { x: [N, I], weight: [O, I], bias: [O] },
    build: ({ x, weight, bias }) => linear(x, weight, bias),
    reference: ({ x, weight, bias }) =>
      tensor64([N, O], (n, o) => at(bias, o) + sum64(I, (i) => at(x, n, i) * at(weight, o, i))),
  });
  testOperation(`linear() of [${N}, ${I}] to ${O} features without bias`, {
    inputs: { x: [N, I], weight: [O, I] },
    build: ({ x, weight }) => linear(x, weight),
    reference: ({ x, weight }) =>
      tensor64([N, O], (n, o) => sum64(I, (i) => at(x, n, i) * at(weight, o, i))),
  });
}

test("linear() rejects weights and biases of other widths", () => {
  const graph = new Graph();
  const x = graph.input("x", [5, 7]), weight = graph.input("weight", [3, 7]);
  assert.throws(
    () => linear(x, graph.input("narrow", [3, 6])),
    /Cannot read narrow as \[O, I=7\]: current shape is \[3, 6\]/,
  );
  assert.throws(
    () => linear(x, weight, graph.input("short", [2])),
    /Cannot read short as \[O=3\]: current shape is \[2\]/,
  );
});
