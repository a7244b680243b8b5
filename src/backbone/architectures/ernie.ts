/** ERNIE 4.5, its dense models: Llama whose rotated channels lie in pairs. */
import { positiveNumber, trueOrFalse } from "../../declaration/fields.ts";
import { llamaLike, llamaSettings } from "../llama_like.ts";

export const ernie = llamaLike({
  name: "ernie4_5",
  settings: llamaSettings.extend({
    epsilon: positiveNumber.default(1e-5),
    ropeTheta: positiveNumber.default(500_000),
    tied: trueOrFalse.default(true),
  }),
  paired: true,
  absentKeyValueHeads: 2,
  absentHeadDim: 128,
  absentPositions: 131_072,
  readSettings(config) {
    const bias = config.flag("use_bias", false);
    return { qkvBias: bias, outBias: bias, mlpBias: bias };
  },
});
