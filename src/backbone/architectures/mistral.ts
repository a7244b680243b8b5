/** Mistral: Llama whose queries see a sliding window. */
import { llamaLike, readWindowedBlocks } from "../llama_like.ts";

/** Mistral. */
export const mistral = llamaLike({
  name: "mistral",
  absentKeyValueHeads: 8,
  readSettings(config, layers) {
    const windowTokens = config.has("sliding_window")
      ? config.optionalSize("sliding_window")
      : 4096;
    const windowedBlocks = readWindowedBlocks(config, layers);
    if (windowTokens === undefined) return {};
    return { windowTokens, ...(windowedBlocks ? { windowedBlocks } : {}) };
  },
});
