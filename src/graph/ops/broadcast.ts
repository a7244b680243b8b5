import type { Value } from "../graph.ts";
import { reduceSum } from "./reduce_sum.ts";
import { reshape } from "./reshape.ts";

/** Shape of an elementwise result by ONNX (NumPy) broadcasting. */
export function broadcastShape(op: string, a: Operand, b: Operand): number[] {
  const rank = Math.max(a.shape.length, b.shape.length);
  const size = ({ shape }: Operand, axis: number) => shape[axis - rank + shape.length] ?? 1;
  return Array.from({ length: rank }, (_, axis) => {
    const [left, right] = [size(a, axis), size(b, axis)];
    if (left !== right && left !== 1 && right !== 1) {
      throw new RangeError(
        `Cannot ${op} shapes [${a.shape}] of ${a.name} and [${b.shape}] of ${b.name}`,
      );
    }
    return Math.max(left, right);
  });
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
