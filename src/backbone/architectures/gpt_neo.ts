/** GPT-Neo: learned positions, scores that are not scaled, and blocks of which some see a sliding window. */
import { z } from "zod";
import { positiveInteger, positiveNumber, trueOrFalse } from "../../declaration/fields.ts";
import { isDeepStrictEqual } from "../../system.ts";
import type { ConfigReader } from "../config_reader.ts";
import { activation, blockNumbers, decoder } from "../decoder.ts";
import { mostLayers } from "../shape.ts";
import { readActivation, readEpsilon, sourcesByName } from "../huggingface_settings.ts";
import { gpt2Names } from "./gpt2.ts";

const settings = z.strictObject({
  /** Positions that are learned: the longest segment, in tokens. */
  positions: positiveInteger.default(2048),
  epsilon: positiveNumber.default(1e-5),
  activation: activation.default("gelu-tanh"),
  /** Tokens that a query sees, itself included; absent: all before it. */
  windowTokens: positiveInteger.exactOptional(),
  /** Blocks whose queries see no more than that; absent: all. */
  windowedBlocks: blockNumbers.exactOptional(),
  tied: trueOrFalse.default(true),
});

export const gptNeo = decoder({
  name: "gpt_neo",
  settings,
  plan({ heads, hiddenDim }, { positions, epsilon, activation, tied, ...settings }) {
    const { windowTokens, windowedBlocks } = settings;
    return {
      keyValueHeads: heads,
      headDim: hiddenDim / heads,
      norm: { kind: "layer", epsilon },
      positions: { kind: "learned", count: positions },
      scoreScale: () => 1,
      residual: "sequential",
      attentionBias: { qkv: false, out: true },
      mlp: { gated: false, activation, bias: true },
      windowTokens: (block) => windowedBlocks?.includes(block) ?? true ? windowTokens : undefined,
      tied,
    };
  },
  huggingFace: {
    modelTypes: ["gpt_neo"],
    prefix: "transformer.",
    readShape(config) {
      const hiddenDim = config.size("hidden_size");
      const layers = config.layers("num_layers", "num_hidden_layers");
      return {
        architecture: "gpt_neo",
        layers,
        hiddenDim,
        heads: config.size("num_heads", "num_attention_heads"),
        feedForwardDim: config.optionalSize("intermediate_size") ?? 4 * hiddenDim,
        vocabSize: config.size("vocab_size"),
        settings: {
          positions: config.size("max_position_embeddings"),
          epsilon: readEpsilon(config, "layer_norm_epsilon", 1e-5),
          activation: readActivation(config, ["activation_function"], "gelu_new"),
          ...readWindows(config, layers),
          tied: config.flag("tie_word_embeddings", true),
        },
      };
    },
    source: sourcesByName({
      ...gpt2Names,
      inner: {
        ...gpt2Names.inner,
        "attention.q": "attn.attention.q_proj",
        "attention.k": "attn.attention.k_proj",
        "attention.v": "attn.attention.v_proj",
        "attention.out": "attn.attention.out_proj",
      },
    }),
    heads: ["lm_head.weight"],
    isUnused: (name) => /^h\.\d+\.attn\.attention\.(masked_)?bias$/.test(name),
  },
});

const kinds = z.array(z.enum(["global", "local"]));
const runs = z.array(z.tuple([kinds, z.int().nonnegative().max(mostLayers)]));

/** The window of "local" blocks, of which `attention_types` has runs that repeat. */
function readWindows(
  config: ConfigReader,
  layers: number,
): { windowTokens?: number; windowedBlocks?: number[] } {
  const types = "attention_types", expanded = "attention_layers";
  const read = runs.safeParse(config.value(types) ?? [[["global", "local"], 12]]);
  const found = read.data?.flatMap(([kinds, times]) => Array(times).fill(kinds).flat());
  if (found?.length !== layers) {
    config.refuse(
      types,
      `lists of "global", "local" and how often these repeat, for ${layers} blocks`,
    );
  }
  // The older official code takes this, where it is there, the newer one makes it from the other.
  if (!isDeepStrictEqual(config.value(expanded) ?? found, found)) {
    config.refuse(expanded, `what ${types} says`);
  }
  const windowedBlocks = found.flatMap((kind, i) => kind === "local" ? [i] : []);
  const windowTokens = config.optionalSize("window_size") ?? 256;
  return windowedBlocks.length > 0 ? { windowTokens, windowedBlocks } : {};
}
