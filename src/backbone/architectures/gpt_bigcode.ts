/** GPT-BigCode (SantaCoder, StarCoder): GPT-2 with one head of keys for all heads of queries. */
import { z } from "zod";
import { positiveInteger, positiveNumber, trueOrFalse } from "../../declaration/fields.ts";
import { activation, decoder } from "../decoder.ts";
import { readActivation, readEpsilon, sourcesByName } from "../huggingface_settings.ts";
import { gpt2Names } from "./gpt2.ts";

const settings = z.strictObject({
  /** Heads of keys and values. */
  keyValueHeads: positiveInteger.default(1),
  /** Positions that are learned: the longest segment, in tokens. */
  positions: positiveInteger.default(1024),
  epsilon: positiveNumber.default(1e-5),
  activation: activation.default("gelu-tanh"),
  /** Whether scores are divided by the square root of a head's channels. */
  scaledScores: trueOrFalse.default(true),
  tied: trueOrFalse.default(true),
});

export const gptBigCode = decoder({
  name: "gpt_bigcode",
  settings,
  plan({ heads, hiddenDim }, { keyValueHeads, positions, epsilon, ...settings }) {
    const headDim = hiddenDim / heads;
    return {
      keyValueHeads,
      headDim,
      norm: { kind: "layer", epsilon },
      positions: { kind: "learned", count: positions },
      scoreScale: () => settings.scaledScores ? headDim ** -0.5 : 1,
      residual: "sequential",
      attentionBias: { qkv: true, out: true },
      mlp: { gated: false, activation: settings.activation, bias: true },
      tied: settings.tied,
    };
  },
  huggingFace: {
    modelTypes: ["gpt_bigcode"],
    prefix: "transformer.",
    readShape(config) {
      if (config.flag("add_cross_attention", false)) config.refuse("add_cross_attention", "false");
      const hiddenDim = config.size("n_embd", "hidden_size");
      const heads = config.size("n_head", "num_attention_heads");
      return {
        architecture: "gpt_bigcode",
        layers: config.layers("n_layer", "num_hidden_layers"),
        hiddenDim,
        heads,
        feedForwardDim: config.optionalSize("n_inner") ?? 4 * hiddenDim,
        vocabSize: config.size("vocab_size"),
        settings: {
          keyValueHeads: config.flag("multi_query", true) ? 1 : heads,
          positions: config.size("n_positions", "max_position_embeddings"),
          epsilon: readEpsilon(config, "layer_norm_epsilon", 1e-5),
          activation: readActivation(config, ["activation_function"], "gelu_pytorch_tanh"),
          scaledScores: config.flag("scale_attn_weights", true),
          tied: config.flag("tie_word_embeddings", true),
        },
      };
    },
    source: sourcesByName({ ...gpt2Names, fused: { name: "attn.c_attn", kind: "heads" } }),
    heads: ["lm_head.weight"],
    isUnused: (name) => /^h\.\d+\.attn\.(masked_)?bias$/.test(name),
  },
});
