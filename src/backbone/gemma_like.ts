/** What Gemma's models have in common beside Llama's parts: embeddings that are scaled by the root of their width, another activation, a tied head. */
import type { z } from "zod";
import { trueOrFalse } from "../declaration/fields.ts";
import type { Architecture } from "./architecture.ts";
import { activation } from "./decoder.ts";
import { readActivation } from "./huggingface_settings.ts";
import { type LlamaLike, llamaLike, llamaSettings, readAttentionBiases } from "./llama_like.ts";

/** Settings of the family. */
export const gemmaSettings = llamaSettings.extend({
  activation: activation.default("gelu-tanh"),
  tied: trueOrFalse.default(true),
});

/** Names of the norms of a block that stand on both sides of attention and MLP. */
export const normsOnBothSides = {
  "attention_norm": "input_layernorm",
  "attention_output_norm": "post_attention_layernorm",
  "mlp_norm": "pre_feedforward_layernorm",
  "mlp_output_norm": "post_feedforward_layernorm",
};

/** A member of the family. */
export function gemmaLike<Settings extends z.ZodObject = typeof gemmaSettings>(
  member: LlamaLike<Settings>,
): Architecture {
  return llamaLike({
    absentHeadDim: 256,
    absentPositions: 8192,
    gainsLessOne: true,
    // The older name is read where the newer is absent or null; what it says beside it decides nothing.
    readActivation(config) {
      const isThere = config.value("hidden_activation") !== undefined;
      const field = isThere ? "hidden_activation" : "hidden_act";
      return readActivation(config, [field], "gelu_pytorch_tanh");
    },
    ...member,
    settings: member.settings ?? gemmaSettings as z.ZodObject as Settings,
    plan: (shape, settings, parts) => ({
      embeddingScale: Math.sqrt(shape.hiddenDim),
      ...member.plan?.(shape, settings, parts),
    }),
    readSettings(config, layers) {
      if (config.flag("use_bidirectional_attention", false)) {
        config.refuse("use_bidirectional_attention", "false");
      }
      return { ...readAttentionBiases(config), ...member.readSettings?.(config, layers) };
    },
  });
}
