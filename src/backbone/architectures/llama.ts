/** Llama 1 to 3.2, and models of the same format. */
import { llamaLike, readAttentionBiases, windowSettings } from "../llama_like.ts";

export const llama = llamaLike({
  name: "llama",
  readSettings(config, layers) {
    return {
      ...readAttentionBiases(config),
      mlpBias: config.flag("mlp_bias", false),
      ...windowSettings(config, { windowTokens: undefined, layers }),
    };
  },
});
