import type { Value } from "../graph.ts";
import { broadcastShape, unbroadcast } from "./broadcast.ts";

/** y = a b, broadcast;  da = dy b, db = dy a, summed over broadcast axes. */
export function mul(a: Value, b: Value): Value {
  return a.graph.node({
    op: "Mul",
    inputs: [a, b],
    outputs: [{ shape: broadcastShape("mul", a, b), type: a.type }],
    gradient: ({ dy }) => [unbroadcast(mul(dy, b), a.shape), unbroadcast(mul(dy, a), b.shape)],
  });
}
