/**
 * EXAONE 4: Llama whose norms stand after attention and MLP, with a norm of each head's queries and keys. Where some blocks have a
 * sliding window, the others have no positions.
 */
import { positiveNumber } from "../../declaration/fields.ts";
import type { ConfigReader } from "../config_reader.ts";
import { blockNumbers } from "../decoder.ts";
import {
  allButEvery,
  blocksWhere,
  llamaLike,
  llamaSettings,
  namesOfNormsAfter,
  readWindowTokens,
  windowSettings,
} from "../llama_like.ts";
import { rotaryOfBlocks } from "../rotary.ts";

/** EXAONE 4. */
export const exaone4 = llamaLike({
  name: "exaone4",
  settings: llamaSettings.extend({
    epsilon: positiveNumber.default(1e-5),
    /** Blocks without positions; absent: none. */
    unrotatedBlocks: blockNumbers.exactOptional(),
  }),
  plan(_shape, { ropeTheta, ropeScaling, unrotatedBlocks }, { headDim }) {
    const isRotated = (block: number) => !unrotatedBlocks?.includes(block);
    return {
      norms: "after",
      queryKeyNorms: "of each head",
      positions: rotaryOfBlocks(isRotated, { ropeTheta, ropeScaling, channels: headDim }),
    };
  },
  names: namesOfNormsAfter,
  absentKeyValueHeads: 32,
  readSettings(config, layers) {
    const windowTokens = readWindowTokens(config, 4096);
    if (windowTokens === undefined) return windowSettings(config, { windowTokens, layers });
    const period = readPeriod(config);
    const window = windowSettings(config, {
      windowTokens,
      layers,
      isWindowed: allButEvery(period),
    });
    const { windowedBlocks = [] } = window;
    const unrotatedBlocks = blocksWhere(layers, (block) => !windowedBlocks.includes(block));
    return { ...window, unrotatedBlocks };
  },
});

/** Every so many blocks one has no window, where `layer_types` does not name them. */
function readPeriod(config: ConfigReader): number {
  const isNamed = config.value("layer_types") !== undefined;
  return isNamed ? 1 : config.optionalSize("sliding_window_pattern") ?? 4;
}
