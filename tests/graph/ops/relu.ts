import { relu } from "../../../src/graph/ops/relu.ts";
import { testOperation } from "../operation_test_case.ts";
import { map64 } from "../tensor64.ts";

for (const shape of [[37], [5, 7], [3, 1, 11]]) {
  testOperation(`relu() of [${shape}]`, {
    // None so near 0 that a central difference would reach across it.
    inputs: {
      x: { shape, values: (random) => (random.normal() < 0 ? -1 : 1) * (0.1 + random.uniform()) },
    },
    build: ({ x }) => relu(x),
    reference: ({ x }) => map64(x, (x) => Math.max(x, 0)),
  });
}
