import type { ResolvedExperiment } from "../../src/experiment/declaration.ts";
import { trainingStream } from "../../src/runner/corpus.ts";
import type { RunDocument } from "../../src/text/corpora/corpus_kind.ts";
import type { Tokenizer } from "../../src/text/tokenizer.ts";
import type { TrainingConfig } from "../../src/training/config.ts";
import { releasedTraining } from "../training/small_training.ts";
import { assert, test } from "../testing.ts";

const vocabSize = 20, T = 8;
const tokenizer = { vocabSize, specialIds: { bos: 0, pad: 1, eos: 2 } } as Tokenizer;
const experiment = { seed: 1, corpus: { kind: "files" } } as ResolvedExperiment;
// The corpus has ids beyond the vocabulary, so that a row shows where it comes from.
const documents = Array.from({ length: 6 }, (_, n): RunDocument => ({
  name: `${n}`,
  tokens: new Int32Array(40).fill(100 + n),
  words: 40,
  gpt2Tokens: 40,
}));

/** Ids of each row of the first batches. */
function rowsOf(training: Partial<TrainingConfig>): number[][] {
  const config = { ...releasedTraining, batchSize: 4, contextTokens: T, ...training };
  const stream = trainingStream(documents, tokenizer, experiment, config);
  assert.equal(stream.batchSize, 4);
  return Array.from({ length: 50 }, () => stream.next()).flatMap(({ tokens }) =>
    Array.from({ length: 4 }, (_, row) => [...tokens.subarray(row * T, (row + 1) * T)])
  );
}

for (const batches of ["documents", "lanes"] as const) {
  test(`trainingStream() puts repeatedRows in the place of rows of ${batches}`, () => {
    const isOfCorpus = (ids: number[]) => ids.some((id) => id >= 100);
    assert.ok(rowsOf({ batches }).every(isOfCorpus));
    const rows = rowsOf({ batches, repeatedRows: 1 });
    rows.forEach((ids, i) => assert.equal(isOfCorpus(ids), i % 4 !== 3, `row ${i}: ${ids}`));
    const drawn = new Set(rows.filter((ids) => !isOfCorpus(ids)).flat());
    // Every token but the special ones.
    assert.deepEqual(
      [...drawn].sort((a, b) => a - b),
      Array.from({ length: vocabSize - 3 }, (_, i) => i + 3),
    );
  });
}
