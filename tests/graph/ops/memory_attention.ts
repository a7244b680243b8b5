import { gradients } from "../../../src/graph/gradients.ts";
import { Graph, type Value } from "../../../src/graph/graph.ts";
import { programOf } from "../../../src/graph/onnx.ts";
import { memoryAttention } from "../../../src/graph/ops/memory_attention.ts";
import { assert, test } from "../../testing.ts";
import { testOperation } from "../operation_test_case.ts";
import type { Tensor64 } from "../tensor64.ts";

/** Attention of every query over the c tokens of each of its n chunks. */
function reference(
  { q, ids, keys, values }: Record<"q" | "ids" | "keys" | "values", Tensor64>,
  { chunkBias, cap = Infinity }: { chunkBias?: Tensor64; cap?: number | undefined } = {},
): Tensor64 {
  const [B, H, T, D] = q.shape, n = ids.shape[3], c = keys.shape[1] / D;
  const data = new Float64Array(B * H * T * D), weights = new Float64Array(n * c);
  for (let row = 0; row < B * H * T; row++) {
    const token = (s: number) => (ids.data[row * n + Math.floor(s / c)] * c + s % c) * D;
    let sum = 0;
    for (let s = 0; s < n * c; s++) {
      let score = 0;
      for (let d = 0; d < D; d++) score += q.data[row * D + d] * keys.data[token(s) + d];
      if (cap < Infinity) score = cap * Math.tanh(score / cap);
      weights[s] = Math.exp(score + (chunkBias?.data[row * n + Math.floor(s / c)] ?? 0));
      sum += weights[s];
    }
    for (let s = 0; s < n * c; s++) {
      for (let d = 0; d < D; d++) {
        data[row * D + d] += weights[s] / sum * values.data[token(s) + d];
      }
    }
  }
  return { shape: q.shape, data };
}

const B = 2, H = 3, T = 7, D = 5, n = 3, c = 2, R = 11;
const frozen = { shape: [R, c * D], gradient: false } as const;
const ids = {
  shape: [B, H, T, n],
  type: "int32",
  values: (random: { below(n: number): number }) => random.below(R),
} as const;
const queryBytes = 4 * H * n * c * D;

for (
  const { name, blockBytes } of [
    { name: "one block", blockBytes: 2 ** 30 },
    { name: "a block for each row of the batch", blockBytes: queryBytes * T },
    { name: "blocks of 3 queries at most", blockBytes: queryBytes * 3 },
    { name: "a block for each query", blockBytes: 1 },
  ]
) {
  testOperation(`memoryAttention() in ${name}`, {
    inputs: { q: [B, H, T, D], ids, keys: frozen, values: frozen },
    build: ({ q, ...memory }) => memoryAttention(q, { ...memory, blockBytes }),
    reference: (inputs) => reference(inputs),
  });
}

for (
  const { blockBytes, softCap } of [
    { blockBytes: 2 ** 30 },
    { blockBytes: queryBytes * 3 },
    { blockBytes: queryBytes * 3, softCap: 0.8 },
  ]
) {
  const capped = softCap === undefined ? "" : " and a soft cap of scores";
  testOperation(`memoryAttention() with a bias of chunks${capped}, within ${blockBytes} bytes`, {
    inputs: {
      q: [B, H, T, D],
      ids,
      keys: frozen,
      values: frozen,
      chunkBias: {
        shape: [B, H, T, n],
        // The second chunk of every other query is hidden.
        values: (random, i) => i % 6 === 1 ? -1e30 : random.normal(),
        gradient: false,
      },
    },
    build: ({ q, ...memory }) => memoryAttention(q, { ...memory, softCap, blockBytes }),
    reference: ({ chunkBias, ...inputs }) => reference(inputs, { chunkBias, cap: softCap }),
  });
}

test("the gradient of memoryAttention() gathers by ids of its own, that an engine does not take for the same", () => {
  const graph = new Graph();
  const q = graph.input("q", [B, H, T, D]), keys = graph.input("keys", [R, c * D]);
  const ids = graph.input("ids", [B, H, T, n], "int32");
  const o = memoryAttention(q, { ids, keys, values: keys, blockBytes: 1 });
  const dy = graph.input("dy", o.shape), [dq] = gradients(o, [q], dy);
  graph.output("o", o);
  graph.output("dq", dq!);
  const { nodes } = programOf(graph);
  const needsDy = (value: Value): boolean =>
    value === dy || (value.node?.inputs ?? []).some((input) => input && needsDy(input));
  const gathers = nodes.filter(({ op, inputs }) => op === "Gather" && inputs[0] === keys);
  const again = gathers.filter(({ inputs: [, chosen] }) => needsDy(chosen!));
  assert.deepEqual([gathers.length, again.length], [4 * B * T, 2 * B * T]);
});

test("memoryAttention() rejects ids and tables of other shapes", () => {
  const graph = new Graph();
  const q = graph.input("q", [B, H, T, D]), keys = graph.input("keys", [R, c * D]);
  const good = graph.input("ids", [B, H, T, n], "int32");
  const bad = graph.input("bad", [B, H, T - 1, n], "int32");
  const narrow = graph.input("narrow", [R, D]);
  const blockBytes = 1;
  assert.throws(
    () => memoryAttention(q, { ids: bad, keys, values: keys, blockBytes }),
    /Cannot read bad as \[B=2, H=3, T=7, n\]: current shape is \[2, 3, 6, 3\]/,
  );
  assert.throws(
    () => memoryAttention(q, { ids: good, keys, values: narrow, blockBytes }),
    /Cannot read narrow as \[R, width=10\]: current shape is \[11, 5\]/,
  );
});
