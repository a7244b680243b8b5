/**
 * StableLM and StableLM 2: Llama with layer norms and rotary positions of a part of each head's channels; in some models one norm
 * for attention and MLP beside each other. The 12B model's norms of queries and keys are not followed.
 */
import { positiveNumber, trueOrFalse } from "../../declaration/fields.ts";
import { llamaLike, llamaSettings } from "../llama_like.ts";
import { share } from "../rotary.ts";

/** StableLM. */
export const stableLm = llamaLike({
  name: "stablelm",
  settings: llamaSettings.extend({
    epsilon: positiveNumber.default(1e-5),
    /** Part of each head's channels that is rotated. */
    rotatedShare: share.default(0.25),
    /** Whether attention and MLP read the same norm. */
    parallel: trueOrFalse.default(false),
  }),
  plan: (_shape, { epsilon, parallel }) => ({
    norm: { kind: "layer", epsilon },
    residual: parallel ? "parallel-one-norm" : "sequential",
  }),
  absentKeyValueHeads: 32,
  absentPositions: 4096,
  epsilonField: "layer_norm_eps",
  readSettings(config) {
    if (config.flag("qk_layernorm", false)) config.refuse("qk_layernorm", "false");
    return {
      qkvBias: config.flag("use_qkv_bias", false),
      parallel: config.flag("use_parallel_residual", false),
    };
  },
});
