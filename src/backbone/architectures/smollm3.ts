/** SmolLM 3: Llama without positions in some blocks. */
import { positiveNumber, trueOrFalse } from "../../declaration/fields.ts";
import type { ConfigReader } from "../config_reader.ts";
import { blockNumbers } from "../decoder.ts";
import {
  allButEvery,
  blocksWhere,
  llamaLike,
  llamaSettings,
  readAttentionBiases,
  windowSettings,
} from "../llama_like.ts";
import { rotaryOfBlocks } from "../rotary.ts";

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
    const isRotated = unrotatedBlocks
      ? (block: number) => !unrotatedBlocks.includes(block)
      : allButEvery(period);
    return { positions: rotaryOfBlocks(isRotated, { ropeTheta, ropeScaling, channels: headDim }) };
  },
  absentKeyValueHeads: 4,
  absentPositions: 32_768,
  readSettings(config, layers) {
    const unrotatedBlocks = readUnrotatedBlocks(config, layers);
    const isUsed = config.flag("use_sliding_window", false);
    return {
      ...readAttentionBiases(config),
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
  if (flags === undefined) {
    const isRotated = allButEvery(config.optionalSize("no_rope_layer_interval") ?? period);
    return blocksWhere(layers, (block) => !isRotated(block));
  }
  if (
    !Array.isArray(flags) || flags.length < layers || !flags.every((flag) => [0, 1].includes(flag))
  ) {
    config.refuse("no_rope_layers", `lists of at least ${layers} of 0, 1`);
  }
  return blocksWhere(layers, (block) => flags[block] === 0);
}
