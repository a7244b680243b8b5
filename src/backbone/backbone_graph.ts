import type { Graph, Value } from "../graph/graph.ts";
import { add } from "../graph/ops/add.ts";
import { attention } from "../graph/ops/attention.ts";
import type { AttentionBlock } from "../graph/attention_block.ts";
import { cachedAttention } from "../graph/ops/cached_attention.ts";
import { dropout, type DropoutMask } from "../graph/ops/dropout.ts";
import { gather } from "../graph/ops/gather.ts";
import { geluTanh } from "../graph/ops/gelu.ts";
import { layerNorm } from "../graph/ops/layer_norm.ts";
import { linear } from "../graph/ops/linear.ts";
import { mul } from "../graph/ops/mul.ts";
import { reshape } from "../graph/ops/reshape.ts";
import { transpose } from "../graph/ops/transpose.ts";
import type { AttentionBias } from "./attention_bias.ts";
import { type BackboneShape, backboneTensorShapes } from "./shape.ts";
import { InputRangeError } from "../errors.ts";

/** LayerNorm epsilon of the backbone. */
const epsilon = 1e-6;

/** Weights as values of a graph, by their official names. */
export type Weights = (name: string) => Value;

/** Declares weights as inputs of a graph, each when first used; names get `prefix`. */
export function weightInputs(
  graph: Graph,
  shapes: ReadonlyMap<string, readonly number[]>,
  prefix: string,
): Weights {
  return (name) => {
    const known = graph.inputs.get(prefix + name);
    if (known) return known;
    const shape = shapes.get(name);
    if (!shape) {
      throw new InputRangeError(`Cannot use weight "${name}" as the model has none of this name`);
    }
    return graph.input(prefix + name, shape);
  };
}

/** Prefix of the backbone's weights among the inputs of a graph. */
export const backbonePrefix = "backbone.";

/** Declares the backbone's weights. */
export function backboneWeights(graph: Graph, shape: BackboneShape): Weights {
  return weightInputs(graph, backboneTensorShapes(shape), backbonePrefix);
}

/** What a forward pass computes; a graph evaluates only what its outputs need. */
export interface BackboneOutputs {
  /** h[0] .. h[L-1], then LNf(h[L]): L+1 values [N, E], N = B*T. */
  readonly hiddenStates: readonly Value[];
  /** Query, key and value projections of each block [N, E], without position, before the split into heads. */
  readonly projections: readonly { q: Value; k: Value; v: Value }[];
  /** The same as the attention of each block takes them. */
  readonly heads: readonly AttentionHeads[];
}

/** Sizes of a batch and how to compute it. */
export interface BatchOptions {
  /** Rows B. */
  readonly rows: number;
  /** Tokens T of a row. */
  readonly contextTokens: number;
  readonly bias: AttentionBias;
  readonly blockBytes: number;
  /** Keys and values [B, H, C, D] of the tokens before, which a layer has cached; absent: rows begin with their segments. */
  readonly cache?: (layer: string) => { k: Value; v: Value };
}

/** Name of a block among the layers that attend to the segment. */
export function blockName(i: number): string {
  return `backbone.${i}`;
}

/** Queries, keys and values of a block's heads [B, H, T, D]. */
export interface AttentionHeads {
  /** Queries, scaled. */
  readonly q: Value;
  /** Queries, not scaled: retrieval uses them so. */
  readonly query: Value;
  readonly k: Value;
  readonly v: Value;
}

/** How a backbone computes. */
export interface BackboneOptions extends BatchOptions {
  /** Attention of block i [B, H, T, D]; absent: to the segment alone. */
  readonly attention?: (i: number, heads: AttentionHeads) => Value;
  /** Dropout on the output of the MLP of block i, in training. */
  readonly mlpDropout?: (i: number) => DropoutMask | undefined;
}

/** The backbone (specification section 3) on tokens int32 [B, T]: one LayerNorm feeds attention and MLP of a block. */
export function backboneForward(
  tokens: Value,
  weights: Weights,
  shape: BackboneShape,
  options: BackboneOptions,
): BackboneOutputs {
  const { graph } = tokens;
  const { layers: L, hiddenDim: E, heads: H } = shape;
  const N = options.rows * options.contextTokens;
  const scale = graph.scalar((E / H) ** -0.5);
  let h = gather(weights("transformer.wte.weight"), reshape(tokens, [N])); // [N, E]
  const hiddenStates = [h];
  const projections: { q: Value; k: Value; v: Value }[] = [];
  const heads: AttentionHeads[] = [];
  for (let i = 0; i < L; i++) {
    h = graph.scope(blockName(i), () => {
      const weight = (name: string) => weights(`transformer.h.${i}.${name}`);
      const u = layerNorm(h, weight("ln_1.weight"), weight("ln_1.bias"), epsilon);
      const q = linear(u, weight("attn.q_proj.weight"));
      const k = linear(u, weight("attn.k_proj.weight"));
      const v = linear(u, weight("attn.v_proj.weight"));
      projections.push({ q, k, v });
      const split = {
        q: splitHeads(mul(q, scale), options, H),
        query: splitHeads(q, options, H),
        k: splitHeads(k, options, H),
        v: splitHeads(v, options, H),
      };
      heads.push(split);
      const o = options.attention?.(i, split) ??
        localAttention(split, options, { layer: blockName(i) });
      const a = linear(mergeHeads(o), weight("attn.out_proj.weight"));
      const inner = geluTanh(linear(u, weight("mlp.fc_in.weight"), weight("mlp.fc_in.bias")));
      const f = dropout(
        linear(inner, weight("mlp.fc_out.weight"), weight("mlp.fc_out.bias")),
        options.mlpDropout?.(i),
      );
      return add(add(h, a), f);
    });
    hiddenStates.push(h);
  }
  hiddenStates[L] = layerNorm(
    h,
    weights("transformer.ln_f.weight"),
    weights("transformer.ln_f.bias"),
    epsilon,
  );
  return { hiddenStates, projections, heads };
}

/**
 * Attention to the segment alone.
 *
 * @param options `layer`: its name in a cache; `mask`: dropout on its probabilities; `bias`: another than the batch's.
 */
export function localAttention(
  { q, k, v }: Pick<AttentionHeads, "q" | "k" | "v">,
  batch: BatchOptions,
  options: { layer: string; mask?: DropoutMask; bias?: (block: AttentionBlock) => Value },
): Value {
  const { layer, mask, bias = batch.bias.block } = options;
  if (batch.cache) {
    const whole = { b0: 0, b1: batch.rows, t0: 0, t1: 1 };
    return cachedAttention(q, { k, v }, { cache: batch.cache(layer), bias: bias(whole) });
  }
  return attention(q, k, v, {
    bias,
    blockBytes: batch.blockBytes,
    ...(mask ? { dropout: mask } : {}),
  });
}

/** [N, E] -> [B, H, T, D] */
export function splitHeads(
  x: Value,
  batch: { rows: number; contextTokens: number },
  heads: number,
): Value {
  const { rows: B, contextTokens: T } = batch;
  return transpose(reshape(x, [B, T, heads, x.shape[1] / heads]), [0, 2, 1, 3]);
}

/** [B, H, T, D] -> [N, E] */
export function mergeHeads(x: Value): Value {
  const [B, H, T, D] = x.shape;
  return reshape(transpose(x, [0, 2, 1, 3]), [B * T, H * D]);
}
