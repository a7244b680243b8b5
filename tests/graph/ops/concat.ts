import { Graph } from "../../../src/graph/graph.ts";
import { concat } from "../../../src/graph/ops/concat.ts";
import { assert, test } from "../../testing.ts";
import { testOperation } from "../operation_test_case.ts";
import { at, tensor64 } from "../tensor64.ts";

testOperation("concat() along the first axis", {
  inputs: { a: [2, 7], b: [1, 7], c: [5, 7] },
  build: ({ a, b, c }) => concat([a, b, c], 0),
  reference: ({ a, b, c }) =>
    tensor64([8, 7], (i, j) => i < 2 ? at(a, i, j) : i < 3 ? b.data[j] : at(c, i - 3, j)),
  tolerance: 1e-6,
});

testOperation("concat() along the middle axis", {
  inputs: { a: [3, 2, 5], b: [3, 4, 5] },
  build: ({ a, b }) => concat([a, b], 1),
  reference: ({ a, b }) =>
    tensor64([3, 6, 5], (i, j, k) => j < 2 ? at(a, i, j, k) : at(b, i, j - 2, k)),
  tolerance: 1e-6,
});

testOperation("concat() of a value with itself adds both gradients", {
  inputs: { a: [5, 3] },
  build: ({ a }) => concat([a, a], 1),
  reference: ({ a }) => tensor64([5, 6], (i, j) => at(a, i, j % 3)),
  tolerance: 1e-6,
});

testOperation("concat() of more values than a shader stage can bind", {
  inputs: Object.fromEntries(
    Array.from({ length: 37 }, (_, i) => [`x${String(i).padStart(2, "0")}`, [3, 1 + i % 2]]),
  ),
  build: (inputs) => concat(Object.values(inputs), 1),
  reference: (inputs) => {
    const columns = Object.values(inputs).flatMap((x) =>
      Array.from({ length: x.shape[1] }, (_, j) => (i: number) => x.data[i * x.shape[1] + j])
    );
    return tensor64([3, columns.length], (i, j) => columns[j](i));
  },
  tolerance: 1e-6,
});

test("concat() returns a single value itself, and rejects shapes that do not fit", () => {
  const graph = new Graph();
  const a = graph.input("a", [5, 7]);
  assert.equal(concat([a], 0), a);
  assert.throws(
    () => concat([a, graph.input("b", [5, 6])], 0),
    { name: "RangeError", message: "Cannot join b of shape [5,6] to [5,7] along axis 0" },
  );
  assert.throws(() => concat([a, graph.input("c", [5, 7, 1])], 0), /Cannot join c of shape/);
});
