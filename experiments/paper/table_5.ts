/**
 * Table 5: questions about paragraphs (SQuAD), 3 with their answers before each, 200 others in memory.
 *
 * The paper's script was not released, and its examples are from the train set, which is not available with the development
 * set: here demonstrations and evaluated questions are of different articles of the latter.
 */
import { defineExperiment } from "@longmem/lab";
import { contextTokens, released } from "./released.ts";

export default defineExperiment({
  ...released,
  name: "paper_table_5",
  question: "Do 200 answered questions in memory teach how to answer others?",
  reproduces: { table: "table-5" },
  corpus: { kind: "none" },
  evaluations: [{
    kind: "squad",
    folder: "data/squad",
    seeds: [1, 2, 3, 4, 5, 6],
    shots: 3,
    memoryDemonstrations: 200,
    contextTokens,
    batchSize: 8,
    models: ["backbone", "longmem", "longmem-memory-off"],
  }],
});
