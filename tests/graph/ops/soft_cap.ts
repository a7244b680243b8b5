import { softCap, softCapSlope } from "../../../src/graph/ops/soft_cap.ts";
import { testOperation } from "../operation_test_case.ts";
import { map64 } from "../tensor64.ts";

for (const cap of [0.5, 30]) {
  const x = { shape: [5, 7], values: (random: { normal(): number }) => cap * random.normal() };
  testOperation(`softCap() at ${cap}`, {
    inputs: { x },
    build: ({ x }) => softCap(x, cap),
    reference: ({ x }) => map64(x, (value) => cap * Math.tanh(value / cap)),
  });
  testOperation(`softCapSlope() at ${cap}`, {
    inputs: { x },
    build: ({ x }) => softCapSlope(softCap(x, cap), cap),
    reference: ({ x }) => map64(x, (value) => 1 / Math.cosh(value / cap) ** 2),
  });
}
