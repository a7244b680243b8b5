import type { Value } from "../graph.ts";
import { reduceSum } from "./reduce_sum.ts";
import { reshape } from "./reshape.ts";

/** Shape to which two are broadcast, as ONNX and NumPy do it; undefined where they do not fit each other. */
export function broadcast(a: readonly number[], b: readonly number[]): number[] | undefined {
  const rank = Math.max(a.length, b.length);
  const sizes = Array.from({ length: rank }, (_, axis) => [
    a[axis - rank + a.length] ?? 1,
    b[axis - rank + b.length] ?? 1,
  ]);
  const fits = sizes.every(([left, right]) => left === right || left === 1 || right === 1);
  return fits ? sizes.map(([left, right]) => Math.max(left, right)) : undefined;
}

/** Shape of an elementwise result. */
export function broadcastShape(op: string, a: Operand, b: Operand): number[] {
  const shape = broadcast(a.shape, b.shape);
  if (shape) return shape;
  throw new RangeError(
    `Cannot ${op} shapes [${a.shape}] of ${a.name} and [${b.shape}] of ${b.name}`,
  );
}

type Operand = Pick<Value, "name" | "shape">;

/** Gradient of a broadcast: sums `dy` over the axes along which an operand of `shape` was repeated. */
export function unbroadcast(dy: Value, shape: readonly number[]): Value {
  const lead = dy.rank - shape.length;
  const axes = dy.shape.flatMap((size, axis) =>
    axis < lead || (shape[axis - lead] === 1 && size !== 1) ? [axis] : []
  );
  if (axes.length === 0) return dy;
  const sum = reduceSum(dy, { axes, keep: false });
  return String(sum.shape) === String(shape) ? sum : reshape(sum, shape);
}
