import type { Value } from "../graph.ts";
import { add } from "./add.ts";
import { div } from "./div.ts";
import { unary } from "../unary.ts";

/** y = x^(1/2);  dx = dy / (2 y). */
export function sqrt(x: Value): Value {
  return unary("Sqrt", x, (dy, y) => div(dy, add(y, y)));
}
