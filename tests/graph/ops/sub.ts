import { sub } from "../../../src/graph/ops/sub.ts";
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
  testOperation(`sub() of [${a}] and [${b}]`, {
    inputs: { a, b },
    build: ({ a, b }) => sub(a, b),
    reference: ({ a, b }) => tensor64(y, (...i) => at(a, ...i) - at(b, ...i)),
  });
}
