import { Graph } from "../../../src/graph/graph.ts";
import { cachedAttention } from "../../../src/graph/ops/cached_attention.ts";
import { assert, test } from "../../testing.ts";
import { testOperation } from "../operation_test_case.ts";
import type { Tensor64 } from "../tensor64.ts";

const B = 2, H = 6, C = 6, D = 5;
const one = [B, H, 1, D], cached = [B, H, C, D];
/** Two places of the cache hold nothing. */
const bias = {
  shape: [1, H, 1, C + 1],
  values: (random: { normal(): number }, i: number) =>
    [4, 5].includes(i % (C + 1)) ? -1e30 : random.normal(),
} as const;

/** Attention of one query to C cached keys and its own, of a head for each query or each group of neighbouring ones. */
function reference(
  { q, k, v, keys, values, bias }: Record<"q" | "k" | "v" | "keys" | "values" | "bias", Tensor64>,
  cap = Infinity,
): Tensor64 {
  const data = new Float64Array(B * H * D), weights = new Float64Array(C + 1);
  const group = H / k.shape[1];
  for (let bh = 0; bh < B * H; bh++) {
    const key = Math.floor(bh / group);
    const at = (own: Tensor64, cache: Tensor64, j: number, d: number) =>
      j < C ? cache.data[(key * C + j) * D + d] : own.data[key * D + d];
    let sum = 0;
    for (let j = 0; j <= C; j++) {
      let score = 0;
      for (let d = 0; d < D; d++) score += q.data[bh * D + d] * at(k, keys, j, d);
      if (cap < Infinity) score = cap * Math.tanh(score / cap);
      weights[j] = Math.exp(score + bias.data[(bh % H) * (C + 1) + j]);
      sum += weights[j];
    }
    for (let j = 0; j <= C; j++) {
      for (let d = 0; d < D; d++) data[bh * D + d] += weights[j] / sum * at(v, values, j, d);
    }
  }
  return { shape: q.shape, data };
}

for (const keyHeads of [H, 3, 2, 1]) {
  const own = [B, keyHeads, 1, D], past = [B, keyHeads, C, D];
  testOperation(`cachedAttention() of ${H} heads to ${keyHeads}`, {
    inputs: { q: one, k: own, v: own, keys: past, values: past, bias },
    build: ({ q, k, v, keys, values, bias }) =>
      cachedAttention(q, { k, v }, { cache: { k: keys, v: values }, bias }),
    reference: (inputs) => reference(inputs),
  });
}

testOperation("cachedAttention() with a soft cap of scores", {
  inputs: {
    q: one,
    k: [B, 3, 1, D],
    v: [B, 3, 1, D],
    keys: [B, 3, C, D],
    values: [B, 3, C, D],
    bias,
  },
  build: ({ q, k, v, keys, values, bias }) =>
    cachedAttention(q, { k, v }, { cache: { k: keys, v: values }, bias, softCap: 0.8 }),
  reference: (inputs) => reference(inputs, 0.8),
});

test("cachedAttention() rejects several queries a row", () => {
  const graph = new Graph();
  const q = graph.input("q", [B, H, 2, D]), cache = graph.input("cache", cached);
  assert.throws(
    () =>
      cachedAttention(q, { k: q, v: q }, { cache: { k: cache, v: cache }, bias: graph.scalar(0) }),
    /Cannot read q as \[B, H, T=1, D\]: current shape is \[2, 6, 2, 5\]/,
  );
});
