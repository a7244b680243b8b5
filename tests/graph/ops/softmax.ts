import { softmax } from "../../../src/graph/ops/softmax.ts";
import { testOperation } from "../operation_test_case.ts";
import { at, sum64, type Tensor64, tensor64 } from "../tensor64.ts";

function reference(x: Tensor64): Tensor64 {
  const size = x.shape[x.shape.length - 1];
  return tensor64(x.shape, (...i) => {
    const row = i.slice(0, -1);
    let largest = -Infinity;
    for (let j = 0; j < size; j++) largest = Math.max(largest, at(x, ...row, j));
    const e = (j: number) => Math.exp(at(x, ...row, j) - largest);
    return e(i[i.length - 1]) / sum64(size, e);
  });
}

for (const shape of [[37], [5, 7], [3, 2, 11]]) {
  testOperation(`softmax() of [${shape}]`, {
    inputs: { x: shape },
    build: ({ x }) => softmax(x),
    reference: ({ x }) => reference(x),
  });
}

testOperation("softmax() of scores whose exponentials overflow", {
  inputs: { x: { shape: [3, 5], values: (random) => 1000 + random.normal() } },
  build: ({ x }) => softmax(x),
  reference: ({ x }) => reference(x),
  // float32 keeps 1000 + s to 6e-5 only, but the inputs are rounded before both; differences are exact.
});

testOperation("softmax() gives hidden scores nothing", {
  inputs: {
    x: { shape: [2, 7], values: (random, i) => i % 7 > 4 ? -1e9 : random.normal() },
  },
  build: ({ x }) => softmax(x),
  reference: ({ x }) => reference(x),
});
