/** OLMo-2-1B with a long memory: norms after attention and MLP, in place of before. */
import { adapted } from "./adapted.ts";

export default adapted("olmo2_1b", {
  repo: "allenai/OLMo-2-0425-1B",
  shape: {
    architecture: "olmo2",
    layers: 16,
    hiddenDim: 2048,
    heads: 16,
    feedForwardDim: 8192,
    vocabSize: 100_352,
  },
}, 11);
