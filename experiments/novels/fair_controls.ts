/**
 * Is what a memory gains on novels beyond fair controls? Several texts of other authors in the memory's place, windows and a search
 * that see as much as LongMem does, and errors over authors: stories of one are not independent.
 */
import { defineExperiment } from "@longmem/lab";
import base from "./language_modeling.ts";

const { corpus } = base;
if (!("folder" in corpus)) throw new TypeError("The base experiment reads files");

export default defineExperiment({
  ...base,
  name: "novels_fair_controls",
  question:
    "Does a memory lower the perplexity of novels beyond other authors' texts, longer windows and copying, over authors?",
  corpus: {
    ...corpus,
    clusters: {
      "Austen_*": "Jane Austen",
      "Chesterton_*": "G. K. Chesterton",
      "Hardy_*": "Thomas Hardy",
      "Lee_*": "Vernon Lee",
      "Sterne_*": "Laurence Sterne",
      "Stevenson_*": "Robert Louis Stevenson",
    },
  },
  evaluations: [
    {
      kind: "perplexity",
      split: "test",
      batchSize: 4,
      models: [
        "backbone",
        { model: "backbone-sliding-window", windowTokens: 512 },
        // A window of all that the memory of 16,384 tokens holds would pass 65 times the tokens.
        { model: "backbone-full-context", windowTokens: 2048 },
        "copy",
        "longmem",
        "longmem-recent-memory",
        { model: "longmem-other-document", texts: 3 },
        "sidenet-without-memory",
      ],
    },
    {
      // All of these see the segment's 256 tokens and the 1,792 before them.
      kind: "perplexity",
      name: "perplexity-equal-information",
      split: "test",
      batchSize: 4,
      memory: { capacityTokens: 1792 },
      models: ["backbone-full-context", "copy", "longmem"],
    },
  ],
});
