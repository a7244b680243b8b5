import type { Value } from "../graph.ts";
import { broadcastShape, unbroadcast } from "./broadcast.ts";

/** y = a + b, broadcast;  da = dy, db = dy, summed over broadcast axes. */
export function add(a: Value, b: Value): Value {
  return a.graph.node({
    op: "Add",
    inputs: [a, b],
    outputs: [{ shape: broadcastShape("add", a, b), type: a.type }],
    gradient: ({ dy }) => [unbroadcast(dy, a.shape), unbroadcast(dy, b.shape)],
  });
}
