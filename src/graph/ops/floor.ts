import type { Value } from "../graph.ts";

/** y = the largest integer not above x; gradients stop here. */
export function floor(x: Value): Value {
  return x.graph.node({ op: "Floor", inputs: [x], outputs: [{ shape: x.shape, type: x.type }] });
}
