import { silu } from "../../../src/graph/ops/silu.ts";
import { testOperation } from "../operation_test_case.ts";
import { map64 } from "../tensor64.ts";

for (const shape of [[37], [5, 7], [3, 1, 11]]) {
  testOperation(`silu() of [${shape}]`, {
    inputs: { x: { shape, values: (random) => 2 * random.normal() } },
    build: ({ x }) => silu(x),
    reference: ({ x }) => map64(x, (x) => x / (1 + Math.exp(-x))),
  });
}
