import type { Value } from "../graph.ts";
import { unbroadcast } from "./broadcast.ts";

/** Repeats axes of size 1 up to `shape`;  dx = dy, summed over the repeated axes. */
export function expand(x: Value, shape: readonly number[]): Value {
  if (String(x.shape) === String(shape)) return x;
  const lead = shape.length - x.rank;
  if (lead < 0 || x.shape.some((size, axis) => size !== 1 && size !== shape[axis + lead])) {
    throw new RangeError(`Cannot expand ${x.name} of shape [${x.shape}] to [${shape}]`);
  }
  return x.graph.node({
    op: "Expand",
    inputs: [x, x.graph.int64(shape)],
    outputs: [{ shape, type: x.type }],
    gradient: ({ dy }) => [unbroadcast(dy, x.shape)],
  });
}
