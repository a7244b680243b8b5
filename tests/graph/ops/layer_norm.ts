import { layerNorm } from "../../../src/graph/ops/layer_norm.ts";
import { testOperation } from "../operation_test_case.ts";
import { sum64, type Tensor64 } from "../tensor64.ts";

function reference(x: Tensor64, weight: Tensor64, bias: Tensor64, epsilon: number): Tensor64 {
  const E = weight.data.length;
  const data = new Float64Array(x.data.length);
  for (let start = 0; start < data.length; start += E) {
    const row = x.data.subarray(start, start + E);
    const mean = sum64(E, (e) => row[e]) / E;
    const variance = sum64(E, (e) => (row[e] - mean) ** 2) / E;
    for (let e = 0; e < E; e++) {
      data[start + e] = (row[e] - mean) / Math.sqrt(variance + epsilon) * weight.data[e] +
        bias.data[e];
    }
  }
  return { shape: x.shape, data };
}

for (const shape of [[37], [5, 7], [3, 1, 37], [2, 3, 5, 11]]) {
  const E = shape[shape.length - 1];
  testOperation(`layerNorm() of [${shape}]`, {
    inputs: { x: shape, weight: [E], bias: [E] },
    build: ({ x, weight, bias }) => layerNorm(x, weight, bias, 1e-5),
    reference: ({ x, weight, bias }) => reference(x, weight, bias, 1e-5),
  });
}

testOperation("layerNorm() with an epsilon as large as the variance", {
  inputs: { x: [5, 37], weight: [37], bias: [37] },
  build: ({ x, weight, bias }) => layerNorm(x, weight, bias, 0.8),
  reference: ({ x, weight, bias }) => reference(x, weight, bias, 0.8),
});

testOperation("layerNorm() of rows whose mean is ten deviations", {
  inputs: {
    x: { shape: [5, 37], values: (random) => 10 + random.normal() },
    weight: [37],
    bias: [37],
  },
  build: ({ x, weight, bias }) => layerNorm(x, weight, bias, 1e-5),
  reference: ({ x, weight, bias }) => reference(x, weight, bias, 1e-5),
  // WebGPU takes the variance as the mean of squares less the square of the mean, which loses two of seven digits here.
  tolerance: 5e-5,
});
