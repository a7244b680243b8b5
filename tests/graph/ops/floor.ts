import { floor } from "../../../src/graph/ops/floor.ts";
import { testOperation } from "../operation_test_case.ts";
import { map64 } from "../tensor64.ts";

testOperation("floor() goes towards minus infinity and stops the gradient", {
  inputs: { x: { shape: [5, 7], values: (random) => 4 * random.normal(), gradient: false } },
  build: ({ x }) => floor(x),
  reference: ({ x }) => map64(x, Math.floor),
});

testOperation("floor() keeps whole numbers", {
  inputs: { x: { shape: [5], values: [-3, -0.5, 0, 2, 4095], gradient: false } },
  build: ({ x }) => floor(x),
  reference: () => ({ shape: [5], data: Float64Array.of(-3, -1, 0, 2, 4095) }),
  tolerance: 0,
});
