import { reduceSumSquare } from "../../../src/graph/ops/reduce_sum_square.ts";
import { testOperation } from "../operation_test_case.ts";
import { tensor64 } from "../tensor64.ts";

for (const shape of [[7], [3, 5], [2, 3, 65]]) {
  testOperation(`reduceSumSquare() of [${shape}]`, {
    inputs: { x: shape },
    build: ({ x }) => reduceSumSquare(x),
    reference: ({ x }) => tensor64([], () => x.data.reduce((sum, value) => sum + value ** 2, 0)),
  });
}
