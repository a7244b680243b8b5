import type { Value } from "../graph.ts";
import { pad } from "./pad.ts";

/** Elements start .. end-1 along an axis;  dx = dy with zeros around it. */
export function slice(x: Value, options: { axis: number; start: number; end: number }): Value {
  const { axis, start, end } = options;
  const size = x.shape[axis];
  if (!(start >= 0 && start < end && end <= size)) {
    throw new RangeError(
      `Cannot take ${start}..${end} of axis ${axis} of ${x.name} of shape [${x.shape}]`,
    );
  }
  if (start === 0 && end === size) return x;
  const { graph } = x;
  const shape = x.shape.map((s, a) => a === axis ? end - start : s);
  if (x.type === "int32") {
    // WebGPU slices floats only, and would take the ids to the CPU and back.
    const places = Int32Array.from({ length: end - start }, (_, i) => start + i);
    return graph.node({
      op: "Gather",
      inputs: [x, graph.int32(places, [places.length])],
      outputs: [{ shape, type: x.type }],
      attributes: { axis },
    });
  }
  return graph.node({
    op: "Slice",
    inputs: [x, graph.int64([start]), graph.int64([end]), graph.int64([axis])],
    outputs: [{ shape, type: x.type }],
    gradient: ({ dy }) => [pad(dy, { axis, before: start, after: size - end })],
  });
}

/**
 * The part of x within ranges of several axes, as one node; gradients stop here. ONNX Runtime turns nodes that slice one axis piece by
 * piece into one that copies all pieces at once, which takes the memory of x again; of these each is copied when it is needed.
 */
export function sliceRanges(
  x: Value,
  ranges: readonly { axis: number; start: number; end: number }[],
): Value {
  const shape = [...x.shape];
  for (const { axis, start, end } of ranges) shape[axis] = end - start;
  if (shape.every((size, axis) => size === x.shape[axis])) return x;
  const numbers = (of: (range: typeof ranges[number]) => number) => x.graph.int64(ranges.map(of));
  return x.graph.node({
    op: "Slice",
    inputs: [
      x,
      numbers(({ start }) => start),
      numbers(({ end }) => end),
      numbers(({ axis }) => axis),
    ],
    outputs: [{ shape, type: x.type }],
  });
}
