/**
 * Table 4: in-context learning from 2,000 labelled sentences in memory and 4 or 20 before the query, on five sets with six seeds.
 *
 * Twice: as the released evaluation does it (chunks of 2, the first word must begin the label, demonstrations drawn as they
 * come), which is what the published numbers are to be compared with; and as a careful reader would (chunks of 4, the likeliest
 * label, as many demonstrations of each).
 */
import { defineExperiment } from "@longmem/lab";
import { contextTokens, released } from "./released.ts";

const [twenty, four] = ([20, 4] as const).map((shots) => ({
  kind: "in-context-learning",
  name: `in-context-learning-${shots}`,
  source: {
    kind: "sentences",
    folder: "data/icl",
    seeds: [1, 2, 3, 4, 5, 6],
    memoryDemonstrations: 2000,
  },
  shots,
  contextTokens,
  batchSize: 8,
  models: ["backbone", "longmem", "longmem-memory-off", "longmem-other-document"],
} as const));

const asReleased = {
  ...released,
  question: "Do 2,000 demonstrations in memory teach a task?",
  corpus: { kind: "none" },
  evaluations: [twenty, four],
} as const;

export default [
  defineExperiment({
    ...asReleased,
    name: "paper_table_4",
    protocol: "released-code",
    reproduces: {
      table: "table-4",
      rows: [twenty, four].flatMap(({ name: evaluation, shots }) => [
        { row: `GPT-2*, ${shots} shots`, model: "backbone", evaluation },
        { row: `LongMem, ${shots} shots`, model: "longmem", evaluation },
      ]),
    },
  }),
  defineExperiment({
    ...asReleased,
    name: "paper_table_4_strict",
    protocol: "strict",
  }),
];
