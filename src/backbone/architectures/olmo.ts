/** OLMo of 2024: Llama whose norms learn nothing. */
import { positiveNumber } from "../../declaration/fields.ts";
import { llamaLike, llamaSettings, readAttentionBiases } from "../llama_like.ts";

/** The official code has no setting for it. */
const epsilon = 1e-5;

export const olmo = llamaLike({
  name: "olmo",
  settings: llamaSettings.extend({
    epsilon: positiveNumber.default(epsilon),
    /** The largest absolute value of queries, keys and values; absent: there is none. */
    projectionLimit: positiveNumber.exactOptional(),
  }),
  plan: (_shape, { epsilon, projectionLimit }) => ({
    norm: { kind: "layer", epsilon, learned: "nothing" },
    projectionLimit,
  }),
  readSettings(config) {
    return {
      epsilon,
      ...readAttentionBiases(config),
      ...(config.value("clip_qkv") !== undefined &&
        { projectionLimit: config.requiredPositiveNumber("clip_qkv") }),
    };
  },
});
