import { Graph } from "../../../src/graph/graph.ts";
import { transpose, transposeLast } from "../../../src/graph/ops/transpose.ts";
import { assert, test } from "../../testing.ts";
import { testOperation } from "../operation_test_case.ts";
import { at, tensor64 } from "../tensor64.ts";

const permutations = [
  { shape: [5, 37], permutation: [1, 0] },
  { shape: [3, 5, 7], permutation: [2, 0, 1] }, // not its own inverse
  { shape: [2, 5, 3, 7], permutation: [0, 2, 1, 3] }, // heads and time
  { shape: [2, 3, 5, 1], permutation: [3, 1, 0, 2] },
];

for (const { shape, permutation } of permutations) {
  testOperation(`transpose() of [${shape}] by [${permutation}]`, {
    inputs: { x: shape },
    build: ({ x }) => transpose(x, permutation),
    reference: ({ x }) =>
      tensor64(permutation.map((axis) => shape[axis]), (...i) => {
        const index: number[] = [];
        permutation.forEach((axis, j) => index[axis] = i[j]);
        return at(x, ...index);
      }),
    tolerance: 1e-6,
  });
}

testOperation("transposeLast() exchanges the last two axes", {
  inputs: { x: [3, 5, 7] },
  build: ({ x }) => transposeLast(x),
  reference: ({ x }) => tensor64([3, 7, 5], (b, i, j) => at(x, b, j, i)),
  tolerance: 1e-6,
});

test("transpose() rejects what is no permutation of the axes", () => {
  const x = new Graph().input("x", [5, 7]);
  for (const permutation of [[0, 0], [0, 2], [0], [0, 1, 2]]) {
    assert.throws(
      () => transpose(x, permutation),
      { name: "RangeError", message: `Cannot transpose x of shape [5,7] by [${permutation}]` },
    );
  }
});
