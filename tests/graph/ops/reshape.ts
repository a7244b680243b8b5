import { Graph } from "../../../src/graph/graph.ts";
import { reshape } from "../../../src/graph/ops/reshape.ts";
import { assert, test } from "../../testing.ts";
import { testOperation } from "../operation_test_case.ts";

for (
  const { from, to } of [{ from: [5, 8], to: [2, 20] }, { from: [3, 1, 11], to: [33] }, {
    from: [1],
    to: [],
  }]
) {
  testOperation(`reshape() of [${from}] to [${to}]`, {
    inputs: { x: from },
    build: ({ x }) => reshape(x, to),
    reference: ({ x }) => ({ shape: to, data: x.data.slice() }),
    tolerance: 1e-6,
  });
}

test("reshape() rejects another number of elements", () => {
  const x = new Graph().input("x", [5, 7]);
  assert.throws(
    () => reshape(x, [5, 8]),
    { name: "RangeError", message: "Cannot reshape x of shape [5,7] to [5,8]" },
  );
});
