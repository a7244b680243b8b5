/** BLOOM: ALiBi, a norm after the embeddings, and the table of embeddings as head. */
import { z } from "zod";
import { decoder } from "../decoder.ts";
import { fields, fusedHeads, readEpsilon, sourcesByName } from "../huggingface_settings.ts";

const settings = z.strictObject({
  epsilon: fields.positive.default(1e-5),
  tied: fields.flag.default(true),
});

export const bloom = decoder({
  name: "bloom",
  settings,
  plan: ({ heads, hiddenDim }, { epsilon, tied }) => ({
    keyValueHeads: heads,
    headDim: hiddenDim / heads,
    norm: { kind: "layer", epsilon },
    embeddingsNorm: true,
    positions: { kind: "alibi" },
    residual: "sequential",
    attentionBias: { qkv: true, out: true },
    mlp: { gated: false, activation: "gelu-tanh", bias: true },
    tied,
  }),
  huggingFace: {
    modelTypes: ["bloom"],
    prefix: "transformer.",
    readShape(config) {
      if (config.flag("apply_residual_connection_post_layernorm", false)) {
        config.refuse("apply_residual_connection_post_layernorm", "false");
      }
      const hiddenDim = config.size("hidden_size", "n_embed", "n_embd");
      return {
        architecture: "bloom",
        layers: config.layers("n_layer", "num_hidden_layers"),
        hiddenDim,
        heads: config.size("n_head", "num_attention_heads"),
        feedForwardDim: 4 * hiddenDim,
        vocabSize: config.size("vocab_size"),
        settings: {
          epsilon: readEpsilon(config, "layer_norm_epsilon", 1e-5),
          tied: config.flag("tie_word_embeddings", true),
        },
      };
    },
    source: sourcesByName({
      outer: {
        embeddings: "word_embeddings",
        embeddings_norm: "word_embeddings_layernorm",
        final_norm: "ln_f",
        head: "lm_head",
      },
      block: (index) => `h.${index}.`,
      inner: {
        attention_norm: "input_layernorm",
        "attention.q": "self_attention.query_key_value",
        "attention.k": "self_attention.query_key_value",
        "attention.v": "self_attention.query_key_value",
        "attention.out": "self_attention.dense",
        mlp_norm: "post_attention_layernorm",
        "mlp.in": "mlp.dense_h_to_4h",
        "mlp.out": "mlp.dense_4h_to_h",
      },
      layout: fusedHeads,
    }),
    unprefixed: ["lm_head.weight"],
    isUnused: () => false,
  },
});
