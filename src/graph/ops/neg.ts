import type { Value } from "../graph.ts";
import { unary } from "../unary.ts";

/** y = -x;  dx = -dy. */
export function neg(x: Value): Value {
  return unary("Neg", x, neg);
}
