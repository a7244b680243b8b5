/** Falcon: rotary positions, one or several heads of keys, attention and MLP beside each other in most models. */
import { z } from "zod";
import { oneOf, positiveInteger, positiveNumber, trueOrFalse } from "../../declaration/fields.ts";
import type { ConfigReader } from "../config_reader.ts";
import { activation, decoder, type DecoderPlan } from "../decoder.ts";
import {
  isRotaryBuffer,
  readActivation,
  readEpsilon,
  readRope,
  sourcesByName,
} from "../huggingface_settings.ts";
import { ropeScaling, rotary } from "../rotary.ts";

const settings = z.strictObject({
  /** Heads of keys and values. */
  keyValueHeads: positiveInteger.default(1),
  epsilon: positiveNumber.default(1e-5),
  activation: activation.default("gelu"),
  ropeTheta: positiveNumber.default(10_000),
  ropeScaling: ropeScaling.exactOptional(),
  /** Whether the MLP reads the stream after the attention, or beside it, where the two may share a norm. */
  residual: oneOf("sequential", "parallel", "parallel-one-norm").default("parallel-one-norm"),
  /** Biases of all linear maps but the head. */
  bias: trueOrFalse.default(false),
  tied: trueOrFalse.default(true),
});

const norms: Readonly<Record<DecoderPlan["residual"], Readonly<Record<string, string>>>> = {
  sequential: { attention_norm: "input_layernorm", mlp_norm: "post_attention_layernorm" },
  parallel: { attention_norm: "ln_attn", mlp_norm: "ln_mlp" },
  "parallel-one-norm": { attention_norm: "input_layernorm" },
};

export const falcon = decoder({
  name: "falcon",
  settings,
  plan({ heads, hiddenDim }, { ropeTheta, ropeScaling, bias, ...settings }) {
    const headDim = hiddenDim / heads;
    return {
      keyValueHeads: settings.keyValueHeads,
      headDim,
      norm: { kind: "layer", epsilon: settings.epsilon },
      positions: rotary({ ropeTheta, ropeScaling, channels: headDim }),
      residual: settings.residual,
      attentionBias: { qkv: bias, out: bias },
      mlp: { gated: false, activation: settings.activation, bias },
      tied: settings.tied,
    };
  },
  huggingFace: {
    modelTypes: ["falcon"],
    prefix: "transformer.",
    readShape(config) {
      // The official code rounds it to bfloat16, so that it is of places and not of distances.
      if (config.flag("alibi", false)) config.refuse("alibi", "false");
      const hiddenDim = config.size("hidden_size", "n_embed");
      const heads = config.size("num_attention_heads");
      return {
        architecture: "falcon",
        layers: config.layers("num_hidden_layers"),
        hiddenDim,
        heads,
        feedForwardDim: config.optionalSize("ffn_hidden_size") ?? 4 * hiddenDim,
        vocabSize: config.size("vocab_size"),
        settings: {
          ...readGeneration(config, heads),
          epsilon: readEpsilon(config, "layer_norm_epsilon", 1e-5),
          activation: readActivation(config, ["activation"], "gelu"),
          ...readRope(config),
          bias: config.flag("bias", false),
          tied: config.flag("tie_word_embeddings", true),
        },
      };
    },
    source(name, shape) {
      const { residual } = settings.parse(shape.settings);
      return sourcesByName({
        outer: { embeddings: "word_embeddings", final_norm: "ln_f", head: "lm_head" },
        block: (index) => `h.${index}.`,
        inner: {
          ...norms[residual],
          "attention.out": "self_attention.dense",
          "mlp.in": "mlp.dense_h_to_4h",
          "mlp.out": "mlp.dense_4h_to_h",
        },
        fused: { name: "self_attention.query_key_value", kind: "heads" },
      })(name, shape);
    },
    heads: ["lm_head.weight"],
    isUnused: isRotaryBuffer,
  },
});

/** Heads of keys and the place of the norms: of the newer models (40B and 180B), or the older. */
function readGeneration(
  config: ConfigReader,
  heads: number,
): { keyValueHeads: number; residual: DecoderPlan["residual"] } {
  const isParallel = config.flag("parallel_attn", true), norms = "num_ln_in_parallel_attn";
  const keyValueHeads = config.optionalSize("num_kv_heads") ?? heads;
  const newer = "new_decoder_architecture", normsEach = config.optionalSize(norms);
  if (config.flag(newer, false)) {
    if (!isParallel) config.refuse("parallel_attn", `true with ${newer}`);
    if (normsEach !== undefined && normsEach > 2) config.refuse(norms, "1, 2");
    return { keyValueHeads, residual: normsEach === 1 ? "parallel-one-norm" : "parallel" };
  }
  if (normsEach === 2 && isParallel) config.refuse(norms, `1 without ${newer}`);
  const residual = isParallel ? "parallel-one-norm" : "sequential";
  if (config.flag("multi_query", true)) return { keyValueHeads: 1, residual };
  if (keyValueHeads !== heads) {
    config.refuse("num_kv_heads", `${heads}, as num_attention_heads says`);
  }
  return { keyValueHeads, residual };
}
