import { gradients } from "../../../src/graph/gradients.ts";
import { Graph } from "../../../src/graph/graph.ts";
import { broadcastShape, unbroadcast } from "../../../src/graph/ops/broadcast.ts";
import { mul } from "../../../src/graph/ops/mul.ts";
import { assert, test } from "../../testing.ts";
import { testOperation } from "../operation_test_case.ts";
import { at, sum64, tensor64 } from "../tensor64.ts";

test("broadcastShape() aligns last axes and stretches those of size 1", () => {
  const graph = new Graph();
  const shapes: [number[], number[], number[]][] = [
    [[5, 7], [5, 7], [5, 7]],
    [[5, 7], [7], [5, 7]],
    [[5, 1], [1, 7], [5, 7]],
    [[], [2, 3], [2, 3]],
    [[3, 1, 7], [2, 1, 5, 1], [2, 3, 5, 7]],
  ];
  shapes.forEach(([a, b, expected], i) => {
    const [left, right] = [graph.input(`a${i}`, a), graph.input(`b${i}`, b)];
    assert.deepEqual(broadcastShape("add", left, right), expected);
    assert.deepEqual(broadcastShape("add", right, left), expected);
  });
});

testOperation("unbroadcast() sums over new and over stretched axes", {
  inputs: { x: [2, 3, 5, 7] },
  build: ({ x }) => unbroadcast(x, [3, 1, 7]),
  reference: ({ x }) =>
    tensor64([3, 1, 7], (i, _, k) => sum64(2, (b) => sum64(5, (j) => at(x, b, i, j, k)))),
});

test("unbroadcast() leaves a gradient of the right shape alone", () => {
  const graph = new Graph();
  const x = graph.input("x", [1, 7]);
  assert.equal(unbroadcast(x, [1, 7]), x);
  // The gradient of an operand that was not stretched costs no sum.
  const y = mul(x, graph.input("z", [1, 7]));
  gradients(y, [x], graph.input("dy", [1, 7]));
  assert.ok(graph.nodes.every(({ op }) => op !== "ReduceSum"));
});
