import { Graph } from "../../src/graph/graph.ts";
import { mul } from "../../src/graph/ops/mul.ts";
import { neg } from "../../src/graph/ops/neg.ts";
import { compile } from "../../src/runtime/compile.ts";
import type { Device } from "../../src/runtime/device.ts";
import { assert } from "../testing.ts";
import { deviceTest } from "./devices.ts";

/** y = x z, with an input that y does not need. */
function productSession(device: Device) {
  const graph = new Graph();
  const x = graph.input("x", [3]), z = graph.input("z", [1], "float32");
  neg(graph.input("unused", [7]));
  graph.output("y", mul(x, z));
  return compile(device, graph);
}

deviceTest("Session.run() names an input that is missing", async (device) => {
  const session = await productSession(device);
  const x = device.tensor(Float32Array.of(1, 2, 3), [3]);
  await assert.rejects(session.run({ x }), {
    name: "TypeError",
    message: 'Cannot run as input "z" is missing',
  });
  await session.close();
});

deviceTest("Session.run() names an input of another shape or type", async (device) => {
  const session = await productSession(device);
  const x = device.tensor(Float32Array.of(1, 2, 3), [3]);
  for (
    const [z, current] of [
      [device.tensor(Float32Array.of(1, 2), [2]), "float32[2]"],
      [device.tensor(Float32Array.of(1), [1, 1]), "float32[1,1]"],
      [device.tensor(Float32Array.of(1), []), "float32[]"],
      [device.tensor(Int32Array.of(1), [1]), "int32[1]"],
    ] as const
  ) {
    await assert.rejects(session.run({ x, z }), {
      name: "RangeError",
      message: `Cannot run as input "z" must be float32[1]: current value is ${current}`,
    });
  }
  await session.close();
});

deviceTest(
  "Session.run() ignores feeds that nothing needs, and runs again with others",
  async (device) => {
    const session = await productSession(device);
    const x = device.tensor(Float32Array.of(1, 2, 3), [3]);
    for (const factor of [2, -3]) {
      const z = device.tensor(Float32Array.of(factor), [1]);
      const { y, ...others } = await session.run({ x, z, unused: z, unknown: x });
      assert.deepEqual(Array.from(await y.read(), Number), [factor, 2 * factor, 3 * factor]);
      assert.deepEqual(others, {});
    }
    await session.close();
  },
);

deviceTest("Session.run() writes into tensors that are given", async (device) => {
  const session = await productSession(device);
  const z = device.tensor(Float32Array.of(2), [1]);
  let x = device.tensor(Float32Array.of(1, 2, 3), [3]), spare = device.zeros([3]);
  // Two tensors that take turns, as parameters do: on a GPU a result cannot replace its own input.
  for (const expected of [[2, 4, 6], [4, 8, 12], [8, 16, 24]]) {
    const { y } = await session.run({ x, z }, { y: spare });
    assert.equal(y, spare);
    [x, spare] = [spare, x];
    assert.deepEqual(Array.from(await x.read(), Number), expected);
  }
  await session.close();
});

deviceTest(
  "Session.run() frees the engine's copies of outputs that it has written into given tensors",
  async (device) => {
    const graph = new Graph(), shape = [2 ** 20];
    graph.output("y", neg(graph.input("x", shape)));
    const session = await compile(device, graph);
    const x = device.zeros(shape), y = device.zeros(shape);
    await session.run({ x }, { y });
    const before = Deno.memoryUsage().external;
    for (let i = 0; i < 4; i++) await session.run({ x }, { y });
    const left = Deno.memoryUsage().external - before;
    assert.ok(left < 2 ** 20, `${left} bytes are left of 4 copies of 4 MiB`);
    await session.close();
  },
  { kinds: ["cpu"] },
);

deviceTest("Session.run() hands on results to the next run", async (device) => {
  const session = await productSession(device);
  const z = device.tensor(Float32Array.of(2), [1]);
  const { y } = await session.run({ x: device.tensor(Float32Array.of(1, 2, 3), [3]), z });
  const again = await session.run({ x: y, z });
  assert.deepEqual(Array.from(await again.y.read(), Number), [4, 8, 12]);
  await session.close();
});

deviceTest("Device.compile() rejects with the engine's message", async (device) => {
  const graph = new Graph();
  const x = graph.input("x", [3]);
  graph.output(
    "y",
    graph.node({
      op: "NoSuchOperator",
      inputs: [x],
      outputs: [{ shape: [3], type: "float32" }],
    }),
  );
  await assert.rejects(
    compile(device, graph),
    /Cannot compile a graph with outputs y: .*NoSuchOperator/s,
  );
});

deviceTest("Device.tensor() keeps every type, and rejects data of another size", async (device) => {
  const tensors = {
    float32: device.tensor(Float32Array.of(1.5, -2, 0), [3]),
    int32: device.tensor(Int32Array.of(-1, 2 ** 31 - 1), [2]),
    int64: device.tensor(BigInt64Array.of(-(2n ** 40n), 3n), [2, 1]),
    bool: device.tensor(Uint8Array.of(1, 0, 1), [3]),
    float16: device.tensor(Uint16Array.of(0x3c00, 0xc000, 1), [3]),
  };
  for (const [type, tensor] of Object.entries(tensors)) assert.equal(tensor.type, type);
  assert.deepEqual(await tensors.float32.read(), Float32Array.of(1.5, -2, 0));
  assert.deepEqual(await tensors.int32.read(), Int32Array.of(-1, 2 ** 31 - 1));
  assert.deepEqual(await tensors.int64.read(), BigInt64Array.of(-(2n ** 40n), 3n));
  assert.deepEqual(await tensors.bool.read(), Uint8Array.of(1, 0, 1));
  assert.deepEqual(await tensors.float16.read(), Uint16Array.of(0x3c00, 0xc000, 1));
  assert.throws(
    () => device.tensor(new Float32Array(4), [3]),
    { name: "RangeError", message: "Cannot make a tensor of shape [3] from 4 elements" },
  );
});

deviceTest("Device.zeros() are zeros of the type", async (device) => {
  assert.deepEqual(await device.zeros([2, 3]).read(), new Float32Array(6));
  assert.deepEqual(await device.zeros([5], "int32").read(), new Int32Array(5));
  assert.deepEqual(await device.zeros([3], "bool").read(), new Uint8Array(3));
  assert.deepEqual(await device.zeros([3], "int64").read(), new BigInt64Array(3));
});
