import { Graph } from "../../src/graph/graph.ts";
import { hostDomain } from "../../src/graph/onnx.ts";
import { add } from "../../src/graph/ops/add.ts";
import { mul } from "../../src/graph/ops/mul.ts";
import { neg } from "../../src/graph/ops/neg.ts";
import { compile, type HostFunction } from "../../src/runtime/compile.ts";
import { deviceTest } from "../graph/devices.ts";
import { assert } from "../testing.ts";

/** y = reverse(2x) + x, early = 2x, where the host reverses. */
function reversingGraph(): Graph {
  const graph = new Graph();
  const x = graph.input("x", [3]);
  const doubled = mul(x, graph.scalar(2));
  const reversed = graph.node({
    op: "Reverse",
    domain: hostDomain,
    inputs: [doubled],
    outputs: [{ shape: [3], type: "float32" }],
  });
  graph.output("y", add(reversed, x));
  graph.output("early", neg(doubled));
  return graph;
}

deviceTest("compile() cuts a graph at a host node, again and again", async (device) => {
  let calls = 0;
  const reverse: HostFunction = async ([x]) => {
    calls++;
    const data = await x.read() as Float32Array;
    return [device.tensor(Float32Array.from(data).reverse(), [3])];
  };
  const session = await compile(device, reversingGraph(), { hostFunctions: { Reverse: reverse } });
  for (const scale of [1, -10]) {
    const x = device.tensor(Float32Array.of(scale, 2 * scale, 3 * scale), [3]);
    const { y, early } = await session.run({ x });
    assert.deepEqual(Array.from(await y.read(), Number), [7 * scale, 6 * scale, 5 * scale]);
    assert.deepEqual(
      Array.from(await early.read(), Number),
      [-2 * scale, -4 * scale, -6 * scale],
    );
  }
  assert.equal(calls, 2);
  await session.close();
});

deviceTest("compile() names a host function that is missing", async (device) => {
  await assert.rejects(compile(device, reversingGraph(), { hostFunctions: {} }), {
    name: "TypeError",
    message: 'Cannot compile a graph as host function "Reverse" is missing',
  });
});
