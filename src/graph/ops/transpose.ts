import type { Value } from "../graph.ts";

/** Axis i of the result is axis `permutation[i]` of x;  dx = dy, permuted back. */
export function transpose(x: Value, permutation: readonly number[]): Value {
  if (
    [...permutation].sort((a, b) => a - b).some((axis, i) => axis !== i) ||
    permutation.length !== x.rank
  ) {
    throw new RangeError(
      `Cannot transpose ${x.name} of shape [${x.shape}] by [${permutation}]`,
    );
  }
  return x.graph.node({
    op: "Transpose",
    inputs: [x],
    outputs: [{ shape: permutation.map((axis) => x.shape[axis]), type: x.type }],
    attributes: { perm: permutation },
    gradient: ({ dy }) => [transpose(dy, permutation.map((_, i) => permutation.indexOf(i)))],
  });
}

/** Exchanges the last two axes. */
export function transposeLast(x: Value): Value {
  const axes = x.shape.map((_, axis) => axis);
  [axes[x.rank - 2], axes[x.rank - 1]] = [x.rank - 1, x.rank - 2];
  return transpose(x, axes);
}
