import { gradients } from "../../src/graph/gradients.ts";
import { Graph, type Value } from "../../src/graph/graph.ts";
import { add } from "../../src/graph/ops/add.ts";
import { exp } from "../../src/graph/ops/exp.ts";
import { floor } from "../../src/graph/ops/floor.ts";
import { matmul } from "../../src/graph/ops/matmul.ts";
import { mul } from "../../src/graph/ops/mul.ts";
import { reduceSum } from "../../src/graph/ops/reduce_sum.ts";
import { sub } from "../../src/graph/ops/sub.ts";
import { tanh } from "../../src/graph/ops/tanh.ts";
import { topK } from "../../src/graph/ops/top_k.ts";
import { transposeLast } from "../../src/graph/ops/transpose.ts";
import { assert, test } from "../testing.ts";
import { testOperation } from "./operation_test_case.ts";
import { at, map64, sum64, tensor64 } from "./tensor64.ts";

testOperation("gradients() add the paths of a value used twice by one operation", {
  inputs: { x: [5, 7] },
  build: ({ x }) => mul(x, x),
  reference: ({ x }) => map64(x, (x) => x * x),
});

testOperation("gradients() add the paths through a shared subexpression", {
  inputs: { x: [5, 7], z: [7] },
  build: ({ x, z }) => {
    const shared = tanh(mul(x, z));
    return add(mul(shared, exp(shared)), sub(x, shared));
  },
  reference: ({ x, z }) =>
    tensor64([5, 7], (i, j) => {
      const shared = Math.tanh(at(x, i, j) * at(z, j));
      return shared * Math.exp(shared) + at(x, i, j) - shared;
    }),
});

testOperation("gradients() of a long and a short path that meet late", {
  inputs: { x: [37] },
  build: ({ x }) => {
    // The sum over both paths must be complete before the gradient passes on to x.
    const start = tanh(x);
    let long: Value = start;
    for (let i = 0; i < 5; i++) long = tanh(long);
    return mul(start, long);
  },
  reference: ({ x }) =>
    map64(x, (x) => {
      const start = Math.tanh(x);
      let long = start;
      for (let i = 0; i < 5; i++) long = Math.tanh(long);
      return start * long;
    }),
});

testOperation("gradients() of x^T x", {
  inputs: { x: [5, 3] },
  build: ({ x }) => matmul(transposeLast(x), x),
  reference: ({ x }) => tensor64([3, 3], (i, j) => sum64(5, (k) => at(x, k, i) * at(x, k, j))),
});

testOperation("gradients() take the other path around an operation without one", {
  inputs: { x: [5, 7] },
  build: ({ x }) => sub(x, floor(x)),
  reference: ({ x }) => map64(x, (x) => x - Math.floor(x)),
});

test("gradients() of values that the loss does not depend on are undefined", () => {
  const graph = new Graph();
  const x = graph.input("x", [5]), unused = graph.input("unused", [5]);
  const constant = graph.constant(new Float32Array(5), [5]);
  const later = exp(x);
  const loss = reduceSum(mul(x, constant));
  const [dx, dUnused, dLater] = gradients(loss, [x, unused, later]);
  assert.deepEqual(dx?.shape, [5]);
  assert.equal(dUnused, undefined);
  assert.equal(dLater, undefined);
});

test("gradients() stop at operations without a gradient", () => {
  const graph = new Graph();
  const x = graph.input("x", [5, 7]);
  assert.deepEqual(gradients(reduceSum(floor(x)), [x]), [undefined]);
  assert.deepEqual(gradients(reduceSum(topK(x, 3).values), [x]), [undefined]);
});

test("gradients() of inner values and of constants are those asked for, in order", () => {
  const graph = new Graph();
  const x = graph.input("x", [5]), inner = exp(x);
  const constant = graph.constant(new Float32Array(5), [5]);
  const loss = reduceSum(mul(inner, constant));
  const [dConstant, dInner, dLoss] = gradients(loss, [constant, inner, loss]);
  assert.equal(dConstant?.node?.op, "Mul");
  assert.equal(dInner?.node?.inputs[1], constant);
  assert.deepEqual(graph.constants.get(dLoss!.name)?.data, Float32Array.of(1));
});

test("gradients() start from the seed", () => {
  const graph = new Graph();
  const x = graph.input("x", [5]), seed = graph.input("seed", [5]);
  const [dx] = gradients(exp(x), [x], seed);
  assert.ok(dx?.node?.inputs.includes(seed));
});

test("gradients() add no nodes for operands that nobody asked for the gradient of", () => {
  const graph = new Graph();
  const x = graph.input("x", [5, 7]), w = graph.input("w", [7, 3]);
  const loss = reduceSum(matmul(tanh(x), w));
  const before = graph.nodes.length;
  gradients(loss, [w]);
  const ops = graph.nodes.slice(before).map(({ op }) => op);
  assert.ok(!ops.includes("Sub"), `tanh was differentiated: ${ops}`);
});

test("gradients() name the operation whose rule gives another shape", () => {
  const graph = new Graph();
  const x = graph.input("x", [5, 7]);
  const y = graph.node({
    op: "Neg",
    inputs: [x],
    outputs: [{ shape: [5, 7], type: "float32" }],
    gradient: ({ dy }) => [reduceSum(dy)],
  });
  assert.throws(
    () => gradients(reduceSum(y), [x]),
    {
      name: "RangeError",
      message: "Cannot differentiate Neg_0: gradient of x has shape [], not [5,7]",
    },
  );
});

test("gradients() give a rule the gradients of all its outputs", () => {
  const graph = new Graph();
  const x = graph.input("x", [5]);
  const [first, second] = graph.nodeWithOutputs({
    op: "Split",
    inputs: [x],
    outputs: [{ shape: [2], type: "float32" }, { shape: [3], type: "float32" }],
    gradient: ({ dys }) => {
      seen = dys;
      return [x];
    },
  });
  let seen: readonly (Value | undefined)[] = [];
  gradients(reduceSum(second), [x]);
  assert.equal(seen[0], undefined);
  assert.deepEqual(seen[1]?.shape, [3]);
  gradients(add(reduceSum(first), reduceSum(second)), [x]);
  assert.deepEqual(seen.map((dy) => dy?.shape), [[2], [3]]);
});
