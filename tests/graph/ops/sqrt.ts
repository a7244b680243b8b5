import { sqrt } from "../../../src/graph/ops/sqrt.ts";
import { testOperation } from "../operation_test_case.ts";
import { map64 } from "../tensor64.ts";

for (const shape of [[37], [5, 7], [3, 1, 11]]) {
  testOperation(`sqrt() of [${shape}]`, {
    inputs: { x: { shape, values: (random) => 0.1 + 3 * random.uniform() } },
    build: ({ x }) => sqrt(x),
    reference: ({ x }) => map64(x, Math.sqrt),
  });
}
