/** BLOOM: ALiBi, a norm after the embeddings, and the table of embeddings as head. */
import { z } from "zod";
import { positiveNumber, trueOrFalse } from "../../declaration/fields.ts";
import { introducedAt } from "../../declaration/identity.ts";
import { decoder } from "../decoder.ts";
import { readEpsilon, sourcesByName } from "../huggingface_settings.ts";

const settings = z.strictObject({
  epsilon: positiveNumber.default(1e-5),
  tied: trueOrFalse.default(true),
  /** Whether outputs of attention and MLP are added to the norms that these read, not to the stream. */
  addsToNorms: introducedAt(trueOrFalse, false).default(false),
});

export const bloom = decoder({
  name: "bloom",
  settings,
  plan: ({ heads, hiddenDim }, { epsilon, tied, addsToNorms }) => ({
    keyValueHeads: heads,
    headDim: hiddenDim / heads,
    norm: { kind: "layer", epsilon },
    embeddingsNorm: true,
    positions: { kind: "alibi" },
    residual: "sequential",
    addsToNorms,
    attentionBias: { qkv: true, out: true },
    mlp: { gated: false, activation: "gelu-tanh", bias: true },
    tied,
  }),
  huggingFace: {
    modelTypes: ["bloom"],
    prefix: "transformer.",
    readShape(config) {
      // Then the official code leaves out the biases of two projections.
      if (
        (config.optionalSize("pretraining_tp") ?? 1) > 1 && config.flag("slow_but_exact", false)
      ) {
        config.refuse("slow_but_exact", "false where pretraining_tp is above 1");
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
          addsToNorms: config.flag("apply_residual_connection_post_layernorm", false),
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
        "attention.out": "self_attention.dense",
        mlp_norm: "post_attention_layernorm",
        "mlp.in": "mlp.dense_h_to_4h",
        "mlp.out": "mlp.dense_4h_to_h",
      },
      fused: { name: "self_attention.query_key_value", kind: "heads" },
    }),
    heads: ["lm_head.weight"],
    isUnused: () => false,
  },
});
