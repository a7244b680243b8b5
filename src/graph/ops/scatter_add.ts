import { elementCount } from "../../tensor.ts";
import type { Value } from "../graph.ts";
import { cast } from "./cast.ts";
import { gather } from "./gather.ts";
import { reshape } from "./reshape.ts";

/** y[i] = sum of the rows of x whose id is i, in a zero table of `shape`;  dx = rows of dy. */
export function scatterAdd(x: Value, ids: Value, shape: readonly number[]): Value {
  const { graph } = x;
  const rows = elementCount(ids.shape);
  // ScatterND takes int64 only; the cast comes last, as WebGPU has no other kernels for int64.
  const indices = cast(reshape(ids, [rows, 1]), "int64");
  const zeros = graph.node({
    op: "Expand",
    inputs: [graph.scalar(0), graph.int64(shape)],
    outputs: [{ shape, type: x.type }],
  });
  const y = graph.node({
    op: "ScatterND",
    inputs: [zeros, indices, reshape(x, [rows, ...shape.slice(1)])],
    outputs: [{ shape, type: x.type }],
    attributes: { reduction: "add" },
  });
  graph.derive([x], [y], ({ dy }) => [gather(dy, ids)]);
  return y;
}
