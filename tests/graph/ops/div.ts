import { div } from "../../../src/graph/ops/div.ts";
import { testOperation } from "../operation_test_case.ts";
import { at, tensor64 } from "../tensor64.ts";

const shapes = [
  { a: [5, 37], b: [5, 37], y: [5, 37] },
  { a: [5, 37], b: [37], y: [5, 37] },
  { a: [37], b: [5, 1], y: [5, 37] },
  { a: [3, 1, 11], b: [1, 5, 1], y: [3, 5, 11] },
  { a: [2, 3, 7], b: [], y: [2, 3, 7] },
];

for (const { a, b, y } of shapes) {
  testOperation(`div() of [${a}] by [${b}]`, {
    // Divisors of both signs, but none near 0.
    inputs: {
      a,
      b: { shape: b, values: (random, i) => (i % 2 ? 1 : -1) * (0.5 + random.uniform()) },
    },
    build: ({ a, b }) => div(a, b),
    reference: ({ a, b }) => tensor64(y, (...i) => at(a, ...i) / at(b, ...i)),
  });
}
