import { Graph } from "../../../src/graph/graph.ts";
import { cast } from "../../../src/graph/ops/cast.ts";
import { assert, test } from "../../testing.ts";
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
