/**
 * Graphs in double precision: what float32 rounds away, such as small differences of a loss, is there.
 */
import type { Attributes, Graph, GraphNode, Value } from "../../src/graph/graph.ts";
import { programOf } from "../../src/graph/onnx.ts";
import { at, erf64, map64, sum64, type Tensor64, tensor64 } from "./tensor64.ts";

/** Numbers of an input, by its name, or of an output. */
export type Numbers = ReadonlyMap<string, ArrayLike<number>>;

/** Evaluates the outputs of a graph, node by node. */
export function evaluate64(graph: Graph, inputs: Numbers): Map<string, Float64Array> {
  const { nodes, inputs: fed, constants, outputs } = programOf(graph);
  const known = new Map<Value, Tensor64>();
  for (const value of fed) {
    const data = inputs.get(value.name);
    if (!data) throw new TypeError(`Cannot evaluate a graph as input "${value.name}" is missing`);
    known.set(value, { shape: value.shape, data: Float64Array.from(data) });
  }
  for (const { value, data } of constants) {
    known.set(value, { shape: value.shape, data: Float64Array.from(data, Number) });
  }
  for (const node of nodes) {
    const given = node.inputs.map((value) => value && known.get(value)!) as Tensor64[];
    evaluateNode(node, given).forEach((result, i) => {
      if (node.outputs[i]) known.set(node.outputs[i], result);
    });
  }
  return new Map([...outputs].map(([name, value]) => [name, known.get(value)!.data]));
}

function evaluateNode(node: GraphNode, inputs: readonly Tensor64[]): Tensor64[] {
  const operation = operations[node.op];
  if (!operation) throw new TypeError(`Cannot evaluate a graph as operator ${node.op} is unknown`);
  return operation(inputs, node.attributes, node.outputs.map(({ shape }) => shape));
}

type Operation = (
  inputs: readonly Tensor64[],
  attributes: Attributes,
  shapes: readonly (readonly number[])[],
) => Tensor64[];

const each = (f: (x: number) => number): Operation => ([x]) => [map64(x, f)];

const broadcast =
  (f: (...numbers: number[]) => number): Operation => (inputs, _attributes, [shape]) => [
    tensor64(shape, (...index) => f(...inputs.map((x) => at(x, ...index)))),
  ];

/** Rows of the last axis, each a view. */
function rowsOf({ shape, data }: Tensor64): Float64Array[] {
  const size = shape.at(-1)!;
  return Array.from(
    { length: data.length / size },
    (_, i) => data.subarray(i * size, i * size + size),
  );
}

/** A reduction over axes, that of the second input. */
const reduced =
  (f: (values: number[]) => number): Operation => ([x, axes], { keepdims }, [shape]) => {
    const summed = new Set([...axes.data].map((axis) => axis < 0 ? axis + x.shape.length : axis));
    const groups = new Map<string, number[]>();
    tensor64(x.shape, (...index) => {
      const key = String(
        keepdims
          ? index.map((i, axis) => summed.has(axis) ? 0 : i)
          : index.filter((_, axis) => !summed.has(axis)),
      );
      const group = groups.get(key) ?? [];
      groups.set(key, group);
      return group.push(at(x, ...index));
    });
    return [tensor64(shape, (...index) => f(groups.get(String(index))!))];
  };

const total = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

const operations: Readonly<Record<string, Operation>> = {
  Add: broadcast((a, b) => a + b),
  Sub: broadcast((a, b) => a - b),
  Mul: broadcast((a, b) => a * b),
  Div: broadcast((a, b) => a / b),
  GreaterOrEqual: broadcast((a, b) => Number(a >= b)),
  Where: broadcast((condition, a, b) => condition ? a : b),
  Neg: each((x) => -x),
  Exp: each(Math.exp),
  Log: each(Math.log),
  Sqrt: each(Math.sqrt),
  Tanh: each(Math.tanh),
  Sigmoid: each((x) => 1 / (1 + Math.exp(-x))),
  Erf: each(erf),
  Gelu: (inputs, { approximate }, shapes) =>
    each((x) =>
      approximate === "tanh"
        ? x / 2 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))
        : x / 2 * (1 + erf(x / Math.SQRT2))
    )(inputs, {}, shapes),
  Cast: each((x) => x),
  Reshape: ([{ data }], _attributes, [shape]) => [{ shape, data }],
  Expand: ([x], _attributes, [shape]) => [tensor64(shape, (...index) => at(x, ...index))],
  Transpose: ([x], { perm }, [shape]) => [
    tensor64(shape, (...index) => {
      const from: number[] = [];
      (perm as readonly number[]).forEach((axis, i) => from[axis] = index[i]);
      return at(x, ...from);
    }),
  ],
  Concat: (inputs, { axis }, [shape]) => [
    tensor64(shape, (...index) => {
      let place = index[axis as number], i = 0;
      for (; place >= inputs[i].shape[axis as number]; i++) {
        place -= inputs[i].shape[axis as number];
      }
      return at(inputs[i], ...index.with(axis as number, place));
    }),
  ],
  Slice: ([x, starts, , axes], _attributes, [shape]) => [
    tensor64(shape, (...index) => {
      const from = [...index];
      axes.data.forEach((axis, i) => from[axis] += starts.data[i]);
      return at(x, ...from);
    }),
  ],
  Pad: ([x, pads], _attributes, [shape]) => [
    tensor64(shape, (...index) => {
      const from = index.map((i, axis) => i - pads.data[axis]);
      return from.every((i, axis) => i >= 0 && i < x.shape[axis]) ? at(x, ...from) : 0;
    }),
  ],
  Gather: ([x, ids], { axis }, [shape]) => [
    tensor64(shape, (...index) => {
      const before = axis as number, rank = ids.shape.length;
      const id = at(ids, ...index.slice(before, before + rank));
      return at(x, ...index.slice(0, before), id, ...index.slice(before + rank));
    }),
  ],
  GatherElements: ([x, ids], _attributes, [shape]) => [
    tensor64(shape, (i, j) => at(x, i, at(ids, i, j))), // along axis 1
  ],
  ScatterND: ([x, ids, updates]) => {
    const data = x.data.slice(), size = updates.data.length / ids.data.length;
    updates.data.forEach((value, i) =>
      data[ids.data[Math.floor(i / size)] * size + i % size] += value
    );
    return [{ shape: x.shape, data }];
  },
  ReduceSum: reduced(total),
  ReduceMean: reduced((values) => total(values) / values.length),
  ReduceMax: reduced((values) => Math.max(...values)),
  Softmax: ([x]) => {
    const data = x.data.slice();
    for (const row of rowsOf({ shape: x.shape, data })) {
      const powers = row.map((y) => Math.exp(y - Math.max(...row)));
      row.set(powers.map((power) => power / total([...powers])));
    }
    return [{ shape: x.shape, data }];
  },
  LayerNormalization: ([x, gain, bias], { epsilon }, shapes) => {
    const rows = rowsOf(x), size = x.shape.at(-1)!;
    const means = rows.map((row) => total([...row]) / size);
    const inverse = rows.map((row, i) =>
      (total([...row].map((y) => (y - means[i]) ** 2)) / size +
        (epsilon as { float: number }).float) ** -0.5
    );
    const y = x.data.map((value, i) => {
      const row = Math.floor(i / size);
      return (value - means[row]) * inverse[row] * gain.data[i % size] + bias.data[i % size];
    });
    return [y, means, inverse].map((data, i) => ({
      shape: shapes[i],
      data: Float64Array.from(data),
    }));
  },
  MatMul: ([a, b], _attributes, [shape]) => [
    tensor64(shape, (...index) => {
      const lead = index.slice(0, -2), [m, n] = index.slice(-2);
      return sum64(a.shape.at(-1)!, (k) => at(a, ...lead, m, k) * at(b, ...lead, k, n));
    }),
  ],
  Gemm: ([a, b, c], { transA, transB }, [shape]) => [
    tensor64(
      shape,
      (m, n) =>
        sum64(
          a.shape[transA ? 0 : 1],
          (k) => (transA ? at(a, k, m) : at(a, m, k)) * (transB ? at(b, n, k) : at(b, k, n)),
        ) +
        (c ? at(c, m, n) : 0),
    ),
  ],
  TopK: ([x, { data: [count] }], _attributes, shapes) => {
    const places = rowsOf(x).map((row) =>
      [...row.keys()].sort((i, j) => row[j] - row[i]).slice(0, count)
    );
    const values = rowsOf(x).flatMap((row, i) => places[i].map((place) => row[place]));
    return [values, places.flat()].map((data, i) => ({
      shape: shapes[i],
      data: Float64Array.from(data),
    }));
  },
};

/** Beyond 6 deviations erf is 1 to the last bit. */
function erf(x: number): number {
  return Math.abs(x) > 6 ? Math.sign(x) : erf64(x);
}
