/** Llama 1 to 3.2, and models of the same format: linear and Llama 3's scaling of rotary positions. */
import { llamaLike, windowSettings } from "../llama_like.ts";

export const llama = llamaLike({
  name: "llama",
  readSettings(config, layers) {
    const attentionBias = config.flag("attention_bias", false);
    return {
      qkvBias: attentionBias,
      outBias: attentionBias,
      mlpBias: config.flag("mlp_bias", false),
      ...windowSettings(config, { windowTokens: undefined, layers }),
    };
  },
});
