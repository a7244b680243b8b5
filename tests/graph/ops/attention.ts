import { Graph, type Value } from "../../../src/graph/graph.ts";
import { attention, attentionBlocks } from "../../../src/graph/ops/attention.ts";
import type { AttentionBlock } from "../../../src/graph/attention_block.ts";
import { dropoutRandoms } from "../../../src/graph/ops/dropout.ts";
import { Random } from "../../../src/random.ts";
import { assert, test } from "../../testing.ts";
import { type OperationInput, testOperation } from "../operation_test_case.ts";
import { keptFactor } from "../dropout_reference.ts";
import { type Tensor64, tensor64 } from "../tensor64.ts";

/** Bias of key j for query t, as ALiBi: less the further away; later keys are hidden. */
const biasOf = (h: number, t: number, j: number) => j <= t ? (j - t) / 2 ** (h + 3) : -1e30;

/** The bias of a block as a constant [1, H, t1 - t0, t1]. */
function blockBias(graph: Graph, H: number, { t0, t1 }: AttentionBlock): Value {
  const bias: number[] = [];
  for (let h = 0; h < H; h++) {
    for (let t = t0; t < t1; t++) for (let j = 0; j < t1; j++) bias.push(biasOf(h, t, j));
  }
  return graph.constant(Float32Array.from(bias), [1, H, t1 - t0, t1]);
}

/** Causal attention of every query by itself; `factor` [B, H, T, T] multiplies the probabilities, `cap` is a soft one of the scores. */
function reference(
  { q, k, v }: Record<"q" | "k" | "v", Tensor64>,
  { factor, cap }: { factor?: Tensor64; cap?: number } = {},
): Tensor64 {
  const [B, H, T, D] = q.shape;
  const data = new Float64Array(B * H * T * D);
  const weights = new Float64Array(T);
  for (let bh = 0; bh < B * H; bh++) {
    for (let t = 0; t < T; t++) {
      const row = bh * T + t;
      let sum = 0;
      for (let j = 0; j <= t; j++) {
        let score = 0;
        for (let d = 0; d < D; d++) score += q.data[row * D + d] * k.data[(bh * T + j) * D + d];
        if (cap !== undefined) score = cap * Math.tanh(score / cap);
        weights[j] = Math.exp(score + biasOf(bh % H, t, j));
        sum += weights[j];
      }
      for (let j = 0; j <= t; j++) {
        const weight = weights[j] / sum * (factor ? factor.data[row * T + j] : 1);
        for (let d = 0; d < D; d++) data[row * D + d] += weight * v.data[(bh * T + j) * D + d];
      }
    }
  }
  return { shape: q.shape, data };
}

const oneBlock = 2 ** 30, smallest = 1;

for (
  const { B, H, T, D, blockBytes, blocks } of [
    { B: 2, H: 2, T: 37, D: 2, blockBytes: oneBlock, blocks: 1 },
    { B: 2, H: 2, T: 37, D: 2, blockBytes: smallest, blocks: 2 }, // one for each row of the batch
    { B: 2, H: 1, T: 67, D: 1, blockBytes: smallest, blocks: 4 },
    { B: 1, H: 1, T: 130, D: 1, blockBytes: smallest, blocks: 3 },
  ]
) {
  const shape = [B, H, T, D];
  assert.equal(attentionBlocks({ B, H, T, blockBytes }).length, blocks);
  testOperation(`attention() of [${shape}] in ${blocks} blocks`, {
    inputs: { q: shape, k: shape, v: shape },
    build: ({ q, k, v }) =>
      attention(q, k, v, { blockBytes, bias: (block) => blockBias(q.graph, H, block) }),
    reference: (inputs) => reference(inputs),
  });
}

// Blocks of both rows of the batch, and of one each.
for (const blockBytes of [oneBlock, smallest]) {
  const B = 2, H = 3, T = 37, D = 2;
  const shape = [B, H, T, D];
  testOperation(`attention() of [${shape}] by a node for each block, within ${blockBytes} bytes`, {
    inputs: { q: shape, k: shape, v: shape },
    build: ({ q, k, v }) => {
      const { graph } = q;
      const bias = (block: AttentionBlock) => blockBias(graph, H, block);
      const o = attention(q, k, v, { blockBytes, bias, fusedQueries: 16 });
      const blocks = graph.nodes.filter(({ op }) => op === "MultiHeadAttention");
      assert.equal(blocks.length, blockBytes === oneBlock ? 3 : 6);
      return o;
    },
    reference: (inputs) => reference(inputs),
    kinds: ["cpu", "wasm"],
  });
}

for (const blockBytes of [oneBlock, smallest]) {
  const B = 2, H = 1, T = 67, D = 3, softCap = 0.8;
  const shape = [B, H, T, D];
  testOperation(`attention() with a soft cap of scores, within ${blockBytes} bytes`, {
    inputs: { q: shape, k: shape, v: shape },
    build: ({ q, k, v }) => {
      const { graph } = q;
      const bias = (block: AttentionBlock) => blockBias(graph, H, block);
      const o = attention(q, k, v, { blockBytes, bias, softCap, fusedQueries: 16 });
      assert.ok(!graph.nodes.some(({ op }) => op === "MultiHeadAttention"));
      return o;
    },
    reference: (inputs) => reference(inputs, { cap: softCap }),
  });
}

test("attention() of no more queries than a fused block has takes several nodes", () => {
  const graph = new Graph();
  const [q, k, v] = ["q", "k", "v"].map((name) => graph.input(name, [1, 1, 16, 2]));
  const bias = (block: AttentionBlock) => blockBias(graph, 1, block);
  attention(q, k, v, { blockBytes: oneBlock, bias, fusedQueries: 16 });
  assert.ok(!graph.nodes.some(({ op }) => op === "MultiHeadAttention"));
});

for (const blockBytes of [oneBlock, smallest]) {
  const B = 2, H = 1, T = 67, D = 1, p = 0.25;
  const shape = [B, H, T, D];
  const random = new Random("attention dropout");
  const randoms = dropoutRandoms(() => random.nextUint32(), { rows: B * H * T, columns: T });
  const factor = tensor64([B * H * T, T], (row, j) => keptFactor(randoms, p, row, j));
  const input = (shape: number[], values: ArrayLike<number>): OperationInput => (
    { shape, values, gradient: false }
  );
  testOperation(
    `attention() with dropout in ${attentionBlocks({ B, H, T, blockBytes }).length} blocks`,
    {
      inputs: {
        q: shape,
        k: shape,
        v: shape,
        rowFactors: input([B, H, T, 1], randoms.rowFactors),
        rowOffsets: input([B, H, T, 1], randoms.rowOffsets),
        columns: input([T], randoms.columns),
      },
      build: ({ q, k, v, ...mask }) =>
        attention(q, k, v, {
          blockBytes,
          bias: (block) => blockBias(q.graph, H, block),
          dropout: { p, ...mask },
        }),
      reference: (inputs) => reference(inputs, { factor }),
    },
  );
}

test("attentionBlocks() cover every pair of a query and an earlier key once, within the bytes", () => {
  for (
    const { B, H, T, blockBytes } of [
      { B: 3, H: 2, T: 1000, blockBytes: 4 * 2 * 100 * 1000 },
      { B: 3, H: 2, T: 1000, blockBytes: 4 * 3 * 2 * 1000 * 1000 },
      { B: 5, H: 1, T: 130, blockBytes: 1 },
    ]
  ) {
    const blocks = attentionBlocks({ B, H, T, blockBytes });
    const times = new Uint8Array(B * T);
    for (const { b0, b1, t0, t1 } of blocks) {
      for (let b = b0; b < b1; b++) for (let t = t0; t < t1; t++) times[b * T + t]++;
      const bytes = 4 * (b1 - b0) * H * (t1 - t0) * T;
      assert.ok(bytes <= blockBytes || t1 - t0 <= 64, `block of ${bytes} bytes`);
    }
    assert.ok(times.every((count) => count === 1));
  }
});

test("attention() rejects keys and values of other shapes", () => {
  const graph = new Graph();
  const q = graph.input("q", [2, 3, 5, 4]), k = graph.input("k", [2, 3, 6, 4]);
  const options = { blockBytes: 1, bias: (): Value => graph.scalar(0) };
  const message = "Cannot read k as [B=2, H=3, T=5, D=4]: current shape is [2, 3, 6, 4]";
  assert.throws(() => attention(q, k, q, options), { name: "RangeError", message });
  assert.throws(() => attention(q, q, k, options), { name: "RangeError", message });
});
