import { elementCount } from "../tensor.ts";

/** Number of parameters of a model by its tensors' shapes, such as `backboneTensorShapes` gives. */
export function parameterCount(shapes: ReadonlyMap<string, readonly number[]>): number {
  let count = 0;
  for (const shape of shapes.values()) count += elementCount(shape);
  return count;
}
