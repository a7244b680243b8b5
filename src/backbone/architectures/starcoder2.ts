/** StarCoder 2: Llama with layer norms, biases, a plain MLP and a sliding window. */
import { positiveNumber, trueOrFalse } from "../../declaration/fields.ts";
import { activation } from "../decoder.ts";
import { readActivation } from "../huggingface_settings.ts";
import { llamaLike, llamaSettings, readWindowTokens, windowSettings } from "../llama_like.ts";

/** StarCoder 2. */
export const starCoder2 = llamaLike({
  name: "starcoder2",
  settings: llamaSettings.extend({
    epsilon: positiveNumber.default(1e-5),
    activation: activation.default("gelu-tanh"),
    qkvBias: trueOrFalse.default(true),
    outBias: trueOrFalse.default(true),
    mlpBias: trueOrFalse.default(true),
    tied: trueOrFalse.default(true),
  }),
  plan: (_shape, { epsilon }) => ({ norm: { kind: "layer", epsilon } }),
  plainMlp: true,
  names: { "mlp.in": "mlp.c_fc", "mlp.out": "mlp.c_proj" },
  absentKeyValueHeads: 2,
  absentPositions: 4096,
  epsilonField: "norm_epsilon",
  readActivation: (config) => readActivation(config, ["hidden_act"], "gelu_pytorch_tanh"),
  readSettings(config, layers) {
    const bias = config.flag("use_bias", true);
    return {
      qkvBias: bias,
      outBias: bias,
      mlpBias: bias,
      ...windowSettings(config, { windowTokens: readWindowTokens(config), layers }),
    };
  },
});
