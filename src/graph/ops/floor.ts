import type { Value } from "../graph.ts";
import { unary } from "../unary.ts";

/** y = the largest integer not above x; gradients stop here. */
export function floor(x: Value): Value {
  return unary("Floor", x);
}
