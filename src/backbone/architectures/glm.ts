/**
 * GLM-4 of 2024 and of 2025 (GLM-4-0414): Llama whose rotated channels are a part of each head's and lie in pairs, with biases of
 * queries, keys and values; the later with norms behind attention and MLP, too.
 */
import { positiveNumber, trueOrFalse } from "../../declaration/fields.ts";
import { type LlamaLike, llamaLike, llamaSettings } from "../llama_like.ts";
import { share } from "../rotary.ts";

const settings = llamaSettings.extend({
  epsilon: positiveNumber.default(1.5625e-7),
  /** Part of each head's channels that is rotated. */
  rotatedShare: share.default(0.5),
  qkvBias: trueOrFalse.default(true),
});

const common = {
  settings,
  paired: true,
  fused: { fusedGate: "mlp.gate_up_proj" },
  absentKeyValueHeads: 2,
  absentHeadDim: 128,
  absentPositions: 131_072,
  readSettings: (config) => ({ qkvBias: config.flag("attention_bias", true) }),
} satisfies Partial<LlamaLike<typeof settings>>;

/** GLM-4 of 2024, whose format is called GLM. */
export const glm = llamaLike({ name: "glm", ...common });

/** GLM-4-0414. */
export const glm4 = llamaLike({
  name: "glm4",
  ...common,
  plan: () => ({ norms: "both" }),
  names: {
    attention_output_norm: "post_self_attn_layernorm",
    mlp_output_norm: "post_mlp_layernorm",
  },
});
