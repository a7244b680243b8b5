import { backboneForward } from "../../backbone/backbone_graph.ts";
import { concat } from "../../graph/ops/concat.ts";
import { expand } from "../../graph/ops/expand.ts";
import { mul } from "../../graph/ops/mul.ts";
import { reduceSum } from "../../graph/ops/reduce_sum.ts";
import { reshape } from "../../graph/ops/reshape.ts";
import type { Retrieved } from "../../memory/memory_graph.ts";
import { memoryReader, type NetworkKind } from "../network.ts";

/**
 * The frozen language model with a memory of its last hidden states (kNN-LM, arXiv 1911.00172): keys are the input of the MLP of the
 * last block, after the norm before it if there is one, which Khandelwal et al. found to be the best.
 *
 * The nearest states by Euclidean distance are those of the largest inner product of (q, 1) with (k, -|k|^2 / 2), which is
 * (|q|^2 - |q - k|^2) / 2: so that the memory, its eviction and its exact search are those of all memories. Nothing reads its
 * values, which are the keys.
 */
export const knnLmNetwork: NetworkKind = {
  part: { lack: "there is no memory of states" },
  memory: {
    blocks: (_part, { layers }) => [layers - 1],
    heads: ({ hiddenDim: E }) => ({ heads: 1, headDim: E + 1 }), // a state and half of its squared length
    tells: "states",
    unshared: "there is no SideNet that would read it",
  },
  followsCache: false,
  forward({ graph, tokens, frozen, batch, options }) {
    const { backbone: shape, rows: B, contextTokens: T } = options, { hiddenDim: E } = shape;
    const backbone = backboneForward(tokens, frozen, shape, batch);
    const state = backbone.mlpInputs.at(-1)!; // [N, E]
    const squares = reduceSum(mul(state, state), { axes: [1], keep: true }); // [N, 1]
    const k = concat([state, mul(squares, graph.scalar(-0.5))], 1); // [N, E+1]
    const ones = expand(graph.constant(Float32Array.of(1), [1, 1]), [B * T, 1]);
    const retrieved: Retrieved[] = [];
    memoryReader(graph, options.memory!, options, { retrieved })
      .retrieve(reshape(concat([state, ones], 1), [B, 1, T, E + 1]));
    return { backbone, cached: [{ k, v: k }], retrieved };
  },
};
