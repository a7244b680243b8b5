/**
 * Does a memory lower the perplexity of books in LaTeX by authors whom nothing here has read, beyond the same recent text?
 *
 * Primary metric, declared before the run: nats a token that LongMem gains over the better of its own memory of the latest text alone
 * and a sliding window of equal length, as an unweighted mean over the test works, each of another author; errors over works. The
 * first 6,144 tokens of each are read. All is as in `../fiction/language_modeling.ts` except texts and backbone.
 */
import { defineExperiment } from "@longmem/lab";
import code, { overWindow, withControls } from "../code/language_modeling.ts";
import { fastestStart } from "../code/start.ts";

export default defineExperiment({
  name: "latex_language_modeling",
  question:
    "Does a memory gain nats on LaTeX by unseen authors over a memory of the latest text and an equal window?",
  corpus: {
    folder: "data/latex_books",
    train: "train-memory",
    valid: "valid",
    test: "test",
    maxDocumentTokens: 8192, // so that the SideNet reads from all of the works
  },
  tokenizer: { kind: "file", path: "data/tex/backbone/tokenizer.json" },
  backbone: { kind: "checkpoint", path: "data/tex/backbone" },
  sidenet: fastestStart,
  memory: code.memory,
  adaptation: code.adaptation,
  threads: 1,
  evaluations: [{
    kind: "perplexity",
    ...overWindow,
    models: [
      ...withControls(256),
      { model: "copy", minMatchTokens: 3, windowTokens: 256 },
      { model: "knn-lm", windowTokens: 256 },
    ],
  }],
});
