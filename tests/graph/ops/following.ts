import { Graph } from "../../../src/graph/graph.ts";
import { programOf } from "../../../src/graph/onnx.ts";
import { cast } from "../../../src/graph/ops/cast.ts";
import { concat } from "../../../src/graph/ops/concat.ts";
import { exp } from "../../../src/graph/ops/exp.ts";
import { following, inStep } from "../../../src/graph/ops/following.ts";
import { tanh } from "../../../src/graph/ops/tanh.ts";
import { assert, test } from "../../testing.ts";
import { testOperation } from "../operation_test_case.ts";
import { map64 } from "../tensor64.ts";

for (const type of ["float32", "int32"] as const) {
  testOperation(`following() of [5,7] and ${type}`, {
    inputs: {
      x: [5, 7],
      earlier: { shape: [5, 7], type, gradient: false, values: (_, i) => i - 9 },
    },
    build: ({ x, earlier }) => following(x, earlier),
    reference: ({ x }) => x,
  });
}

testOperation("inStep() of three parts", {
  inputs: { a: [5], b: [3] },
  build: ({ a, b }) => {
    const parts = [a, b, a], whole = parts.map((part) => cast(exp(part), "int32"));
    return inStep(concat(parts.map(tanh), 0), [concat(whole, 0)]);
  },
  reference: ({ a, b }) => ({
    shape: [13],
    data: Float64Array.from([a, b, a].flatMap((x) => [...map64(x, Math.tanh).data])),
  }),
});

test("inStep() computes each part after those of the others at its place, and them alone", () => {
  const graph = new Graph(), names = ["a", "b"];
  const parts = names.map((name) => graph.input(name, [2]));
  const y = inStep(concat(parts.map(tanh), 0), [concat(parts.map(exp), 0)]);
  for (const [i, part] of y.node!.inputs.entries()) {
    const outputs = new Map([["part", part!]]);
    const { nodes, inputs } = programOf(Object.assign(graph, { outputs }));
    assert.deepEqual(inputs.map(({ name }) => name), [names[i]]);
    assert.deepEqual(
      nodes.map(({ op }) => op).filter((op) => op !== "GreaterOrEqual"),
      ["Tanh", "Exp", "Where"],
    );
  }
});
