/**
 * Does a small backbone learn to find what came after an earlier mention, in a block whose keys and values a memory can keep?
 *
 * From scratch on books of the chronicle, and on drills, whose dependencies are near and many. The shortcut "latest value of its
 * class" comes first; looking up entities follows after about 3 M tokens, labels after 5.3 M, so the training must not be shorter.
 */
import { defineExperiment } from "@longmem/lab";

export default defineExperiment({
  name: "chronicle_backbone",
  question:
    "Does a small backbone learn to find what came after an earlier mention, which a memory can use?",
  corpus: { kind: "chronicle" },
  tokenizer: { kind: "chronicle" },
  backbone: {
    kind: "pretrain",
    size: "mini",
    // The official 0.02 is less than a quarter of 1/sqrt(128).
    initialization: { kind: "scaled" },
    training: {
      batchSize: 8,
      contextTokens: 128,
      steps: 7600, // 7.8 M tokens: about one epoch
      learningRate: 1e-3, // 3e-3 needs longer
      schedule: "polynomial",
      warmupSteps: 100,
      weightDecay: 0.01,
      betas: [0.9, 0.98],
      clipNorm: 1,
      checkpointEverySteps: 500,
    },
  },
  evaluations: [{ kind: "perplexity", split: "valid", batchSize: 8, models: ["backbone"] }],
  sweep: { seed: [1, 2, 3] }, // seed 1 is that of data/chronicle/backbone
});
