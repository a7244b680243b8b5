import type { ElementType } from "../../tensor.ts";
import type { Value } from "../graph.ts";

/** ONNX numbers of the element types. */
export const onnxType: Readonly<Record<ElementType, number>> = {
  float32: 1,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
};

/** The same numbers in another element type; gradients pass only between floats. */
export function cast(x: Value, type: ElementType): Value {
  if (x.type === type) return x;
  const floats = x.type.startsWith("float") && type.startsWith("float");
  return x.graph.node({
    op: "Cast",
    inputs: [x],
    outputs: [{ shape: x.shape, type }],
    attributes: { to: onnxType[type] },
    ...(floats ? { gradient: ({ dy }) => [cast(dy, x.type)] } : {}),
  });
}
