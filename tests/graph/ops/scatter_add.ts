import { Graph } from "../../../src/graph/graph.ts";
import { scatterAdd } from "../../../src/graph/ops/scatter_add.ts";
import { assert, test } from "../../testing.ts";
import { testOperation } from "../operation_test_case.ts";
import { at, sum64, tensor64 } from "../tensor64.ts";

for (const type of ["int32", "int64"] as const) {
  testOperation(`scatterAdd() of rows by ${type} ids, some repeated, some absent`, {
    inputs: {
      x: [2, 3, 5],
      ids: { shape: [2, 3], type, values: [6, 0, 3, 3, 6, 3] },
    },
    build: ({ x, ids }) => scatterAdd(x, ids, [7, 5]),
    reference: ({ x, ids }) =>
      tensor64(
        [7, 5],
        (row, e) => sum64(6, (i) => ids.data[i] === row ? x.data[i * 5 + e] : 0),
      ),
  });
}

testOperation("scatterAdd() of numbers into a vector", {
  inputs: {
    x: [37],
    ids: { shape: [37], type: "int32", values: (_, i) => i * i % 11 },
  },
  build: ({ x, ids }) => scatterAdd(x, ids, [11]),
  reference: ({ x, ids }) =>
    tensor64([11], (row) => sum64(37, (i) => at(ids, i) === row ? at(x, i) : 0)),
});

test("scatterAdd() rejects rows that do not fit the table", () => {
  const graph = new Graph();
  const x = graph.input("x", [6, 5]), ids = graph.input("ids", [6], "int32");
  assert.throws(() => scatterAdd(x, ids, [7, 4]), { name: "RangeError" });
});
