import { Graph } from "../../../src/graph/graph.ts";
import { pad } from "../../../src/graph/ops/pad.ts";
import { assert, test } from "../../testing.ts";
import { testOperation } from "../operation_test_case.ts";
import { at, tensor64 } from "../tensor64.ts";

for (
  const { axis, before, after } of [
    { axis: 0, before: 2, after: 0 },
    { axis: 1, before: 0, after: 3 },
    { axis: 2, before: 1, after: 4 },
  ]
) {
  const x = [3, 5, 7];
  testOperation(`pad() of axis ${axis} by ${before} and ${after}`, {
    inputs: { x },
    build: ({ x }) => pad(x, { axis, before, after }),
    reference: ({ x: { shape }, x }) =>
      tensor64(shape.map((size, a) => a === axis ? size + before + after : size), (...i) => {
        const j = i[axis] - before;
        return j < 0 || j >= shape[axis] ? 0 : at(x, ...i.map((k, a) => a === axis ? j : k));
      }),
    tolerance: 1e-6,
  });
}

test("pad() by nothing returns the value itself", () => {
  const x = new Graph().input("x", [5, 7]);
  assert.equal(pad(x, { axis: 0, before: 0, after: 0 }), x);
});
