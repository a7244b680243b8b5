import type { Value } from "../graph.ts";
import { div } from "./div.ts";
import { unary } from "../unary.ts";

/** y = ln x;  dx = dy / x. */
export function log(x: Value): Value {
  return unary("Log", x, (dy) => div(dy, x));
}
