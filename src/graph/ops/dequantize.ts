import { elementCount } from "../../tensor.ts";
import type { Value } from "../graph.ts";
import { reshape } from "./reshape.ts";

/** The inputs of {@linkcode dequantize}. */
interface QuantizedTable {
  readonly codes: Value;
  readonly scales: Value;
}

const tables = new WeakMap<Value, QuantizedTable>();

/**
 * Vectors of 8-bit integers times a scale each, as float32: y = s q. No gradient.
 *
 * @param codes Several vectors q side by side: int8 [..., m D].
 * @param scales Their scales s [..., m].
 */
export function dequantize(codes: Value, scales: Value): Value {
  const { graph } = codes, vectors = elementCount(scales.shape);
  const y = graph.node({
    op: "DequantizeLinear",
    inputs: [
      reshape(codes, [vectors, elementCount(codes.shape) / vectors]),
      reshape(scales, [vectors]),
    ],
    outputs: [{ shape: [vectors, elementCount(codes.shape) / vectors], type: "float32" }],
    attributes: { axis: 0 },
  });
  const table = reshape(y, codes.shape);
  tables.set(table, { codes, scales });
  return table;
}

/** The codes and scales of a table that {@linkcode dequantize} returned; undefined for others. */
export function quantizedTable(table: Value): QuantizedTable | undefined {
  return tables.get(table);
}
