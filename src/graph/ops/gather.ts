import type { Value } from "../graph.ts";
import { scatterAdd } from "./scatter_add.ts";

/** Rows of a table: y[..., E] = x[ids[...], E];  dx[i] = sum of dy over the places where ids is i. */
export function gather(x: Value, ids: Value): Value {
  return x.graph.node({
    op: "Gather",
    inputs: [x, ids],
    outputs: [{ shape: [...ids.shape, ...x.shape.slice(1)], type: x.type }],
    attributes: { axis: 0 },
    gradient: ({ dy }) => [scatterAdd(dy, ids, x.shape)],
  });
}
