import { Graph } from "../../../src/graph/graph.ts";
import { matmul } from "../../../src/graph/ops/matmul.ts";
import { assert, test } from "../../testing.ts";
import { testOperation } from "../operation_test_case.ts";
import { at, sum64, tensor64 } from "../tensor64.ts";

const shapes = [
  { a: [5, 37], b: [37, 7], y: [5, 7] },
  { a: [1, 7], b: [7, 1], y: [1, 1] },
  { a: [3, 5, 7], b: [3, 7, 11], y: [3, 5, 11] },
  { a: [2, 3, 5, 7], b: [3, 7, 4], y: [2, 3, 5, 4] },
  { a: [5, 7], b: [2, 7, 3], y: [2, 5, 3] },
  { a: [2, 1, 5, 7], b: [1, 3, 7, 4], y: [2, 3, 5, 4] },
];

for (const { a, b, y } of shapes) {
  testOperation(`matmul() of [${a}] and [${b}]`, {
    inputs: { a, b },
    build: ({ a, b }) => matmul(a, b),
    reference: ({ a, b }) =>
      tensor64(y, (...i) => {
        const lead = i.slice(0, -2), [m, n] = i.slice(-2);
        const K = a.shape[a.shape.length - 1];
        return sum64(K, (k) => at(a, ...lead, m, k) * at(b, ...lead, k, n));
      }),
  });
}

test("matmul() rejects shapes that do not fit", () => {
  const graph = new Graph();
  const a = graph.input("a", [2, 5, 7]);
  assert.throws(
    () => matmul(a, graph.input("b", [5, 7])),
    /Cannot multiply a of shape \[2,5,7\] by b of shape \[5,7\]/,
  );
  assert.throws(
    () => matmul(a, graph.input("c", [3, 7, 4])),
    /Cannot multiply a of shape \[2,5,7\] by c of shape \[3,7,4\]/,
  );
  assert.throws(() => matmul(a, graph.input("d", [7])), /Cannot multiply a .* by d of shape \[7\]/);
});
