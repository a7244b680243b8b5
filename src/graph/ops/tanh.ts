import type { Value } from "../graph.ts";
import { mul } from "./mul.ts";
import { sub } from "./sub.ts";
import { unary } from "../unary.ts";

/** y = tanh x;  dx = dy (1 - y^2). */
export function tanh(x: Value): Value {
  return unary("Tanh", x, (dy, y) => mul(dy, sub(x.graph.scalar(1), mul(y, y))));
}
