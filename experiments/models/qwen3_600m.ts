/** Qwen3-0.6B with a long memory: eight heads of keys for sixteen of queries. */
import { adapted } from "./adapted.ts";

export default adapted("qwen3_600m", {
  repo: "Qwen/Qwen3-0.6B",
  shape: {
    architecture: "qwen3",
    layers: 28,
    hiddenDim: 1024,
    heads: 16,
    feedForwardDim: 3072,
    vocabSize: 151_936,
    settings: { keyValueHeads: 8, headDim: 128, tied: true },
  },
}, 19);
