/** Qwen 2 and 2.5: Llama with biases of queries, keys and values, and a sliding window in some blocks if at all. */
import { trueOrFalse } from "../../declaration/fields.ts";
import { llamaLike, llamaSettings, readQwenWindow } from "../llama_like.ts";

/** Qwen 2. */
export const qwen2 = llamaLike({
  name: "qwen2",
  settings: llamaSettings.extend({ qkvBias: trueOrFalse.default(true) }),
  absentKeyValueHeads: 32,
  absentPositions: 32_768,
  readSettings: (config, layers) => ({ qkvBias: true, ...readQwenWindow(config, layers) }),
});
