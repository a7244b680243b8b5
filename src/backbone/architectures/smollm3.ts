/** SmolLM 3: Llama without positions in some blocks. */
import { positiveNumber, trueOrFalse } from "../../declaration/fields.ts";
import type { ConfigReader } from "../config_reader.ts";
import { blockNumbers, llamaLike, llamaSettings, windowSettings } from "../llama_like.ts";
import { rotary } from "../rotary.ts";

/** The fourth block has no positions, unless settings say otherwise. */
const period = 4;

/** SmolLM 3. */
export const smolLm3 = llamaLike({
  name: "smollm3",
  settings: llamaSettings.extend({
    ropeTheta: positiveNumber.default(2_000_000),
    /** Blocks without positions; absent: every fourth. */
    unrotatedBlocks: blockNumbers.exactOptional(),
    tied: trueOrFalse.default(true),
  }),
  plan(_shape, { ropeTheta, ropeScaling, unrotatedBlocks }, { headDim }) {
    const positions = rotary({ ropeTheta, ropeScaling, channels: headDim });
    const isUnrotated = (block: number) =>
      unrotatedBlocks?.includes(block) ?? (block + 1) % period === 0;
    return {
      positions: {
        ...positions,
        rotation: (block) => isUnrotated(block) ? undefined : positions.rotation(),
      },
    };
  },
  absentKeyValueHeads: 4,
  absentPositions: 32_768,
  readSettings(config, layers) {
    const attentionBias = config.flag("attention_bias", false);
    const unrotatedBlocks = readUnrotatedBlocks(config, layers);
    const isUsed = config.flag("use_sliding_window", false);
    return {
      qkvBias: attentionBias,
      outBias: attentionBias,
      mlpBias: config.flag("mlp_bias", false),
      unrotatedBlocks,
      ...windowSettings(config, {
        windowTokens: isUsed ? config.optionalSize("sliding_window") : undefined,
        layers,
        isWindowed: (block) => unrotatedBlocks.includes(block),
      }),
    };
  },
});

/** Blocks that `no_rope_layers` has as 0; where it is absent, every so many. */
function readUnrotatedBlocks(config: ConfigReader, layers: number): number[] {
  const flags = config.value("no_rope_layers");
  const blocks = Array.from({ length: layers }, (_, i) => i);
  if (flags === undefined) {
    const interval = config.optionalSize("no_rope_layer_interval") ?? period;
    return blocks.filter((i) => (i + 1) % interval === 0);
  }
  if (
    !Array.isArray(flags) || flags.length < layers || !flags.every((flag) => [0, 1].includes(flag))
  ) {
    config.refuse("no_rope_layers", `lists of at least ${layers} of 0, 1`);
  }
  return blocks.filter((i) => flags[i] === 0);
}
