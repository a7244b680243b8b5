/** SmolLM2-135M with a long memory: a Llama with three heads of keys for nine of queries. */
import { adapted } from "./adapted.ts";

export default adapted("smollm2_135m", {
  repo: "HuggingFaceTB/SmolLM2-135M",
  shape: {
    architecture: "llama",
    layers: 30,
    hiddenDim: 576,
    heads: 9,
    feedForwardDim: 1536,
    vocabSize: 49_152,
    settings: { keyValueHeads: 3, tied: true },
  },
}, 21);
