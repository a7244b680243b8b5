/** OPT: learned positions, LayerNorms before attention and MLP, and the table of embeddings as head. */
import { z } from "zod";
import { positiveInteger, trueOrFalse } from "../../declaration/fields.ts";
import { activation, decoder } from "../decoder.ts";
import { readActivation, sourcesByName } from "../huggingface_settings.ts";

const settings = z.strictObject({
  /** Positions that are learned: the longest segment, in tokens. */
  positions: positiveInteger.default(2048),
  activation: activation.default("relu"),
  /** Biases of all linear maps but the head. */
  bias: trueOrFalse.default(true),
  /** Whether norms have gains and biases. */
  learnedNorms: trueOrFalse.default(true),
  tied: trueOrFalse.default(true),
});

/** The official code has no setting for it. */
const epsilon = 1e-5;
/** Rows before the first position in files. */
const firstPosition = 2;

const named = sourcesByName({
  outer: {
    embeddings: "decoder.embed_tokens",
    positions: "decoder.embed_positions",
    final_norm: "decoder.final_layer_norm",
    head: "lm_head",
  },
  block: (index) => `decoder.layers.${index}.`,
  inner: {
    attention_norm: "self_attn_layer_norm",
    "attention.q": "self_attn.q_proj",
    "attention.k": "self_attn.k_proj",
    "attention.v": "self_attn.v_proj",
    "attention.out": "self_attn.out_proj",
    mlp_norm: "final_layer_norm",
    "mlp.in": "fc1",
    "mlp.out": "fc2",
  },
});

export const opt = decoder({
  name: "opt",
  settings,
  plan: ({ heads, hiddenDim }, { positions, activation, bias, learnedNorms, tied }) => ({
    keyValueHeads: heads,
    headDim: hiddenDim / heads,
    norm: { kind: "layer", epsilon, learned: learnedNorms ? "gain and bias" : "nothing" },
    positions: { kind: "learned", count: positions },
    residual: "sequential",
    attentionBias: { qkv: bias, out: bias },
    mlp: { gated: false, activation, bias },
    tied,
  }),
  huggingFace: {
    modelTypes: ["opt"],
    prefix: "model.",
    readShape(config) {
      const hiddenDim = config.size("hidden_size");
      if (!config.flag("do_layer_norm_before", true)) config.refuse("do_layer_norm_before", "true");
      if (config.flag("_remove_final_layer_norm", false)) {
        config.refuse("_remove_final_layer_norm", "false");
      }
      if ((config.optionalSize("word_embed_proj_dim") ?? hiddenDim) !== hiddenDim) {
        config.refuse("word_embed_proj_dim", `${hiddenDim}, as hidden_size says`);
      }
      return {
        architecture: "opt",
        layers: config.layers("num_hidden_layers"),
        hiddenDim,
        heads: config.size("num_attention_heads"),
        feedForwardDim: config.size("ffn_dim"),
        vocabSize: config.size("vocab_size"),
        settings: {
          positions: config.size("max_position_embeddings"),
          activation: readActivation(config, ["activation_function"], "relu"),
          bias: config.flag("enable_bias", true),
          learnedNorms: config.flag("layer_norm_elementwise_affine", true),
          tied: config.flag("tie_word_embeddings", true),
        },
      };
    },
    source(name, shape) {
      const source = named(name, shape);
      if (name !== "positions.weight") return source;
      const { positions } = settings.parse(shape.settings);
      const rows = {
        count: firstPosition + positions,
        at: (position: number) => firstPosition + position,
      };
      return { ...source, layout: { rows } };
    },
    heads: ["lm_head.weight"],
    isUnused: () => false,
  },
});
