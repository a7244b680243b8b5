import type { Value } from "../graph.ts";
import { mul } from "./mul.ts";

/** y = e^x;  dx = dy y. */
export function exp(x: Value): Value {
  const y: Value = x.graph.node({
    op: "Exp",
    inputs: [x],
    outputs: [{ shape: x.shape, type: x.type }],
    gradient: ({ dy }) => [mul(dy, y)],
  });
  return y;
}
