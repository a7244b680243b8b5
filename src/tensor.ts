/**
 * Tensors in host memory: a shape and its values, row-major.
 */

/** Element types that cross between the host and a device. */
export type ElementType = "float32" | "float16" | "int8" | "int32" | "int64" | "bool";

/** A float32 tensor in host memory, row-major. */
export interface HostTensor {
  /** Sizes of the axes, outermost first; empty for a scalar. */
  readonly shape: readonly number[];
  /** The values, `shape` product many. */
  readonly data: Float32Array<ArrayBuffer>;
}

/** Named tensors, as checkpoints hold them. */
export type TensorMap = Map<string, HostTensor>;

/** Number of elements of a shape. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Position of the first value that is infinite or not a number; undefined where all are finite. */
export function firstNonFinite(values: Float32Array): number | undefined {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return i;
  return undefined;
}

/** Indices by axis of the value at a row-major position; empty for a scalar. */
export function indicesOf(position: number, shape: readonly number[]): number[] {
  const indices = new Array<number>(shape.length);
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    indices[axis] = position % shape[axis];
    position = Math.floor(position / shape[axis]);
  }
  return indices;
}
