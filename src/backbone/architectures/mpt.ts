/** MPT: ALiBi, and neither norms nor linear maps have biases. */
import { z } from "zod";
import { positiveNumber, trueOrFalse } from "../../declaration/fields.ts";
import type { ConfigReader } from "../config_reader.ts";
import { decoder } from "../decoder.ts";
import { readEpsilon, sourcesByName } from "../huggingface_settings.ts";

const settings = z.strictObject({
  epsilon: positiveNumber.default(1e-5),
  /** Factor of the scores; absent: the inverse square root of a head's channels. */
  scoreScale: positiveNumber.exactOptional(),
  /** The largest absolute value of queries, keys and values; absent: there is none. */
  projectionLimit: positiveNumber.exactOptional(),
  tied: trueOrFalse.default(true),
});

export const mpt = decoder({
  name: "mpt",
  settings,
  plan({ heads, hiddenDim }, { epsilon, scoreScale, projectionLimit, tied }) {
    const headDim = hiddenDim / heads;
    return {
      keyValueHeads: heads,
      headDim,
      norm: { kind: "layer", epsilon, learned: "gain" },
      positions: { kind: "alibi" },
      scoreScale: () => scoreScale ?? headDim ** -0.5,
      projectionLimit,
      residual: "sequential",
      attentionBias: { qkv: false, out: false },
      mlp: { gated: false, activation: "gelu", bias: false },
      tied,
    };
  },
  huggingFace: {
    modelTypes: ["mpt"],
    prefix: "transformer.",
    readShape(config) {
      refuseUnread(config);
      const hiddenDim = config.size("d_model", "hidden_size");
      return {
        architecture: "mpt",
        layers: config.layers("n_layers", "num_hidden_layers"),
        hiddenDim,
        heads: config.size("n_heads", "num_attention_heads"),
        feedForwardDim: 4 * hiddenDim,
        vocabSize: config.size("vocab_size"),
        settings: {
          epsilon: readEpsilon(config, "layer_norm_epsilon", 1e-5),
          ...(config.value("attn_config") === undefined
            ? {}
            : readAttention(config.part("attn_config"))),
          tied: config.flag("tie_word_embeddings", true),
        },
      };
    },
    source: sourcesByName({
      outer: { embeddings: "wte", final_norm: "norm_f", head: "lm_head" },
      block: (index) => `blocks.${index}.`,
      inner: {
        attention_norm: "norm_1",
        "attention.out": "attn.out_proj",
        mlp_norm: "norm_2",
        "mlp.in": "ffn.up_proj",
        "mlp.out": "ffn.down_proj",
      },
      fused: { name: "attn.Wqkv", kind: "parts" },
    }),
    heads: ["lm_head.weight"],
    isUnused: () => false,
  },
});

/** Refuses what the model's first code could do, and the official code does not read. */
function refuseUnread(config: ConfigReader): void {
  if (config.value("logit_scale") !== undefined) config.refuse("logit_scale", "null");
  if (!config.flag("no_bias", true)) config.refuse("no_bias", "true");
  if ((config.optionalSize("expansion_ratio") ?? 4) !== 4) config.refuse("expansion_ratio", "4");
  refuseOther(config, "norm_type", ["low_precision_layernorm", "layernorm"]);
  if (config.value("ffn_config") !== undefined) {
    refuseOther(config.part("ffn_config"), "ffn_type", ["mptmlp"]);
  }
}

function readAttention(
  attention: ConfigReader,
): { scoreScale?: number; projectionLimit?: number } {
  refuseOther(attention, "attn_type", ["multihead_attention"]);
  if (!attention.flag("alibi", true)) attention.refuse("alibi", "true");
  for (const name of ["prefix_lm", "qk_ln", "rope"]) {
    if (attention.flag(name, false)) attention.refuse(name, "false");
  }
  if (attention.positiveNumber("alibi_bias_max", 8) !== 8) attention.refuse("alibi_bias_max", "8");
  const window = "sliding_window_size";
  if ((attention.value(window) ?? -1) !== -1) attention.refuse(window, "-1");
  const has = (name: string) => Boolean(attention.value(name)); // 0 is as if absent
  return {
    ...(attention.value("softmax_scale") !== undefined &&
      { scoreScale: attention.requiredPositiveNumber("softmax_scale") }),
    ...(has("clip_qkv") && { projectionLimit: attention.requiredPositiveNumber("clip_qkv") }),
  };
}

/** Refuses words but those; the first is the default. */
function refuseOther(config: ConfigReader, name: string, allowed: readonly string[]): void {
  if (allowed.includes(config.word(name, allowed[0]))) return;
  config.refuse(name, allowed.map((word) => `"${word}"`).join(", "));
}
