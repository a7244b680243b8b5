import type { Value } from "../graph.ts";

/** The `count` largest elements of the last axis, best first, and their places (int64); gradients stop here. */
export function topK(x: Value, count: number): { values: Value; ids: Value } {
  const shape = [...x.shape.slice(0, -1), count];
  const [values, ids] = x.graph.nodeWithOutputs({
    op: "TopK",
    inputs: [x, x.graph.int64([count])],
    outputs: [{ shape, type: x.type }, { shape, type: "int64" }],
    attributes: { axis: -1, largest: 1, sorted: 1 },
  });
  return { values, ids };
}
