import type { Value } from "../graph.ts";
import { broadcastShape, unbroadcast } from "./broadcast.ts";
import { mul } from "./mul.ts";
import { neg } from "./neg.ts";

/** y = a / b, broadcast;  da = dy / b, db = -dy a / b^2, summed over broadcast axes. */
export function div(a: Value, b: Value): Value {
  return a.graph.node({
    op: "Div",
    inputs: [a, b],
    outputs: [{ shape: broadcastShape("div", a, b), type: a.type }],
    gradient: (
      { dy },
    ) => [unbroadcast(div(dy, b), a.shape), unbroadcast(neg(div(mul(dy, a), mul(b, b))), b.shape)],
  });
}
