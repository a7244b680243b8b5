import { fromBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema } from "onnx-buf";
import { Graph, type Value } from "../../src/graph/graph.ts";
import { encodeOnnx, hostDomain, programOf, splitProgram } from "../../src/graph/onnx.ts";
import { add } from "../../src/graph/ops/add.ts";
import { exp } from "../../src/graph/ops/exp.ts";
import { layerNorm } from "../../src/graph/ops/layer_norm.ts";
import { mul } from "../../src/graph/ops/mul.ts";
import { neg } from "../../src/graph/ops/neg.ts";
import { compile } from "../../src/runtime/compile.ts";
import type { DeviceTensor } from "../../src/runtime/device.ts";
import { assert, assertClose, test } from "../testing.ts";
import { deviceTest } from "./devices.ts";

test("programOf() keeps what the outputs depend on, in order", () => {
  const graph = new Graph();
  const x = graph.input("x", [5]), unused = graph.input("unused", [5]);
  const y = exp(x);
  neg(unused);
  mul(y, graph.scalar(3));
  const z = add(y, graph.scalar(2));
  graph.output("z", z);
  const { nodes, inputs, constants } = programOf(graph);
  assert.deepEqual(nodes.map(({ op }) => op), ["Exp", "Add"]);
  assert.deepEqual(inputs.map(({ name }) => name), ["x"]);
  assert.deepEqual(constants.map(({ data }) => data), [Float32Array.of(2)]);
});

test("encodeOnnx() writes operators with attributes, constants and named outputs", () => {
  const graph = new Graph();
  const x = graph.input("x", [5, 7]);
  const weight = graph.constant(Float32Array.from({ length: 7 }, (_, i) => i), [7]);
  graph.output("y", layerNorm(x, weight, graph.input("bias", [7]), 0.125));
  const { opsetImport, graph: model } = fromBinary(ModelProtoSchema, encodeOnnx(programOf(graph)));
  assert.deepEqual(opsetImport.map(({ domain, version }) => [domain, version]), [
    ["", 20n],
    ["com.microsoft", 1n],
  ]);
  assert.equal(model!.node.length, 1);
  const [norm] = model!.node;
  assert.equal(norm.opType, "LayerNormalization");
  assert.deepEqual(norm.input, ["x", weight.name, "bias"]);
  assert.deepEqual(norm.attribute.map(({ name, i, f }) => [name, i, f]), [
    ["axis", -1n, 0],
    ["epsilon", 0n, 0.125],
  ]);
  assert.equal(norm.output[0], "y"); // not a copy of it
  const [constant] = model!.initializer;
  assert.deepEqual(
    new Float32Array(constant.rawData.slice().buffer),
    weight && Float32Array.from(
      { length: 7 },
      (_, i) => i,
    ),
  );
  assert.deepEqual(constant.dims, [7n]);
});

deviceTest("an input, a constant and one value twice can be outputs", async (device) => {
  const graph = new Graph();
  const x = graph.input("x", [3]), y = exp(x);
  graph.output("first", y);
  graph.output("second", y);
  graph.output("same", x);
  graph.output("two", graph.constant(Float32Array.of(2, 3), [2]));
  const session = await compile(device, graph);
  const { first, second, same, two } = await session.run({
    x: device.tensor(Float32Array.of(0, 1, 2), [3]),
  });
  const expected = [1, Math.E, Math.E ** 2];
  for (const tensor of [first, second]) {
    assertClose(Array.from(await tensor.read(), Number), expected, { tolerance: 1e-5 });
  }
  assert.deepEqual(Array.from(await same.read(), Number), [0, 1, 2]);
  assert.deepEqual(Array.from(await two.read(), Number), [2, 3]);
  await session.close();
});

/** y = 10 e^x + f(2x) x, where the host computes f. */
function hostGraph(): Graph {
  const graph = new Graph();
  const x = graph.input("x", [3]), doubled = mul(x, graph.scalar(2));
  const answer = graph.node({
    op: "Recall",
    domain: hostDomain,
    inputs: [doubled],
    outputs: [{ shape: [3], type: "float32" }],
  });
  graph.output("y", add(mul(exp(x), graph.scalar(10)), mul(answer, x)));
  graph.output("doubled", doubled);
  return graph;
}

test("splitProgram() cuts a graph at its host node", () => {
  const { programs: [before, after], hosts: [host] } = splitProgram(hostGraph())!;
  assert.equal(host.op, "Recall");
  assert.deepEqual(before.nodes.map(({ op }) => op), ["Mul"]);
  assert.deepEqual([...before.outputs.keys()], [host.inputs[0]!.name]);
  assert.ok(after.nodes.every(({ op }) => op !== "Recall"));
  assert.deepEqual(
    after.inputs.map(({ name }) => name).sort(),
    ["x", host.inputs[0]!.name, host.outputs[0].name].sort(),
  );
  assert.equal(splitProgram(new Graph()), undefined);
});

deviceTest("compile() runs a host node between two programs", async (device) => {
  const session = await compile(device, hostGraph(), {
    hostFunctions: {
      Recall: async ([doubled]) => {
        const values = Float32Array.from(await doubled.read(), Number);
        return [device.tensor(values.map((value) => value + 1), [3])];
      },
    },
  });
  const { y, doubled } = await session.run({ x: device.tensor(Float32Array.of(1, 2, -1), [3]) });
  assertClose(
    Array.from(await y.read(), Number),
    [1, 2, -1].map((x) => 10 * Math.exp(x) + (2 * x + 1) * x),
    { tolerance: 1e-4 },
  );
  assert.deepEqual(Array.from(await doubled.read(), Number), [2, 4, -2]);
  await session.close();
});

deviceTest("compile() rejects a host node without a function", async (device) => {
  await assert.rejects(
    compile(device, hostGraph()),
    { message: 'Cannot compile a graph as host function "Recall" is missing' },
  );
});

deviceTest(
  "compile() runs several host nodes, with programs between them or none",
  async (device) => {
    const graph = new Graph();
    const x = graph.input("x", [3]);
    const host = (op: string, inputs: readonly Value[]) =>
      graph.node({ op, domain: hostDomain, inputs, outputs: [{ shape: [3], type: "float32" }] });
    const doubled = mul(x, graph.scalar(2)), tripled = mul(x, graph.scalar(3));
    const first = host("First", [doubled]);
    const second = host("Second", [first, tripled]); // nothing between
    const third = host("Third", [add(second, exp(x)), doubled]);
    graph.output("y", add(add(third, tripled), first));
    graph.output("early", tripled);
    const { programs, hosts } = splitProgram(graph)!;
    assert.deepEqual(hosts.map(({ op }) => op), ["First", "Second", "Third"]);
    // What only a later host node needs is computed later.
    assert.deepEqual(programs.map(({ nodes }) => nodes.map(({ op }) => op)), [
      ["Mul"],
      ["Mul"],
      ["Exp", "Add"],
      ["Add", "Add"],
    ]);
    const combine =
      (f: (values: number[]) => number) => async (tensors: readonly DeviceTensor[]) => {
        const arrays = await Promise.all(tensors.map((tensor) => tensor.read())) as Float32Array[];
        const data = Float32Array.from(arrays[0], (_, i) => f(arrays.map((array) => array[i])));
        return [device.tensor(data, [3])];
      };
    const session = await compile(device, graph, {
      hostFunctions: {
        First: combine(([a]) => a + 1),
        Second: combine(([a, b]) => a * b),
        Third: combine(([a, b]) => a - b),
      },
    });
    for (const scale of [1, -2]) {
      const values = [1, 2, -1].map((value) => scale * value);
      const { y, early } = await session.run({ x: device.tensor(Float32Array.from(values), [3]) });
      const expected = values.map((x) => {
        const first = 2 * x + 1, second = first * 3 * x, third = second + Math.exp(x) - 2 * x;
        return third + 3 * x + first;
      });
      assertClose(Array.from(await y.read(), Number), expected, { tolerance: 1e-4 });
      assert.deepEqual(Array.from(await early.read(), Number), values.map((x) => 3 * x));
    }
    await session.close();
  },
);
