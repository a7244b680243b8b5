import type { Value } from "../graph.ts";
import { broadcast, unbroadcast } from "./broadcast.ts";
import { transposeLast } from "./transpose.ts";

/**
 * y[..., M, N] = a[..., M, K] b[..., K, N], leading axes broadcast;
 * da = dy b^T, db = a^T dy, summed over broadcast axes.
 */
export function matmul(a: Value, b: Value): Value {
  const [M, K] = a.shape.slice(-2), [rows, N] = b.shape.slice(-2);
  const lead = broadcast(a.shape.slice(0, -2), b.shape.slice(0, -2));
  if (a.rank < 2 || b.rank < 2 || K !== rows || !lead) {
    throw new RangeError(
      `Cannot multiply ${a.name} of shape [${a.shape}] by ${b.name} of shape [${b.shape}]`,
    );
  }
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
