/** GPT-2 with a long memory: learned positions. */
import { adapted } from "./adapted.ts";

export default adapted("gpt2", {
  repo: "openai-community/gpt2",
  shape: {
    architecture: "gpt2",
    layers: 12,
    hiddenDim: 768,
    heads: 12,
    feedForwardDim: 3072,
    vocabSize: 50_257,
  },
}, 9);
