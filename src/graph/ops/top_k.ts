import { elementCount } from "../../tensor.ts";
import type { Value } from "../graph.ts";
import { mul } from "./mul.ts";
import { reshape } from "./reshape.ts";
import { sub } from "./sub.ts";

/** The `count` largest elements of the last axis, best first, and their places (int64); gradients stop here. */
export function topK(x: Value, count: number): { values: Value; ids: Value } {
  const shape = [...x.shape.slice(0, -1), count];
  const [values, ids] = x.graph.nodeWithOutputs({
    op: "TopK",
    inputs: [isRaised(x, count) ? raiseSmall(x, count) : x, x.graph.int64([count])],
    outputs: [{ shape, type: x.type }, { shape, type: "int64" }],
    attributes: { axis: -1, largest: 1, sorted: 1 },
  });
  return { values, ids };
}

/** Sizes for which raising small elements has been faster, on a CPU: of larger rows the passes over them take longer. */
function isRaised({ shape }: Value, count: number): boolean {
  const size = shape[shape.length - 1], rows = elementCount(shape) / size;
  return rows >= 64 && size <= 4096 && count >= 8 && size % count === 0 && size >= 8 * count;
}

/**
 * Raises elements of the last axis that are not among the `count` largest to a number that is not, either. ONNX Runtime's TopK
 * spends most of its time on elements that are among the best of those before them, and there are fewer of these now. Of `count`
 * groups of elements each has one that is no smaller than the least of their maxima; what is raised stays below that.
 */
function raiseSmall(x: Value, count: number): Value {
  const { graph, type } = x, rows = x.shape.slice(0, -1), size = x.shape[x.rank - 1];
  const node = (op: string, inputs: readonly Value[], shape: readonly number[]) =>
    graph.node({ op, inputs, outputs: [{ shape, type }] });
  const column = [...rows, 1];
  // Neighbours are in different groups, as neighbouring chunks may be alike.
  const groups = reshape(x, [...rows, size / count, count]);
  const maxima = node("ReduceMax", [groups, graph.int64([-2])], [...column, count]);
  const least = reshape(node("ReduceMin", [maxima, graph.int64([-1])], [...column, 1]), column);
  const gap = node("Max", [
    mul(node("Abs", [least], column), graph.scalar(1e-6)),
    graph.scalar(1e-30), // where it is 0
  ], column);
  return node("Max", [x, sub(least, gap)], x.shape);
}
