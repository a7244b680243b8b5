import { Graph } from "../../../src/graph/graph.ts";
import { dequantize } from "../../../src/graph/ops/dequantize.ts";
import { gather } from "../../../src/graph/ops/gather.ts";
import { compile } from "../../../src/runtime/compile.ts";
import { deviceTest } from "../devices.ts";
import { assert } from "../../testing.ts";

const rows = 3, vectors = 2, size = 5;

deviceTest("dequantize() scales each vector, and rows are gathered before", async (device) => {
  const graph = new Graph();
  const table = dequantize(
    graph.input("codes", [rows, vectors * size], "int8"),
    graph.input("scales", [rows, vectors]),
  );
  graph.output("all", table);
  const ids = Int32Array.of(2, 0, 2, 1);
  graph.output("some", gather(table, graph.int32(ids, [2, 2])));
  const gathered = graph.nodes.filter(({ op }) => op === "Gather");
  assert.deepEqual(gathered.map(({ inputs }) => inputs[0]!.name), ["codes", "scales"]);

  const codes = Int8Array.from({ length: rows * vectors * size }, (_, i) => (i * 89) % 255 - 127);
  const scales = Float32Array.of(0.5, 3, 0, 1e-3, 2 ** 20, 1);
  const session = await compile(device, graph);
  const { all, some } = await session.run({
    codes: device.tensor(codes, [rows, vectors * size]),
    scales: device.tensor(scales, [rows, vectors]),
  });
  await session.close();
  const row = (r: number) =>
    Array.from(
      { length: vectors * size },
      (_, i) =>
        Math.fround(codes[r * vectors * size + i] * scales[r * vectors + Math.floor(i / size)]),
    );
  // Not deepEqual, for which 0 and -0 differ.
  const equal = (found: ArrayLike<number>, expected: number[]) =>
    assert.ok(expected.every((x, i) => x === found[i]), `${[...Array.from(found)]}`);
  assert.deepEqual([all.shape, some.shape], [[rows, vectors * size], [2, 2, vectors * size]]);
  equal(await all.read() as Float32Array, [0, 1, 2].flatMap(row));
  equal(await some.read() as Float32Array, [...ids].flatMap(row));
}, { kinds: ["cpu", "wasm"] });
