/**
 * GPT-2: learned positions, LayerNorms before attention and MLP, one after the other, and the table of embeddings as head.
 */
import { z } from "zod";
import { positiveInteger, positiveNumber, trueOrFalse } from "../../declaration/fields.ts";
import { introducedAt } from "../../declaration/identity.ts";
import { activation, decoder } from "../decoder.ts";
import { readActivation, readEpsilon, sourcesByName } from "../huggingface_settings.ts";

const settings = z.strictObject({
  /** Positions that are learned: the longest segment, in tokens. */
  positions: positiveInteger.default(1024),
  epsilon: positiveNumber.default(1e-5),
  activation: activation.default("gelu-tanh"),
  tied: trueOrFalse.default(true),
  /** Whether scores are divided by the square root of a head's channels. */
  scaledScores: introducedAt(trueOrFalse, true).default(true),
  /** Whether those of block i, from 0, are divided by i + 1 besides. */
  scoresScaledByBlock: introducedAt(trueOrFalse, false).default(false),
});

/** Names in files of GPT-2 and its relatives, besides those of the projections to queries, keys and values. */
export const gpt2Names = {
  outer: { embeddings: "wte", positions: "wpe", final_norm: "ln_f", head: "lm_head" },
  block: (index: number) => `h.${index}.`,
  inner: {
    attention_norm: "ln_1",
    "attention.out": "attn.c_proj",
    mlp_norm: "ln_2",
    "mlp.in": "mlp.c_fc",
    "mlp.out": "mlp.c_proj",
  },
};

/** GPT-2. */
export const gpt2 = decoder({
  name: "gpt2",
  settings,
  plan({ heads, hiddenDim }, settings) {
    const { positions, epsilon, activation, scaledScores, scoresScaledByBlock, tied } = settings;
    const headDim = hiddenDim / heads;
    return {
      keyValueHeads: heads,
      headDim,
      norm: { kind: "layer", epsilon },
      positions: { kind: "learned", count: positions },
      scoreScale: (block) =>
        (scaledScores ? headDim ** -0.5 : 1) / (scoresScaledByBlock ? block + 1 : 1),
      residual: "sequential",
      attentionBias: { qkv: true, out: true },
      mlp: { gated: false, activation, bias: true },
      tied,
    };
  },
  huggingFace: {
    modelTypes: ["gpt2"],
    prefix: "transformer.",
    readShape(config) {
      if (config.flag("add_cross_attention", false)) config.refuse("add_cross_attention", "false");
      const hiddenDim = config.size("n_embd", "hidden_size");
      return {
        architecture: "gpt2",
        layers: config.layers("n_layer", "num_hidden_layers"),
        hiddenDim,
        heads: config.size("n_head", "num_attention_heads"),
        feedForwardDim: config.optionalSize("n_inner") ?? 4 * hiddenDim,
        vocabSize: config.size("vocab_size"),
        settings: {
          // No part of the model reads n_ctx, which many files have beside it.
          positions: config.optionalSize("n_positions", "max_position_embeddings") ??
            config.size("n_positions", "max_position_embeddings", "n_ctx"),
          epsilon: readEpsilon(config, "layer_norm_epsilon", 1e-5),
          activation: readActivation(config, ["activation_function", "hidden_act"], "gelu_new"),
          tied: config.flag("tie_word_embeddings", true),
          scaledScores: config.flag("scale_attn_weights", true),
          scoresScaledByBlock: config.flag("scale_attn_by_inverse_layer_idx", false),
        },
      };
    },
    source: sourcesByName({
      ...gpt2Names,
      fused: { name: "attn.c_attn", kind: "parts" },
      transposed: ["attn.c_attn", "attention.out", "mlp.in", "mlp.out"],
    }),
    heads: ["lm_head.weight"],
    isUnused: (name) => /^h\.\d+\.attn\.(masked_)?bias$/.test(name),
  },
});
