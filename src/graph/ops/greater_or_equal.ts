import type { Value } from "../graph.ts";
import { broadcastShape } from "./broadcast.ts";

/** y = a >= b as a truth value; gradients stop here. */
export function greaterOrEqual(a: Value, b: Value): Value {
  return a.graph.node({
    op: "GreaterOrEqual",
    inputs: [a, b],
    outputs: [{ shape: broadcastShape("compare", a, b), type: "bool" }],
  });
}
