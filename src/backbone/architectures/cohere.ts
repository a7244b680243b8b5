/** Command R and Aya: Llama with layer norms without biases, one for attention and MLP beside each other, and a factor of the logits. */
import { positiveNumber, trueOrFalse } from "../../declaration/fields.ts";
import type { ConfigReader } from "../config_reader.ts";
import { llamaLike, llamaSettings } from "../llama_like.ts";

export const cohere = llamaLike({
  name: "cohere",
  settings: llamaSettings.extend({
    epsilon: positiveNumber.default(1e-5),
    /** Factor of the logits. */
    logitScale: positiveNumber.default(0.0625),
    tied: trueOrFalse.default(true),
  }),
  plan: (_shape, { epsilon, logitScale }) => ({
    norm: { kind: "layer", epsilon, bias: false },
    residual: "parallel-one-norm",
    logitScale,
  }),
  paired: true,
  absentPositions: 8192,
  epsilonField: "layer_norm_eps",
  readSettings(config) {
    if (config.flag("use_qk_norm", false)) config.refuse("use_qk_norm", "false");
    requireTheta(config);
    const attentionBias = config.flag("attention_bias", false);
    return {
      qkvBias: attentionBias,
      outBias: attentionBias,
      logitScale: config.positiveNumber("logit_scale", 0.0625),
    };
  },
});

/** @throws TypeError where the base of rotary positions is nowhere. */
function requireTheta(config: ConfigReader): void {
  const parts = ["rope_parameters", "rope_scaling"].filter((name) =>
    config.value(name) !== undefined
  );
  const readers = [config, ...parts.map((name) => config.part(name))];
  if (readers.every((reader) => reader.value("rope_theta") === undefined)) {
    config.refuse(
      "rope_theta",
      "numbers, as versions of the official code have different defaults",
    );
  }
}
