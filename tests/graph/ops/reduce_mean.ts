import { reduceMean } from "../../../src/graph/ops/reduce_mean.ts";
import { testOperation } from "../operation_test_case.ts";
import { at, sum64, tensor64 } from "../tensor64.ts";

for (const shape of [[37], [5, 7], [3, 1, 11]]) {
  const lead = shape.slice(0, -1), size = shape[shape.length - 1];
  testOperation(`reduceMean() of [${shape}]`, {
    inputs: { x: { shape, values: (random) => 1 + random.normal() } },
    build: ({ x }) => reduceMean(x),
    reference: ({ x }) =>
      tensor64([...lead, 1], (...i) => sum64(size, (j) => at(x, ...i.slice(0, -1), j)) / size),
  });
}
