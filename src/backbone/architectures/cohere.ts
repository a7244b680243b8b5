/** Command R and Aya: Llama with layer norms without biases, one for attention and MLP beside each other, and a factor of the logits. */
import { positiveNumber, trueOrFalse } from "../../declaration/fields.ts";
import type { ConfigReader } from "../config_reader.ts";
import {
  type LlamaLike,
  llamaLike,
  llamaSettings,
  readWindowTokens,
  windowSettings,
} from "../llama_like.ts";
import { rotary } from "../rotary.ts";

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
    const attentionBias = config.flag("attention_bias", false);
    return {
      qkvBias: attentionBias,
      outBias: attentionBias,
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
  plan(shape, settings) {
    const { ropeTheta, ropeScaling, windowTokens, windowedBlocks } = settings;
    const channels = settings.headDim ?? shape.hiddenDim / shape.heads;
    const { rotation, ...positions } = rotary({ ropeTheta, ropeScaling, channels });
    const isWindowed = (block: number) =>
      windowTokens !== undefined && (windowedBlocks?.includes(block) ?? true);
    return {
      ...common.plan(shape, settings),
      positions: {
        ...positions,
        rotation: (block) => isWindowed(block) ? rotation() : undefined,
      },
    };
  },
  readSettings: (config, layers) => ({
    ...common.readSettings(config),
    ...readPattern(config, layers),
  }),
});

/** The sliding window, in blocks that `layer_types` names, or in all but each so many. */
function readPattern(config: ConfigReader, layers: number) {
  const windowTokens = readWindowTokens(config), name = "sliding_window_pattern";
  if (windowTokens === undefined) config.refuse("sliding_window", "positive integers");
  const period = config.optionalSize(name) ?? 4;
  const isWindowed = (block: number) => (block + 1) % period > 0;
  const found = windowSettings(config, { windowTokens, layers, isWindowed });
  const isAnother = (block: number) =>
    isWindowed(block) !== (found.windowedBlocks?.includes(block) ?? false);
  // Older official code reads the one, newer code the other.
  if (
    config.value(name) !== undefined && Array.from({ length: layers }, (_, i) => i).some(isAnother)
  ) {
    config.refuse(name, "what layer_types says");
  }
  return found;
}

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
