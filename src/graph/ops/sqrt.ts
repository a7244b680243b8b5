import type { Value } from "../graph.ts";
import { add } from "./add.ts";
import { div } from "./div.ts";

/** y = x^(1/2);  dx = dy / (2 y). */
export function sqrt(x: Value): Value {
  const y: Value = x.graph.node({
    op: "Sqrt",
    inputs: [x],
    outputs: [{ shape: x.shape, type: x.type }],
    gradient: ({ dy }) => [div(dy, add(y, y))],
  });
  return y;
}
