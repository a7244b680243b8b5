import { sigmoid } from "../../../src/graph/ops/sigmoid.ts";
import { testOperation } from "../operation_test_case.ts";
import { map64 } from "../tensor64.ts";

for (const shape of [[37], [5, 7], [3, 1, 11]]) {
  testOperation(`sigmoid() of [${shape}]`, {
    inputs: { x: { shape, values: (random) => 3 * random.normal() } },
    build: ({ x }) => sigmoid(x),
    reference: ({ x }) => map64(x, (x) => 1 / (1 + Math.exp(-x))),
  });
}
