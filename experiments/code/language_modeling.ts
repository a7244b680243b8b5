/**
 * Does a memory lower the perplexity of source code beyond what the same recent text explains?
 *
 * Primary metric, declared before the run: nats a token that LongMem gains over the better of its own memory of the latest segment
 * alone and a sliding window of equal length, as an unweighted mean over the test packages; errors over packages. Of each package the
 * first 6,144 tokens are read. The backbone has read none of the packages on which the SideNet is adapted, nor these.
 *
 * Chunks are single tokens: on the valid split, with a backbone trained half as long, means of four keys found no more than the
 * latest segment has, and single keys did. Rows are few so that gates, which move by a learning rate a step, have time to.
 */
import { defineExperiment } from "@longmem/lab";

/** A window of 256 tokens, as long as the backbone was trained, slides by 128 over the beginnings; a memory holds what has left it. */
export const overWindow = {
  name: "perplexity-window",
  split: "test",
  batchSize: 4,
  contextTokens: 128,
  firstTokens: 6144,
} as const;

/** LongMem and the models that read the same window: the frozen one, a SideNet without memory, and other memories. */
export const withControls = (windowTokens: number) =>
  [
    { model: "backbone-sliding-window", windowTokens },
    { model: "sidenet-without-memory", windowTokens },
    { model: "longmem", windowTokens },
    { model: "longmem-recent-memory", windowTokens },
    { model: "longmem-other-document", windowTokens },
  ] as const;

/** LongMem, the frozen model, and a memory of the latest text alone: where another seed or size is asked. */
export const overBoth = (windowTokens: number) =>
  [
    { model: "backbone-sliding-window", windowTokens },
    { model: "longmem", windowTokens },
    { model: "longmem-recent-memory", windowTokens },
  ] as const;

/** The frozen model alone, in windows of several lengths. */
export const windows = (...lengths: number[]) =>
  lengths.map((windowTokens) => ({ model: "backbone-sliding-window", windowTokens }) as const);

/** An evaluation of each split: settings that are best on the valid split count on the test split. */
export const onBothSplits = <Models>(models: Models) =>
  (["valid", "test"] as const).map((split) => ({
    kind: "perplexity",
    ...overWindow,
    split,
    name: `perplexity-window-${split}`,
    models,
  } as const));

export default defineExperiment({
  name: "code_language_modeling",
  question:
    "Does a memory gain nats on unseen packages over a memory of the latest text and a sliding window of equal length?",
  corpus: {
    folder: "data/npm_code",
    train: "train-memory",
    valid: "valid",
    test: "test",
  },
  tokenizer: { kind: "file", path: "data/code/backbone/tokenizer.json" },
  backbone: { kind: "checkpoint", path: "data/code/backbone" },
  sidenet: {
    memoryBlock: 3, // the induction block
    // A quarter of the copies' outputs: closer to the frozen model at the start than whole copies (`start.ts` compares them).
    initialization: { kind: "blocks", blocks: [1, 3], outputScale: 0.25 },
  },
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
    ...overWindow,
    models: withControls(256),
  }],
});
