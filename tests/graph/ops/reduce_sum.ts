import { reduceSum } from "../../../src/graph/ops/reduce_sum.ts";
import { testOperation } from "../operation_test_case.ts";
import { at, sum64, type Tensor64, tensor64 } from "../tensor64.ts";

const sum1 = (x: Tensor64, ...lead: number[]) => sum64(x.shape[2], (k) => at(x, ...lead, k));

testOperation("reduceSum() of all elements", {
  inputs: { x: [5, 37] },
  build: ({ x }) => reduceSum(x),
  reference: ({ x }) => tensor64([], () => sum64(x.data.length, (i) => x.data[i])),
});

testOperation("reduceSum() over the last axis, kept", {
  inputs: { x: [3, 5, 11] },
  build: ({ x }) => reduceSum(x, { axes: [-1], keep: true }),
  reference: ({ x }) => tensor64([3, 5, 1], (i, j) => sum1(x, i, j)),
});

testOperation("reduceSum() over the last axis", {
  inputs: { x: [3, 5, 11] },
  build: ({ x }) => reduceSum(x, { axes: [2] }),
  reference: ({ x }) => tensor64([3, 5], (i, j) => sum1(x, i, j)),
});

testOperation("reduceSum() over the middle axis", {
  inputs: { x: [3, 5, 11] },
  build: ({ x }) => reduceSum(x, { axes: [1] }),
  reference: ({ x }) => tensor64([3, 11], (i, k) => sum64(5, (j) => at(x, i, j, k))),
});

testOperation("reduceSum() over the first and last axes", {
  inputs: { x: [3, 5, 11] },
  build: ({ x }) => reduceSum(x, { axes: [0, 2] }),
  reference: ({ x }) => tensor64([5], (j) => sum64(3, (i) => sum1(x, i, j))),
});
