import type { Value } from "../graph.ts";
import { greaterOrEqual } from "./greater_or_equal.ts";
import { where } from "./where.ts";

/** y = x where it is positive, else 0;  dx = dy there, else 0. */
export function relu(x: Value): Value {
  const zero = x.graph.scalar(0);
  return where(greaterOrEqual(x, zero), x, zero);
}
