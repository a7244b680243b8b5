/** GPT-NeoX and Pythia: rotary positions of a part of each head's channels, attention and MLP beside each other. */
import { z } from "zod";
import { positiveNumber, trueOrFalse } from "../../declaration/fields.ts";
import { activation, decoder } from "../decoder.ts";
import {
  isRotaryBuffer,
  readActivation,
  readEpsilon,
  readRope,
  sourcesByName,
} from "../huggingface_settings.ts";
import { ropeScaling, rotary, rotatedChannels, share } from "../rotary.ts";

const settings = z.strictObject({
  epsilon: positiveNumber.default(1e-5),
  activation: activation.default("gelu"),
  ropeTheta: positiveNumber.default(10_000),
  ropeScaling: ropeScaling.exactOptional(),
  /** Part of each head's channels that is rotated. */
  rotatedShare: share.default(0.25),
  /** Whether attention and MLP read the same stream. */
  parallel: trueOrFalse.default(true),
  attentionBias: trueOrFalse.default(true),
  tied: trueOrFalse.default(false),
});

export const gptNeoX = decoder({
  name: "gpt_neox",
  settings,
  plan({ heads, hiddenDim }, { ropeTheta, ropeScaling, rotatedShare, ...settings }) {
    const headDim = hiddenDim / heads;
    return {
      keyValueHeads: heads,
      headDim,
      norm: { kind: "layer", epsilon: settings.epsilon },
      positions: rotary({
        ropeTheta,
        ropeScaling,
        channels: rotatedChannels(headDim, rotatedShare),
      }),
      residual: settings.parallel ? "parallel" : "sequential",
      attentionBias: { qkv: settings.attentionBias, out: settings.attentionBias },
      mlp: { gated: false, activation: settings.activation, bias: true },
      tied: settings.tied,
    };
  },
  huggingFace: {
    modelTypes: ["gpt_neox"],
    prefix: "gpt_neox.",
    readShape(config) {
      const hiddenDim = config.size("hidden_size"), heads = config.size("num_attention_heads");
      const rope = readRope(config, {
        theta: "rotary_emb_base",
        share: "rotary_pct",
        absentShare: 0.25,
      });
      // For an odd number the official code computes something else, or nothing.
      if (
        rope.ropeScaling?.kind === "yarn" &&
        rotatedChannels(hiddenDim / heads, rope.rotatedShare) % 2 === 1
      ) {
        config.refuse(
          "hidden_size",
          "those of which yarn rotates an even number of each head's channels",
        );
      }
      return {
        architecture: "gpt_neox",
        layers: config.layers("num_hidden_layers"),
        hiddenDim,
        heads,
        feedForwardDim: config.size("intermediate_size"),
        vocabSize: config.size("vocab_size"),
        settings: {
          epsilon: readEpsilon(config, "layer_norm_eps", 1e-5),
          activation: readActivation(config, ["hidden_act"], "gelu"),
          ...rope,
          parallel: config.flag("use_parallel_residual", true),
          attentionBias: config.flag("attention_bias", true),
          tied: config.flag("tie_word_embeddings", false),
        },
      };
    },
    source: sourcesByName({
      outer: { embeddings: "embed_in", final_norm: "final_layer_norm", head: "embed_out" },
      block: (index) => `layers.${index}.`,
      inner: {
        attention_norm: "input_layernorm",
        "attention.out": "attention.dense",
        mlp_norm: "post_attention_layernorm",
        "mlp.in": "mlp.dense_h_to_4h",
        "mlp.out": "mlp.dense_4h_to_h",
      },
      fused: { name: "attention.query_key_value", kind: "heads" },
    }),
    heads: ["embed_out.weight", "lm_head.weight"],
    isUnused: (name) => isRotaryBuffer(name) || /\.attention\.(masked_)?bias$/.test(name),
  },
});
