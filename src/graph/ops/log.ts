import type { Value } from "../graph.ts";
import { div } from "./div.ts";

/** y = ln x;  dx = dy / x. */
export function log(x: Value): Value {
  return x.graph.node({
    op: "Log",
    inputs: [x],
    outputs: [{ shape: x.shape, type: x.type }],
    gradient: ({ dy }) => [div(dy, x)],
  });
}
