import type { Value } from "../graph.ts";
import { slice } from "./slice.ts";

/** Joins values along an axis;  each gradient is its part of dy. */
export function concat(values: readonly Value[], axis: number): Value {
  const [first] = values;
  if (values.length === 1) return first;
  for (const { name, shape } of values) {
    if (
      shape.length !== first.rank || shape.some((size, a) => a !== axis && size !== first.shape[a])
    ) {
      throw new RangeError(
        `Cannot join ${name} of shape [${shape}] to [${first.shape}] along axis ${axis}`,
      );
    }
  }
  const ends: number[] = [];
  for (const value of values) ends.push((ends.at(-1) ?? 0) + value.shape[axis]);
  return first.graph.node({
    op: "Concat",
    inputs: values,
    outputs: [{
      shape: first.shape.map((size, a) => a === axis ? ends.at(-1)! : size),
      type: first.type,
    }],
    attributes: { axis },
    gradient: ({ dy }) =>
      values.map((value, i) =>
        slice(dy, { axis, start: ends[i] - value.shape[axis], end: ends[i] })
      ),
  });
}
