/** BLOOM-560M with a long memory: ALiBi, as the paper's own model. */
import { adapted } from "./adapted.ts";

export default adapted("bloom_560m", {
  repo: "bigscience/bloom-560m",
  shape: {
    architecture: "bloom",
    layers: 24,
    hiddenDim: 1024,
    heads: 16,
    feedForwardDim: 4096,
    vocabSize: 250_880,
  },
}, 17);
