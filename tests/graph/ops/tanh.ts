import { tanh } from "../../../src/graph/ops/tanh.ts";
import { testOperation } from "../operation_test_case.ts";
import { map64 } from "../tensor64.ts";

for (const shape of [[37], [5, 7], [3, 1, 11]]) {
  testOperation(`tanh() of [${shape}]`, {
    inputs: { x: { shape, values: (random) => 2 * random.normal() } },
    build: ({ x }) => tanh(x),
    reference: ({ x }) => map64(x, Math.tanh),
  });
}
