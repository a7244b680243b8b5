import type { Value } from "../graph.ts";
import { expand } from "./expand.ts";
import { reshape } from "./reshape.ts";

/** y = sum of x over `axes` (all if absent), which stay with size 1 if `keep`;  dx = dy, repeated. */
export function reduceSum(
  x: Value,
  options: { axes?: readonly number[]; keep?: boolean } = {},
): Value {
  const axes = (options.axes ?? x.shape.map((_, axis) => axis)).map((axis) =>
    axis < 0 ? axis + x.rank : axis
  );
  const kept = x.shape.map((size, axis) => axes.includes(axis) ? 1 : size);
  const shape = options.keep ? kept : x.shape.filter((_, axis) => !axes.includes(axis));
  return x.graph.node({
    op: "ReduceSum",
    inputs: [x, x.graph.int64(axes)],
    outputs: [{ shape, type: x.type }],
    attributes: { keepdims: options.keep ? 1 : 0 },
    gradient: ({ dy }) => [expand(reshape(dy, kept), x.shape)],
  });
}
