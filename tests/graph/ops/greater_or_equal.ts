import { greaterOrEqual } from "../../../src/graph/ops/greater_or_equal.ts";
import { testOperation } from "../operation_test_case.ts";
import { at, tensor64 } from "../tensor64.ts";

for (const type of ["float32", "int32"] as const) {
  // Small whole numbers, so that many are equal.
  const values = (random: { below(n: number): number }) => random.below(4) - 2;
  testOperation(`greaterOrEqual() of ${type}`, {
    inputs: { a: { shape: [5, 37], type, values }, b: { shape: [37], type, values } },
    build: ({ a, b }) => greaterOrEqual(a, b),
    reference: ({ a, b }) => tensor64([5, 37], (...i) => at(a, ...i) >= at(b, ...i) ? 1 : 0),
  });
}
