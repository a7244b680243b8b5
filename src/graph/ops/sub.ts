import type { Value } from "../graph.ts";
import { broadcastShape, unbroadcast } from "./broadcast.ts";
import { neg } from "./neg.ts";

/** y = a - b, broadcast;  da = dy, db = -dy, summed over broadcast axes. */
export function sub(a: Value, b: Value): Value {
  return a.graph.node({
    op: "Sub",
    inputs: [a, b],
    outputs: [{ shape: broadcastShape("sub", a, b), type: a.type }],
    gradient: ({ dy }) => [unbroadcast(dy, a.shape), unbroadcast(neg(dy), b.shape)],
  });
}
