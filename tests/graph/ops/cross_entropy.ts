import { gradients } from "../../../src/graph/gradients.ts";
import { Graph, type Value } from "../../../src/graph/graph.ts";
import { programOf } from "../../../src/graph/onnx.ts";
import {
  crossEntropy,
  type LinearHead,
  logitBlocks,
} from "../../../src/graph/ops/cross_entropy.ts";
import { assert, test } from "../../testing.ts";
import { testOperation } from "../operation_test_case.ts";
import type { Tensor64 } from "../tensor64.ts";

/** -log softmax(x W^T + b)[target] of every row. */
function reference(
  inputs: Record<"x" | "weight" | "targets", Tensor64> & { bias?: Tensor64 },
  cap = Infinity,
): Tensor64 {
  const { x, weight, bias, targets } = inputs;
  const [N, E] = x.shape, [V] = weight.shape;
  const nll = new Float64Array(N), logits = new Float64Array(V);
  for (let n = 0; n < N; n++) {
    let largest = -Infinity;
    for (let v = 0; v < V; v++) {
      logits[v] = bias ? bias.data[v] : 0;
      for (let e = 0; e < E; e++) logits[v] += x.data[n * E + e] * weight.data[v * E + e];
      if (cap < Infinity) logits[v] = cap * Math.tanh(logits[v] / cap);
      largest = Math.max(largest, logits[v]);
    }
    let sum = 0;
    for (let v = 0; v < V; v++) sum += Math.exp(logits[v] - largest);
    nll[n] = Math.log(sum) + largest - logits[targets.data[n]];
  }
  return { shape: [N], data: nll };
}

/** The loss with the logits of the same head. */
function loss(
  x: Value,
  head: LinearHead & { targets: Value },
  { blockBytes, frozen }: { blockBytes: number; frozen: boolean },
): Value {
  return crossEntropy(x, head, { blocks: logitBlocks(x, head, blockBytes), frozen });
}

const oneBlock = 2 ** 30, smallest = 1;

for (
  const { N, E, V, blockBytes } of [
    { N: 5, E: 7, V: 37, blockBytes: oneBlock },
    { N: 70, E: 3, V: 11, blockBytes: oneBlock },
    { N: 70, E: 3, V: 11, blockBytes: smallest }, // 3 blocks, not of one size
    { N: 37, E: 2, V: 5, blockBytes: smallest },
    { N: 1, E: 5, V: 7, blockBytes: smallest },
  ]
) {
  for (const frozen of [true, false]) {
    const head = frozen ? { gradient: false } as const : {};
    testOperation(
      `crossEntropy() of [${N}, ${E}] with a ${
        frozen ? "frozen" : "trained"
      } head of ${V} words in ${blockBytes === oneBlock ? "one block" : "blocks"}`,
      {
        inputs: {
          x: [N, E],
          weight: { shape: [V, E], ...head },
          bias: { shape: [V], ...head },
          // Every block repeats targets, and the last word is never one.
          targets: { shape: [N], type: "int32", values: (random) => random.below(V - 1) },
        },
        build: ({ x, weight, bias, targets }) =>
          loss(x, { weight, bias, targets }, { blockBytes, frozen }),
        reference: (inputs) => reference(inputs),
      },
    );
  }
}

for (const frozen of [true, false]) {
  const head = frozen ? { gradient: false } as const : {};
  testOperation(
    `crossEntropy() of logits with a soft cap and a ${frozen ? "frozen" : "trained"} head`,
    {
      inputs: {
        x: [70, 3],
        weight: { shape: [11, 3], ...head },
        bias: { shape: [11], ...head },
        targets: { shape: [70], type: "int32", values: (random) => random.below(10) },
      },
      build: ({ x, weight, bias, targets }) =>
        loss(x, { weight, bias, targets, softCap: 1.5 }, { blockBytes: smallest, frozen }),
      reference: (inputs) => reference(inputs, 1.5),
    },
  );
}

testOperation("crossEntropy() of a trained head without a bias, in blocks", {
  inputs: {
    x: [70, 3],
    weight: [11, 3],
    targets: { shape: [70], type: "int32", values: (random) => random.below(10) },
  },
  build: ({ x, weight, targets }) =>
    loss(x, { weight, targets }, { blockBytes: smallest, frozen: false }),
  reference: (inputs) => reference(inputs),
});

testOperation("crossEntropy() of logits whose exponentials overflow", {
  inputs: {
    x: { shape: [37, 3], values: (random) => 300 * random.normal() },
    weight: { shape: [11, 3], values: (random) => 10 * random.normal() },
    bias: [11],
    targets: { shape: [37], type: "int32", values: (random) => random.below(11) },
  },
  build: ({ x, weight, bias, targets }) =>
    loss(x, { weight, bias, targets }, { blockBytes: smallest, frozen: false }),
  reference,
});

test("crossEntropy() rejects heads and targets of other sizes", () => {
  const graph = new Graph();
  const x = graph.input("x", [5, 7]), weight = graph.input("weight", [11, 7]);
  const bias = graph.input("bias", [11]), targets = graph.input("targets", [5], "int32");
  const options = { blockBytes: 1, frozen: true };
  const narrow = graph.input("narrow", [11, 6]), short = graph.input("short", [4], "int32");
  for (
    const [head, message] of [
      [{ weight: narrow, bias, targets }, /Cannot read narrow as \[V, E=7\]/],
      [{ weight, bias: short, targets }, /Cannot read short as \[V=11\]/],
      [{ weight, bias, targets: short }, /Cannot read short as \[N=5\]/],
    ] as const
  ) {
    assert.throws(() => loss(x, head, options), message);
  }
});

test("crossEntropy() computes the gradient of a block after the block's loss", () => {
  const graph = new Graph(), N = 70;
  const x = graph.input("x", [N, 3]);
  const head = { weight: graph.input("weight", [11, 3]) };
  const targets = graph.input("targets", [N], "int32");
  const nll = loss(x, { ...head, targets }, { blockBytes: smallest, frozen: true });
  const [dx] = gradients(nll, [x], graph.input("dy", [N]));
  graph.output("dx", dx!);
  const { nodes } = programOf(graph);
  const ops = (op: string) => nodes.filter((node) => node.op === op);
  // Maxima of the logits and of their softmax in each block, which the gradient alone does not need.
  assert.equal(ops("Softmax").length, 3);
  assert.equal(ops("ReduceMax").length, 6);
});
