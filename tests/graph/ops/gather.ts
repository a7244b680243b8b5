import { gather } from "../../../src/graph/ops/gather.ts";
import { testOperation } from "../operation_test_case.ts";
import { at, tensor64 } from "../tensor64.ts";

for (const type of ["int32", "int64"] as const) {
  testOperation(`gather() of rows by ${type} ids, some repeated, some absent`, {
    inputs: {
      x: [7, 5],
      ids: { shape: [2, 3], type, values: [6, 0, 3, 3, 6, 3] },
    },
    build: ({ x, ids }) => gather(x, ids),
    reference: ({ x, ids }) => tensor64([2, 3, 5], (i, j, e) => at(x, at(ids, i, j), e)),
    tolerance: 1e-6,
  });
}

testOperation("gather() of blocks of a table of three axes", {
  inputs: { x: [5, 3, 7], ids: { shape: [4], type: "int32", values: [4, 1, 4, 0] } },
  build: ({ x, ids }) => gather(x, ids),
  reference: ({ x, ids }) => tensor64([4, 3, 7], (i, j, e) => at(x, at(ids, i), j, e)),
  tolerance: 1e-6,
});

testOperation("gather() of int32 values", {
  inputs: {
    x: { shape: [37], type: "int32", values: (_, i) => 100 - i },
    ids: { shape: [3], type: "int32", values: [36, 0, 5] },
  },
  build: ({ x, ids }) => gather(x, ids),
  reference: ({ x, ids }) => tensor64([3], (i) => at(x, at(ids, i))),
});
