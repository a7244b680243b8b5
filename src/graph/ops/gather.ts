import type { Value } from "../graph.ts";
import { cast } from "./cast.ts";
import { dequantize, quantizedTable } from "./dequantize.ts";
import { scatterAdd } from "./scatter_add.ts";

/** Rows of a table: y[..., E] = x[ids[...], E];  dx[i] = sum of dy over the places where ids is i. */
export function gather(x: Value, ids: Value): Value {
  // Rows of a converted table are converted rows, without a second table.
  const [given] = x.node?.op === "Cast" ? x.node.inputs : [];
  if (given) return cast(gather(given, ids), x.type);
  const table = quantizedTable(x);
  if (table) return dequantize(gather(table.codes, ids), gather(table.scales, ids));
  return x.graph.node({
    op: "Gather",
    inputs: [x, ids],
    outputs: [{ shape: [...ids.shape, ...x.shape.slice(1)], type: x.type }],
    attributes: { axis: 0 },
    gradient: ({ dy }) => [scatterAdd(dy, ids, x.shape)],
  });
}
