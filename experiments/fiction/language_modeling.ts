/**
 * Does a memory lower the perplexity of novels by authors whom nothing here has read, beyond the same recent text?
 *
 * Primary metric, declared before the run: nats a token that LongMem gains over the better of its own memory of the latest text
 * alone and a sliding window of equal length, as an unweighted mean over the test novels; errors over their authors. The first
 * 6,144 tokens of each are read. All is as in `../code/language_modeling.ts`, except the texts, the backbone, and the start of the
 * SideNet.
 */
import { defineExperiment } from "@longmem/lab";
import code, { overWindow, withControls } from "../code/language_modeling.ts";
import { fastestStart } from "../code/start.ts";
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
  sidenet: fastestStart,
  memory: code.memory,
  adaptation: code.adaptation,
  threads: 1,
  evaluations: [{
    kind: "perplexity",
    ...overWindow,
    models: [
      ...withControls(256),
      "copy",
    ],
  }],
});
