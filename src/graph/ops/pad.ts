import type { Value } from "../graph.ts";
import { slice } from "./slice.ts";

/** Zeros before and after x along an axis;  dx = the part of dy where x lies. */
export function pad(x: Value, options: { axis: number; before: number; after: number }): Value {
  const { axis, before, after } = options;
  if (before === 0 && after === 0) return x;
  const { graph } = x;
  const pads = Array.from({ length: 2 * x.rank }, () => 0);
  pads[axis] = before;
  pads[axis + x.rank] = after;
  return graph.node({
    op: "Pad",
    inputs: [x, graph.int64(pads)],
    outputs: [{
      shape: x.shape.map((size, a) => a === axis ? size + before + after : size),
      type: x.type,
    }],
    gradient: ({ dy }) => [slice(dy, { axis, start: before, end: before + x.shape[axis] })],
  });
}
