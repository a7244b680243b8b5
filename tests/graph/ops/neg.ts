import { neg } from "../../../src/graph/ops/neg.ts";
import { testOperation } from "../operation_test_case.ts";
import { map64 } from "../tensor64.ts";

for (const shape of [[37], [5, 7], [3, 1, 11]]) {
  testOperation(`neg() of [${shape}]`, {
    inputs: { x: shape },
    build: ({ x }) => neg(x),
    reference: ({ x }) => map64(x, (x) => -x),
  });
}
