/** Arcee's AFM: Llama with a plain MLP of squares. */
import { positiveNumber } from "../../declaration/fields.ts";
import { activation } from "../decoder.ts";
import { readActivation } from "../huggingface_settings.ts";
import { llamaLike, llamaSettings, readAttentionBiases } from "../llama_like.ts";

export const arcee = llamaLike({
  name: "arcee",
  settings: llamaSettings.extend({
    epsilon: positiveNumber.default(1e-5),
    activation: activation.default("relu-squared"),
  }),
  plainMlp: true,
  absentPositions: 4096,
  readActivation: (config) => readActivation(config, ["hidden_act"], "relu2"),
  readSettings(config) {
    return {
      ...readAttentionBiases(config),
      mlpBias: config.flag("mlp_bias", false),
    };
  },
});
