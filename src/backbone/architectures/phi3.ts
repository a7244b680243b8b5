/**
 * Phi-3, Phi-3.5 and Phi-4: Llama with a sliding window, of Phi-4-mini a part of the channels that turns, and fused tensors. Segments
 * are no longer than before a LongRoPE scaling.
 */
import { positiveNumber } from "../../declaration/fields.ts";
import { llamaLike, llamaSettings, readWindowTokens, windowSettings } from "../llama_like.ts";
import { share } from "../rotary.ts";

/** Phi-3 and Phi-4. */
export const phi3 = llamaLike({
  name: "phi3",
  settings: llamaSettings.extend({
    epsilon: positiveNumber.default(1e-5),
    /** Part of each head's channels that is rotated. */
    rotatedShare: share.default(1),
  }),
  fused: { fused: { name: "self_attn.qkv_proj", kind: "parts" }, fusedGate: "mlp.gate_up_proj" },
  absentPositions: 4096,
  rope: {
    absentOriginalPositions: 4096,
    // Earlier files have two other names for LongRoPE.
    scalings: { default: "default", longrope: "longrope", su: "longrope", yarn: "longrope" },
  },
  readSettings: (config, layers) =>
    windowSettings(config, { windowTokens: readWindowTokens(config), layers }),
});
