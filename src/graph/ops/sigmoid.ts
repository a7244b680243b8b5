import type { Value } from "../graph.ts";
import { mul } from "./mul.ts";
import { sub } from "./sub.ts";
import { unary } from "../unary.ts";

/** y = 1 / (1 + e^-x);  dx = dy y (1 - y). */
export function sigmoid(x: Value): Value {
  return unary("Sigmoid", x, (dy, y) => mul(dy, mul(y, sub(x.graph.scalar(1), y))));
}
