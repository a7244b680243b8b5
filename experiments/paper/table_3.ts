/**
 * Table 3: ChapterBreak. Which of six texts begins the next chapter of a work of fan fiction, after 4k, 6k and 8k tokens of it?
 *
 * The items are those of the official file with the longest prefixes, of which shorter ones are the ends.
 */
import { defineExperiment } from "@longmem/lab";
import { contextTokens, released } from "./released.ts";

export default defineExperiment({
  ...released,
  name: "paper_table_3",
  question: "Does a model that remembers 8k tokens know better how a story goes on?",
  reproduces: { table: "table-3" },
  corpus: { kind: "none" },
  evaluations: [{
    kind: "chapter-break",
    source: { kind: "file", path: "data/chapterbreak/chapterbreak_ctx_8192.json", split: "ao3" },
    prefixTokens: [4096, 6144, 8192],
    suffixTokens: 128,
    contextTokens,
    batchSize: 6,
    models: ["backbone", "longmem", "longmem-memory-off", "longmem-other-document"],
  }],
});
