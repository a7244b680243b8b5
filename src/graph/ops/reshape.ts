import { elementCount } from "../../tensor.ts";
import type { Value } from "../graph.ts";

/** The same elements in another shape;  dx = dy in the shape of x. */
export function reshape(x: Value, shape: readonly number[]): Value {
  if (elementCount(shape) !== elementCount(x.shape)) {
    throw new RangeError(`Cannot reshape ${x.name} of shape [${x.shape}] to [${shape}]`);
  }
  return x.graph.node({
    op: "Reshape",
    inputs: [x, x.graph.int64(shape)],
    outputs: [{ shape, type: x.type }],
    gradient: ({ dy }) => [reshape(dy, x.shape)],
  });
}
