import { gradients } from "../../../src/graph/gradients.ts";
import { Graph } from "../../../src/graph/graph.ts";
import { cast } from "../../../src/graph/ops/cast.ts";
import { compile } from "../../../src/runtime/compile.ts";
import type { WebGpuDevice } from "../../../src/runtime/webgpu_device.ts";
import { Random } from "../../../src/random.ts";
import { assert, test } from "../../testing.ts";
import { deviceTest } from "../devices.ts";
import { testOperation } from "../operation_test_case.ts";
import { map64 } from "../tensor64.ts";

testOperation("cast() to int32 cuts the fraction off", {
  inputs: { x: { shape: [5, 7], values: (random) => 9 * random.normal() } },
  build: ({ x }) => cast(x, "int32"),
  reference: ({ x }) => map64(x, Math.trunc),
});

testOperation("cast() from int32 to float32", {
  inputs: { x: { shape: [37], type: "int32", values: (random) => random.below(2001) - 1000 } },
  build: ({ x }) => cast(x, "float32"),
  reference: ({ x }) => x,
  tolerance: 0,
});

testOperation("cast() from int64 to float32", {
  inputs: { x: { shape: [37], type: "int64", values: (random) => random.below(2001) - 1000 } },
  build: ({ x }) => cast(x, "float32"),
  reference: ({ x }) => x,
  tolerance: 0,
});

testOperation("cast() from bool to float32", {
  inputs: { x: { shape: [37], type: "bool", values: (_, i) => i * i % 3 % 2 } },
  build: ({ x }) => cast(x, "float32"),
  reference: ({ x }) => x,
  tolerance: 0,
});

testOperation("cast() from int32 to int64", {
  inputs: { x: { shape: [37], type: "int32", values: (random) => random.below(2001) - 1000 } },
  build: ({ x }) => cast(x, "int64"),
  reference: ({ x }) => x,
});

test("cast() to the type that a value has returns the value", () => {
  const x = new Graph().input("x", [5, 7]);
  assert.equal(cast(x, "float32"), x);
});

deviceTest("cast() to float16 rounds to 11 bits, and its gradient passes", async (device) => {
  if (device.kind === "webgpu" && !(device as WebGpuDevice).gpu.features.has("shader-f16")) {
    // deno-lint-ignore no-console -- what is left out must be seen
    console.warn(`*** ${device.description} has no float16: nothing was tested. ***`);
    return;
  }
  const random = new Random("float16");
  const values = Float32Array.from({ length: 37 }, () => random.normal());
  const graph = new Graph();
  const x = graph.input("x", [37]), dy = graph.input("dy", [37]);
  const y = cast(cast(x, "float16"), "float32");
  graph.output("y", y);
  graph.output("dx", gradients(y, [x], dy)[0]!);
  const session = await compile(device, graph);
  const tensor = device.tensor(values, [37]);
  const results = await session.run({ x: tensor, dy: tensor });
  const rounded = values.map((value) => Math.f16round(value));
  assert.notDeepEqual(rounded, values);
  assert.deepEqual(Array.from(await results.y.read(), Number), [...rounded]);
  assert.deepEqual(Array.from(await results.dx.read(), Number), [...rounded]);
  await session.close();
});
