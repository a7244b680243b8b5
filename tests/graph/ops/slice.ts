import { Graph } from "../../../src/graph/graph.ts";
import { slice, sliceRanges } from "../../../src/graph/ops/slice.ts";
import { assert, test } from "../../testing.ts";
import { testOperation } from "../operation_test_case.ts";
import { at, tensor64 } from "../tensor64.ts";

for (
  const { axis, start, end } of [
    { axis: 0, start: 0, end: 2 },
    { axis: 1, start: 2, end: 3 },
    { axis: 2, start: 4, end: 11 },
  ]
) {
  const x = [3, 5, 11];
  testOperation(`slice() of ${start}..${end} of axis ${axis}`, {
    inputs: { x },
    build: ({ x }) => slice(x, { axis, start, end }),
    reference: ({ x: { shape }, x }) =>
      tensor64(
        shape.map((size, a) => a === axis ? end - start : size),
        (...i) => at(x, ...i.map((j, a) => a === axis ? j + start : j)),
      ),
    tolerance: 1e-6,
  });
}

testOperation("sliceRanges() of two axes", {
  inputs: { x: { shape: [3, 5, 11], gradient: false } },
  build: ({ x }) => sliceRanges(x, [{ axis: 0, start: 1, end: 3 }, { axis: 2, start: 4, end: 5 }]),
  reference: ({ x }) => tensor64([2, 5, 1], (i, j, k) => at(x, i + 1, j, k + 4)),
  tolerance: 0,
});

testOperation("slice() of int32", {
  inputs: { x: { shape: [37], type: "int32", values: (_, i) => 3 * i + 1 } },
  build: ({ x }) => slice(x, { axis: 0, start: 5, end: 12 }),
  reference: ({ x }) => tensor64([7], (i) => at(x, i + 5)),
});

test("slice() returns the value itself for the whole axis, and rejects empty ranges and others outside", () => {
  const x = new Graph().input("x", [5, 7]);
  assert.equal(slice(x, { axis: 1, start: 0, end: 7 }), x);
  assert.equal(sliceRanges(x, [{ axis: 1, start: 0, end: 7 }]), x);
  for (const [start, end] of [[-1, 3], [3, 3], [4, 2], [0, 8]]) {
    assert.throws(
      () => slice(x, { axis: 1, start, end }),
      {
        name: "RangeError",
        message: `Cannot take ${start}..${end} of axis 1 of x of shape [5,7]`,
      },
    );
  }
});
