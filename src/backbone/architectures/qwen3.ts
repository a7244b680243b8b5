/** Qwen 3: Llama with a norm of each head's queries and keys, and heads whose width is a setting of its own. */
import { llamaLike, readAttentionBiases, readQwenWindow } from "../llama_like.ts";

/** Qwen 3. */
export const qwen3 = llamaLike({
  name: "qwen3",
  plan: () => ({ queryKeyNorms: "of each head" }),
  absentKeyValueHeads: 32,
  absentPositions: 32_768,
  absentHeadDim: 128,
  readSettings: (config, layers) => ({
    ...readAttentionBiases(config),
    ...readQwenWindow(config, layers),
  }),
});
