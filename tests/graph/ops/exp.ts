import { exp } from "../../../src/graph/ops/exp.ts";
import { testOperation } from "../operation_test_case.ts";
import { map64 } from "../tensor64.ts";

for (const shape of [[37], [5, 7], [3, 1, 11]]) {
  testOperation(`exp() of [${shape}]`, {
    inputs: { x: shape },
    build: ({ x }) => exp(x),
    reference: ({ x }) => map64(x, Math.exp),
  });
}
