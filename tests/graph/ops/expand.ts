import { Graph } from "../../../src/graph/graph.ts";
import { expand } from "../../../src/graph/ops/expand.ts";
import { assert, test } from "../../testing.ts";
import { testOperation } from "../operation_test_case.ts";
import { at, tensor64 } from "../tensor64.ts";

const shapes = [
  { from: [5, 1], to: [5, 37] },
  { from: [37], to: [3, 37] },
  { from: [3, 1, 7], to: [2, 3, 5, 7] },
  { from: [], to: [5, 7] },
];

for (const { from, to } of shapes) {
  testOperation(`expand() of [${from}] to [${to}]`, {
    inputs: { x: from },
    build: ({ x }) => expand(x, to),
    reference: ({ x }) => tensor64(to, (...i) => at(x, ...i)),
  });
}

test("expand() returns a value that has the shape already, and rejects others", () => {
  const x = new Graph().input("x", [5, 7]);
  assert.equal(expand(x, [5, 7]), x);
  for (const shape of [[5, 14], [7], [7, 5]]) {
    assert.throws(
      () => expand(x, shape),
      { name: "RangeError", message: `Cannot expand x of shape [5,7] to [${shape}]` },
    );
  }
});
