/**
 * What does a memory do? A frozen language model of 0.87 million parameters reads little books whose facts lie hundreds of tokens
 * apart, and gains a memory of 4,096 tokens: no download, minutes on two cores. With `--limit 2` it scores two items of each
 * evaluation, for a first look.
 */
import { defineExperiment } from "@longmem/lab";

const models = [
  "backbone",
  "sidenet-without-memory",
  "untrained-with-memory",
  "longmem",
  "longmem-memory-off",
  "longmem-other-document",
] as const;

export default defineExperiment({
  name: "quickstart",
  question:
    "Does a frozen language model with a window of 128 tokens recall what it read up to 4,096 tokens ago?",
  // Books of an invented world, written for every seed: what they tell can only be known from having read it.
  corpus: { kind: "chronicle" },
  tokenizer: { kind: "chronicle" },
  // Made by experiments/pretrain/chronicle.ts.
  backbone: { kind: "checkpoint", path: "data/chronicle/backbone" },
  // Block 2 is the one that looks up what followed an earlier mention; SideNet layer 1, which reads the memory, starts as its copy.
  sidenet: {
    reductionFactor: 2,
    memoryBlock: 2,
    initialization: { kind: "blocks", blocks: [0, 2] },
  },
  memory: { capacityTokens: 4096, chunkTokens: 4, retrievedTokens: 64 },
  adaptation: {
    batchSize: 8,
    contextTokens: 128,
    steps: 400, // 0.4 M tokens
    learningRate: 2e-3,
    schedule: "cosine",
    warmupSteps: 20,
    finalLearningRate: 1e-4,
    clipNorm: 1,
    dropout: 0,
  },
  evaluations: [
    // Facts of 24 unseen books, by kind and by how far back they were told last; and perplexity.
    { kind: "recall", split: "test", batchSize: 8, models },
    // Which of six openings begins the next chapter? It follows from facts of the ship that rested last.
    { kind: "chapter-break", batchSize: 8, suffixTokens: 10, maxItems: 96, models },
    // Labels of goods, whose 256 reviews are in memory alone.
    { kind: "in-context-learning", batchSize: 8, source: { kind: "chronicle" }, models },
  ],
});
