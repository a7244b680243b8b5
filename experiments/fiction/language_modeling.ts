/**
 * Does a memory lower the perplexity of novels by authors whom nothing here has read, beyond the same recent text?
 *
 * Primary metric, declared before the run: nats a token that LongMem gains over the better of its own memory of the latest text
 * alone and a sliding window of equal length, as an unweighted mean over the test novels; errors over their authors. The first
 * 6,144 tokens of each are read. All settings are those of `../code/language_modeling.ts`, except
 * the start of the SideNet, which is the best of `../code/start.ts`.
 */
import { defineExperiment } from "@longmem/lab";
import { memoryNovels, testAuthors, testNovels, validNovels } from "./authors.ts";

export default defineExperiment({
  name: "fiction_language_modeling",
  question:
    "Does a memory gain nats on novels of unseen authors over a memory of the latest text and an equal window?",
  corpus: {
    folder: "data/novels",
    train: memoryNovels,
    valid: validNovels,
    test: testNovels,
    unwrap: true,
    maxDocumentTokens: 8192, // so that the SideNet reads from all of the novels
    clusters: testAuthors,
  },
  tokenizer: { kind: "file", path: "data/fiction/backbone/tokenizer.json" },
  backbone: { kind: "checkpoint", path: "data/fiction/backbone" },
  sidenet: { memoryBlock: 3, initialization: { kind: "blocks", blocks: [1, 3] } },
  memory: {
    capacityTokens: 8192,
    chunkTokens: 1,
    retrievedTokens: 64,
    positions: { kind: "distance", tokens: 64 },
  },
  adaptation: {
    batchSize: 2,
    contextTokens: 256,
    steps: 1600, // 0.8 M tokens
    learningRate: 3e-3,
    schedule: "cosine",
    warmupSteps: 20,
    clipNorm: 1,
    dropout: 0,
    checkpointEverySteps: 200,
  },
  threads: 1,
  evaluations: [{
    kind: "perplexity",
    name: "perplexity-window",
    split: "test",
    batchSize: 4,
    contextTokens: 128,
    firstTokens: 6144,
    models: [
      { model: "backbone-sliding-window", windowTokens: 256 },
      { model: "sidenet-without-memory", windowTokens: 256 },
      { model: "longmem", windowTokens: 256 },
      { model: "longmem-recent-memory", windowTokens: 256 },
      { model: "longmem-other-document", windowTokens: 256 },
      "copy",
    ],
  }],
});
