import { log } from "../../../src/graph/ops/log.ts";
import { testOperation } from "../operation_test_case.ts";
import { map64 } from "../tensor64.ts";

for (const shape of [[37], [5, 7], [3, 1, 11]]) {
  testOperation(`log() of [${shape}]`, {
    inputs: { x: { shape, values: (random) => 0.1 + 3 * random.uniform() } },
    build: ({ x }) => log(x),
    reference: ({ x }) => map64(x, Math.log),
  });
}
