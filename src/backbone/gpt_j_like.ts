/**
 * What GPT-J and CodeGen have in common: rotary positions of the first channels of each head, one norm for attention and MLP beside
 * each other, a head with a bias.
 */
import { z } from "zod";
import { positiveNumber, trueOrFalse } from "../declaration/fields.ts";
import type { Architecture } from "./architecture.ts";
import type { ConfigReader } from "./config_reader.ts";
import { activation, decoder } from "./decoder.ts";
import type { FileRows } from "./huggingface_format.ts";
import { readActivation, readEpsilon, sourcesByName } from "./huggingface_settings.ts";
import { rotary } from "./rotary.ts";
import type { BackboneShape } from "./shape.ts";

const settings = z.strictObject({
  epsilon: positiveNumber.default(1e-5),
  activation: activation.default("gelu-tanh"),
  /** Channels of a head that turn; absent: all. */
  rotatedChannels: z.int().positive().multipleOf(2).describe("even numbers from 2").exactOptional(),
  tied: trueOrFalse.default(false),
});

/** How a member differs. */
export interface GptJLike {
  readonly name: string;
  /** Names of the projections within a block of its files. */
  readonly projections: Readonly<Record<"q" | "k" | "v", string>>;
  /** Rows of a projection in the file's tensor, where that has others, too. */
  fusedRows?(projection: "q" | "k" | "v", shape: BackboneShape): FileRows;
  /** What else is refused. */
  check?(config: ConfigReader): void;
}

/** A member of the family. */
export function gptJLike(member: GptJLike): Architecture {
  const { name, projections: { q, k, v } } = member;
  const named = sourcesByName({
    outer: { embeddings: "wte", final_norm: "ln_f", head: "lm_head" },
    block: (index) => `h.${index}.`,
    inner: {
      attention_norm: "ln_1",
      "attention.q": q,
      "attention.k": k,
      "attention.v": v,
      "attention.out": "attn.out_proj",
      "mlp.in": "mlp.fc_in",
      "mlp.out": "mlp.fc_out",
    },
    paired(shape) {
      const { rotatedChannels = shape.hiddenDim / shape.heads } = settings.parse(shape.settings);
      return rotatedChannels;
    },
  });
  return decoder({
    name,
    settings,
    plan({ heads, hiddenDim }, { epsilon, activation, rotatedChannels, tied }) {
      const headDim = hiddenDim / heads;
      return {
        keyValueHeads: heads,
        headDim,
        norm: { kind: "layer", epsilon },
        positions: rotary({ ropeTheta: 10_000, channels: rotatedChannels ?? headDim }),
        residual: "parallel-one-norm",
        attentionBias: { qkv: false, out: false },
        mlp: { gated: false, activation, bias: true },
        tied,
        headBias: true,
      };
    },
    huggingFace: {
      modelTypes: [name],
      prefix: "transformer.",
      readShape(config) {
        const hiddenDim = config.size("n_embd", "hidden_size");
        const rotatedChannels = config.has("rotary_dim") ? config.size("rotary_dim") : 64;
        member.check?.(config);
        if (rotatedChannels % 2 === 1) config.refuse("rotary_dim", "even numbers");
        return {
          architecture: name,
          layers: config.layers("n_layer", "num_hidden_layers"),
          hiddenDim,
          heads: config.size("n_head", "num_attention_heads"),
          feedForwardDim: config.optionalSize("n_inner") ?? 4 * hiddenDim,
          vocabSize: config.size("vocab_size"),
          settings: {
            epsilon: readEpsilon(config, "layer_norm_epsilon", 1e-5),
            activation: readActivation(config, ["activation_function"], "gelu_new"),
            rotatedChannels,
            tied: config.flag("tie_word_embeddings", false),
          },
        };
      },
      source(name, shape) {
        const source = named(name, shape);
        const [, part] = /\.attention\.([qkv])\./.exec(name) ?? [];
        const fused = part && member.fusedRows?.(part as "q" | "k" | "v", shape);
        if (!fused) return source;
        const { at = (row: number) => row } = source.layout?.rows ?? {};
        return { ...source, layout: { rows: { ...fused, at: (row) => fused.at(at(row)) } } };
      },
      heads: ["lm_head.weight"],
      isUnused: (name) => /^h\.\d+\.attn\.((masked_)?bias|causal_mask)$/.test(name),
    },
  });
}
