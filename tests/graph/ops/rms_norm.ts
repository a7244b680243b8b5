import { rmsNorm } from "../../../src/graph/ops/rms_norm.ts";
import { testOperation } from "../operation_test_case.ts";
import { sum64, type Tensor64 } from "../tensor64.ts";

function reference(x: Tensor64, weight: Tensor64, epsilon: number): Tensor64 {
  const E = weight.data.length;
  const data = new Float64Array(x.data.length);
  for (let start = 0; start < data.length; start += E) {
    const row = x.data.subarray(start, start + E);
    const root = Math.sqrt(sum64(E, (e) => row[e] ** 2) / E + epsilon);
    for (let e = 0; e < E; e++) data[start + e] = row[e] / root * weight.data[e];
  }
  return { shape: x.shape, data };
}

for (const shape of [[37], [5, 7], [3, 1, 37], [2, 3, 5, 11]]) {
  const E = shape[shape.length - 1];
  testOperation(`rmsNorm() of [${shape}]`, {
    // The mean counts: this is no layer norm.
    inputs: { x: { shape, values: (random) => 0.7 + random.normal() }, weight: [E] },
    build: ({ x, weight }) => rmsNorm(x, weight, 1e-6),
    reference: ({ x, weight }) => reference(x, weight, 1e-6),
  });
}

testOperation("rmsNorm() with an epsilon as large as the mean square", {
  inputs: { x: [5, 37], weight: [37] },
  build: ({ x, weight }) => rmsNorm(x, weight, 0.8),
  reference: ({ x, weight }) => reference(x, weight, 0.8),
});
