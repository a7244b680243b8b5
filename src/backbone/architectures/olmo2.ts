/** OLMo 2: Llama whose norms stand after attention and MLP, with a norm of all queries and one of all keys of a token. */
import { positiveNumber } from "../../declaration/fields.ts";
import { llamaLike, llamaSettings } from "../llama_like.ts";

/** OLMo 2. */
export const olmo2 = llamaLike({
  name: "olmo2",
  settings: llamaSettings.extend({ epsilon: positiveNumber.default(1e-5) }),
  plan: () => ({ norms: "after", queryKeyNorms: "of all heads" }),
  names: {
    "attention_output_norm": "post_attention_layernorm",
    "mlp_output_norm": "post_feedforward_layernorm",
  },
  readSettings(config) {
    const attentionBias = config.flag("attention_bias", false);
    return { qkvBias: attentionBias, outBias: attentionBias };
  },
});
