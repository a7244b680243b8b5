/**
 * OLMo 3: OLMo 2 with a sliding window in three of four blocks, in which no positions are scaled: so it was trained, and so the official
 * code of its release computes.
 */
import { positiveNumber } from "../../declaration/fields.ts";
import {
  allButEvery,
  llamaLike,
  llamaSettings,
  namedWindows,
  namesOfNormsAfter,
  readAttentionBiases,
} from "../llama_like.ts";
import { rotaryOfKinds } from "../rotary.ts";

/** The fourth block has no window, unless settings say otherwise. */
const isWindowed = allButEvery(4);

/** OLMo 3. */
export const olmo3 = llamaLike({
  name: "olmo3",
  settings: llamaSettings.extend({ epsilon: positiveNumber.default(1e-5) }),
  isWindowed,
  plan: (_shape, { ropeTheta, ropeScaling }, { headDim, isWindowed }) => ({
    norms: "after",
    queryKeyNorms: "of all heads",
    positions: rotaryOfKinds(isWindowed, {
      windowed: { ropeTheta, channels: headDim },
      others: { ropeTheta, ropeScaling, channels: headDim },
    }),
  }),
  names: namesOfNormsAfter,
  readSettings: (config, layers) => ({
    ...readAttentionBiases(config),
    ...namedWindows(config, { layers, isWindowed }),
  }),
});
