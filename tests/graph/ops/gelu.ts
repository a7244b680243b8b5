import { gelu, geluSigmoid, geluTanh } from "../../../src/graph/ops/gelu.ts";
import { testOperation } from "../operation_test_case.ts";
import { erf64, map64 } from "../tensor64.ts";

for (const shape of [[37], [5, 7], [3, 1, 11]]) {
  const x = { shape, values: (random: { normal(): number }) => 2 * random.normal() };
  testOperation(`gelu() of [${shape}]`, {
    inputs: { x },
    build: ({ x }) => gelu(x),
    reference: ({ x }) => map64(x, (x) => x / 2 * (1 + erf64(x / Math.SQRT2))),
  });
  testOperation(`geluTanh() of [${shape}]`, {
    inputs: { x },
    build: ({ x }) => geluTanh(x),
    reference: ({ x }) =>
      map64(x, (x) => x / 2 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))),
  });
  testOperation(`geluSigmoid() of [${shape}]`, {
    inputs: { x },
    build: ({ x }) => geluSigmoid(x),
    reference: ({ x }) => map64(x, (x) => x / (1 + Math.exp(-1.702 * x))),
  });
}

// The two forms differ by up to 5e-4: a mix-up of the two must not pass.
testOperation("geluTanh() where it differs most from gelu()", {
  inputs: { x: { shape: [4], values: [-2.7, -2.3, 2.3, 2.7] } },
  build: ({ x }) => geluTanh(x),
  reference: ({ x }) =>
    map64(x, (x) => x / 2 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))),
});
