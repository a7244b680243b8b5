/** What tests of random weights share. */
import type { TensorMap } from "../../src/tensor.ts";
import { assert } from "../testing.ts";

/** All values of the tensors with such names. */
export function joined(weights: TensorMap, names: RegExp): Float64Array {
  const found = [...weights].filter(([name]) => names.test(name));
  assert.ok(found.length > 0, `tensors named ${names}`);
  return Float64Array.from(found.flatMap(([, { data }]) => [...data]));
}

/** Mean 0 and the standard deviation, within five standard errors. */
export function checkMoments(data: Float64Array, deviation: number, name: unknown): void {
  const mean = data.reduce((a, b) => a + b, 0) / data.length;
  const square = data.reduce((a, b) => a + b * b, 0) / data.length;
  const error = 5 / Math.sqrt(data.length);
  assert.ok(Math.abs(mean) < error * deviation, `${name}: mean ${mean}`);
  assert.ok(Math.abs(Math.sqrt(square) / deviation - 1) < error, `${name}: ${Math.sqrt(square)}`);
}
