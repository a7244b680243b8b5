/** OPT-125M with a long memory: learned positions. */
import { adapted } from "./adapted.ts";

export default adapted("opt_125m", {
  repo: "facebook/opt-125m",
  shape: {
    architecture: "opt",
    layers: 12,
    hiddenDim: 768,
    heads: 12,
    feedForwardDim: 3072,
    vocabSize: 50_272,
  },
}, 9);
