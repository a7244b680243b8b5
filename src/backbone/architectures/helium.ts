/** Helium: Llama whose rotated channels lie in pairs. */
import { positiveNumber } from "../../declaration/fields.ts";
import { llamaLike, llamaSettings } from "../llama_like.ts";

export const helium = llamaLike({
  name: "helium",
  settings: llamaSettings.extend({
    epsilon: positiveNumber.default(1e-8),
    ropeTheta: positiveNumber.default(100_000),
  }),
  paired: true,
  absentKeyValueHeads: 20,
  absentHeadDim: 128,
  absentPositions: 4096,
  readSettings: (config) => ({
    qkvBias: config.flag("attention_bias", false),
    mlpBias: config.flag("mlp_bias", false),
  }),
});
