/** Pythia-160M with a long memory: GPT-NeoX, rotary positions. */
import { adapted } from "./adapted.ts";

export default adapted("pythia_160m", {
  repo: "EleutherAI/pythia-160m",
  shape: {
    architecture: "gpt_neox",
    layers: 12,
    hiddenDim: 768,
    heads: 12,
    feedForwardDim: 3072,
    vocabSize: 50_304,
  },
}, 9);
