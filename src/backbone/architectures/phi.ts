/** Phi-1, 1.5 and 2: rotary positions of a part of each head's channels, one norm for attention and MLP, and biases everywhere. */
import { z } from "zod";
import { positiveInteger, positiveNumber, trueOrFalse } from "../../declaration/fields.ts";
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
  /** Heads of keys and values; absent: as many as of queries. */
  keyValueHeads: positiveInteger.exactOptional(),
  epsilon: positiveNumber.default(1e-5),
  activation: activation.default("gelu-tanh"),
  ropeTheta: positiveNumber.default(10_000),
  ropeScaling: ropeScaling.exactOptional(),
  /** Part of each head's channels that is rotated. */
  rotatedShare: share.default(0.5),
  /** Whether queries and keys have a norm for each head. */
  headNorms: trueOrFalse.default(false),
  tied: trueOrFalse.default(false),
});

export const phi = decoder({
  name: "phi",
  settings,
  plan({ heads, hiddenDim }, { ropeTheta, ropeScaling, rotatedShare, ...settings }) {
    const headDim = hiddenDim / heads;
    return {
      keyValueHeads: settings.keyValueHeads ?? heads,
      headDim,
      norm: { kind: "layer", epsilon: settings.epsilon },
      positions: rotary({
        ropeTheta,
        ropeScaling,
        channels: rotatedChannels(headDim, rotatedShare),
      }),
      residual: "parallel-one-norm",
      attentionBias: { qkv: true, out: true },
      ...(settings.headNorms && { queryKeyNorms: "of each head" }),
      mlp: { gated: false, activation: settings.activation, bias: true },
      tied: settings.tied,
      headBias: true,
    };
  },
  huggingFace: {
    modelTypes: ["phi"],
    prefix: "model.",
    readShape(config) {
      const hiddenDim = config.size("hidden_size"), heads = config.size("num_attention_heads");
      const headDim = hiddenDim / heads;
      if ((config.optionalSize("head_dim") ?? headDim) !== headDim) {
        config.refuse("head_dim", `${headDim}, as hidden_size and num_attention_heads say`);
      }
      const rope = readRope(config, { absentShare: 0.5 });
      if (rotatedChannels(headDim, rope.rotatedShare) % 2 === 1) {
        config.refuse(
          "partial_rotary_factor",
          "those that rotate an even number of each head's channels",
        );
      }
      return {
        architecture: "phi",
        layers: config.layers("num_hidden_layers"),
        hiddenDim,
        heads,
        feedForwardDim: config.size("intermediate_size"),
        vocabSize: config.size("vocab_size"),
        settings: {
          keyValueHeads: config.optionalSize("num_key_value_heads") ?? heads,
          epsilon: readEpsilon(config, "layer_norm_eps", 1e-5),
          activation: readActivation(config, ["hidden_act"], "gelu_new"),
          ...rope,
          headNorms: config.flag("qk_layernorm", false),
          tied: config.flag("tie_word_embeddings", false),
        },
      };
    },
    source: sourcesByName({
      outer: { embeddings: "embed_tokens", final_norm: "final_layernorm", head: "lm_head" },
      block: (index) => `layers.${index}.`,
      inner: {
        attention_norm: "input_layernorm",
        "attention.q": "self_attn.q_proj",
        "attention.k": "self_attn.k_proj",
        "attention.v": "self_attn.v_proj",
        "attention.q_norm": "self_attn.q_layernorm",
        "attention.k_norm": "self_attn.k_layernorm",
        "attention.out": "self_attn.dense",
        "mlp.in": "mlp.fc1",
        "mlp.out": "mlp.fc2",
      },
    }),
    heads: ["lm_head.weight"],
    isUnused: isRotaryBuffer,
  },
});
