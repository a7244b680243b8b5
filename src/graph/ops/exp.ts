import type { Value } from "../graph.ts";
import { mul } from "./mul.ts";
import { unary } from "../unary.ts";

/** y = e^x;  dx = dy y. */
export function exp(x: Value): Value {
  return unary("Exp", x, (dy, y) => mul(dy, y));
}
