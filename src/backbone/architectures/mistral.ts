/** Mistral: Llama whose queries see a sliding window. */
import { llamaLike, readWindowTokens, windowSettings } from "../llama_like.ts";

export const mistral = llamaLike({
  name: "mistral",
  absentKeyValueHeads: 8,
  absentPositions: 131_072,
  readSettings: (config, layers) =>
    windowSettings(config, { windowTokens: readWindowTokens(config, 4096), layers }),
});
