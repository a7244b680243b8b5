/** Command R and Aya: Llama with layer norms without biases, one for attention and MLP beside each other, and a factor of the logits. */
import { positiveNumber, trueOrFalse } from "../../declaration/fields.ts";
import type { ConfigReader } from "../config_reader.ts";
import { ropeParts } from "../huggingface_settings.ts";
import {
  type LlamaLike,
  llamaLike,
  llamaSettings,
  patternedWindows,
  readAttentionBiases,
} from "../llama_like.ts";
import { rotaryOfBlocks } from "../rotary.ts";

const settings = llamaSettings.extend({
  epsilon: positiveNumber.default(1e-5),
  /** Factor of the logits. */
  logitScale: positiveNumber.default(0.0625),
  tied: trueOrFalse.default(true),
});

const common = {
  settings,
  plan: (_shape, { epsilon, logitScale }) => ({
    norm: { kind: "layer", epsilon, learned: "gain" },
    residual: "parallel-one-norm",
    logitScale,
  }),
  paired: true,
  absentPositions: 8192,
  epsilonField: "layer_norm_eps",
  readSettings(config) {
    return {
      ...readAttentionBiases(config),
      logitScale: config.positiveNumber("logit_scale", 0.0625),
    };
  },
} satisfies Partial<LlamaLike<typeof settings>>;

/** Command R, and Aya up to Expanse. */
export const cohere = llamaLike({
  name: "cohere",
  ...common,
  readSettings(config) {
    if (config.flag("use_qk_norm", false)) config.refuse("use_qk_norm", "false");
    requireTheta(config);
    return common.readSettings(config);
  },
});

/** Command R7B and Command A: blocks whose queries see all before them have no positions. */
export const cohere2 = llamaLike({
  name: "cohere2",
  ...common,
  plan(shape, settings, { headDim, isWindowed }) {
    const { ropeTheta, ropeScaling, windowTokens } = settings;
    const isRotated = (block: number) => windowTokens !== undefined && isWindowed(block);
    return {
      ...common.plan(shape, settings),
      positions: rotaryOfBlocks(isRotated, { ropeTheta, ropeScaling, channels: headDim }),
    };
  },
  readSettings: (config, layers) => ({
    ...common.readSettings(config),
    ...patternedWindows(config, { layers, period: 4 }),
  }),
});

/** @throws TypeError where the base of rotary positions is nowhere. */
function requireTheta(config: ConfigReader): void {
  if ([config, ...ropeParts(config)].every((reader) => reader.value("rope_theta") === undefined)) {
    config.refuse(
      "rope_theta",
      "numbers, as versions of the official code have different defaults",
    );
  }
}
