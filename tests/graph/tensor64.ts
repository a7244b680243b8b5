/**
 * Double-precision tensors and functions for references: plain loops, no tricks.
 */
import { elementCount } from "../../src/tensor.ts";

/** A tensor of doubles, row-major. */
export interface Tensor64 {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** The tensor whose elements are a function of their index. */
export function tensor64(
  shape: readonly number[],
  element: (...index: number[]) => number,
): Tensor64 {
  const data = new Float64Array(elementCount(shape));
  const index = shape.map(() => 0);
  for (let i = 0; i < data.length; i++) {
    data[i] = element(...index);
    for (let axis = shape.length - 1; axis >= 0 && ++index[axis] === shape[axis]; axis--) {
      index[axis] = 0;
    }
  }
  return { shape, data };
}

/** An element. Leading indices that x lacks and indices along axes of size 1 are ignored: x is broadcast. */
export function at(x: Tensor64, ...index: number[]): number {
  const lead = index.length - x.shape.length;
  let offset = 0;
  for (let axis = 0; axis < x.shape.length; axis++) {
    const size = x.shape[axis];
    offset = offset * size + (size === 1 ? 0 : index[axis + lead]);
  }
  return x.data[offset];
}

/** The function of every element. */
export function map64(x: Tensor64, f: (value: number) => number): Tensor64 {
  return { shape: x.shape, data: x.data.map((value) => f(value)) };
}

/** Sum of `term(0) .. term(count - 1)`. */
export function sum64(count: number, term: (i: number) => number): number {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += term(i);
  return sum;
}

/** erf x = 2/sqrt(pi) e^(-x^2) (x + 2 x^3 / 3 + 4 x^5 / (3 5) + ...): all terms of one sign, so nothing cancels. */
export function erf64(x: number): number {
  let term = x, sum = x;
  for (let n = 1; n < 200; n++) {
    term *= 2 * x * x / (2 * n + 1);
    sum += term;
  }
  return 2 / Math.sqrt(Math.PI) * Math.exp(-x * x) * sum;
}
