import { erf } from "../../../src/graph/ops/erf.ts";
import { testOperation } from "../operation_test_case.ts";
import { erf64, map64 } from "../tensor64.ts";

for (const shape of [[37], [5, 7], [3, 1, 11]]) {
  testOperation(`erf() of [${shape}]`, {
    inputs: { x: { shape, values: (random) => 1.5 * random.normal() } },
    build: ({ x }) => erf(x),
    reference: ({ x }) => map64(x, erf64),
  });
}
