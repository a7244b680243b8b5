/** Nemotron 4 and Minitron: Llama with layer norms, a plain MLP of squares, and rotary positions of a part of each head's channels. */
import { positiveNumber } from "../../declaration/fields.ts";
import { activation } from "../decoder.ts";
import { readActivation } from "../huggingface_settings.ts";
import { llamaLike, llamaSettings, readAttentionBiases } from "../llama_like.ts";
import { share } from "../rotary.ts";

export const nemotron = llamaLike({
  name: "nemotron",
  settings: llamaSettings.extend({
    epsilon: positiveNumber.default(1e-5),
    activation: activation.default("relu-squared"),
    /** Part of each head's channels that is rotated. */
    rotatedShare: share.default(0.5),
  }),
  plan: (_shape, { epsilon }) => ({ norm: { kind: "layer", epsilon } }),
  plainMlp: true,
  gainsLessOne: true,
  absentPositions: 4096,
  // Official versions differ in whether they read a scaling.
  rope: { scalings: { default: "default" } },
  epsilonField: "norm_eps",
  readActivation: (config) => readActivation(config, ["hidden_act"], "relu2"),
  readSettings(config) {
    return {
      ...readAttentionBiases(config),
      mlpBias: config.flag("mlp_bias", false),
    };
  },
});
