import type { Value } from "../graph.ts";
import { unbroadcast } from "./broadcast.ts";
import { transposeLast } from "./transpose.ts";

/**
 * y[..., M, N] = a[..., M, K] b[..., K, N], leading axes broadcast;
 * da = dy b^T, db = a^T dy, summed over broadcast axes.
 */
export function matmul(a: Value, b: Value): Value {
  const [M, K] = a.shape.slice(-2), [rows, N] = b.shape.slice(-2);
  if (a.rank < 2 || b.rank < 2 || K !== rows) {
    throw new RangeError(
      `Cannot multiply ${a.name} of shape [${a.shape}] by ${b.name} of shape [${b.shape}]`,
    );
  }
  const lead = leadingShape(a, b);
  return a.graph.node({
    op: "MatMul",
    inputs: [a, b],
    outputs: [{ shape: [...lead, M, N], type: a.type }],
    gradient: ({ dy }) => [
      unbroadcast(matmul(dy, transposeLast(b)), a.shape),
      unbroadcast(matmul(transposeLast(a), dy), b.shape),
    ],
  });
}

function leadingShape(a: Value, b: Value): number[] {
  const rank = Math.max(a.rank, b.rank) - 2;
  return Array.from({ length: rank }, (_, axis) => {
    const left = a.shape[axis - rank + a.rank - 2] ?? 1,
      right = b.shape[axis - rank + b.rank - 2] ?? 1;
    if (left !== right && left !== 1 && right !== 1) {
      throw new RangeError(
        `Cannot multiply ${a.name} of shape [${a.shape}] by ${b.name} of shape [${b.shape}]`,
      );
    }
    return Math.max(left, right);
  });
}
