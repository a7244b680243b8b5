import { dims, Graph } from "../../src/graph/graph.ts";
import { add } from "../../src/graph/ops/add.ts";
import { neg } from "../../src/graph/ops/neg.ts";
import { assert, test } from "../testing.ts";

test("dims() returns sizes by letter", () => {
  assert.deepEqual(dims({ shape: [2, 3, 5] }, "B T E"), { B: 2, T: 3, E: 5 });
  assert.deepEqual(dims({ shape: [2, 3] }, "B T", { T: 3, E: 9 }), { B: 2, T: 3 });
});

test("dims() names the value, the wanted axes and the shape", () => {
  assert.throws(
    () => dims({ name: "keys", shape: [2, 3, 4] }, "B T E", { T: 5 }),
    {
      name: "RangeError",
      message: "Cannot read keys as [B, T=5, E]: current shape is [2, 3, 4]",
    },
  );
  assert.throws(
    () => dims({ shape: [2, 3, 4] }, "B T"),
    { name: "RangeError", message: "Cannot read tensor as [B, T]: current shape is [2, 3, 4]" },
  );
  assert.throws(() => dims({ shape: [2] }, "B T"), /as \[B, T\]: current shape is \[2\]/);
});

test("Graph.input() and output() reject names that exist", () => {
  const graph = new Graph();
  const x = graph.input("x", [5]);
  graph.output("y", x);
  assert.throws(() => graph.input("x", [5]), /Cannot add input "x" as it exists already/);
  assert.throws(() => graph.output("y", x), /Cannot add output "y" as it exists already/);
});

test("Graph.input() rejects sizes that are no positive integers", () => {
  for (const shape of [[0], [-1], [1.5], [NaN]]) {
    assert.throws(
      () => new Graph().input("x", shape),
      {
        name: "RangeError",
        message:
          `Cannot add "x" as its sizes must be positive integers: current shape is [${shape}]`,
      },
    );
  }
});

test("Graph rejects values of another graph", () => {
  const graph = new Graph();
  const x = graph.input("x", [5]), stranger = new Graph().input("stranger", [5]);
  assert.throws(() => graph.output("y", stranger), /Cannot return "y" as it is of another graph/);
  assert.throws(
    () => add(x, stranger),
    { name: "TypeError", message: 'Cannot add Add as its input "stranger" is of another graph' },
  );
});

test("Graph.constant() rejects data of another size", () => {
  assert.throws(
    () => new Graph().constant(new Float32Array(6), [5]),
    { name: "RangeError", message: "Cannot add constant of shape [5] as it has 6 elements" },
  );
});

test("Graph.constant() keeps equal small constants once, apart by type and shape", () => {
  const graph = new Graph();
  assert.equal(graph.scalar(0.5), graph.scalar(0.5));
  assert.equal(graph.int64([1, 2]), graph.int64([1, 2]));
  const different = new Set([
    graph.scalar(1),
    graph.scalar(2),
    graph.constant(Float32Array.of(1), [1]),
    graph.int64([1]),
    graph.int32(Int32Array.of(1), [1]),
  ]);
  assert.equal(different.size, 5);
  // A large one is a new constant every time, as comparing it would cost more.
  const large = new Float32Array(17);
  assert.notEqual(graph.constant(large, [17]), graph.constant(large, [17]));
});

test("Graph.scope() prefixes the names of nodes, nested, and ends with an error too", () => {
  const graph = new Graph();
  const x = graph.input("x", [5]);
  const inner = graph.scope("layers.0", () => graph.scope("attention", () => neg(x)));
  assert.equal(inner.name, "layers.0/attention/Neg_0");
  assert.throws(() =>
    graph.scope("broken", () => {
      throw new Error("stop");
    }), /stop/);
  assert.equal(neg(x).name, "Neg_1");
});
