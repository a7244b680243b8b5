/**
 * The smallest LongMem on the smallest books of the chronicle: what tests of the runner declare.
 */
import type { ChronicleCorpusDeclaration, Experiment } from "../../src/experiment/declaration.ts";

/** Books of three short chapters. */
export const smallBooks = {
  kind: "chronicle",
  books: { train: 1, valid: 1, test: 1 },
  drills: 1,
  config: {
    contextTokens: 16,
    book: { chapters: 3, sentencesPerChapter: 8 },
    drill: { scenes: 2, sceneTokens: 60 },
  },
} as const satisfies ChronicleCorpusDeclaration;

/** A training of both networks. */
export const smallTraining = {
  batchSize: 1,
  contextTokens: 16,
  steps: 2,
  learningRate: 1e-3,
} as const;

/** All but a name and evaluations; it has no adaptation. */
export const smallChronicle = {
  corpus: smallBooks,
  tokenizer: { kind: "chronicle" },
  backbone: { kind: "pretrain", layers: 2, hiddenDim: 8, heads: 2, training: smallTraining },
  sidenet: { memoryBlock: 1 },
  memory: { capacityTokens: 64, chunkTokens: 4, retrievedTokens: 8 },
} as const satisfies Omit<Experiment, "name" | "evaluations">;
