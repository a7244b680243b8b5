/**
 * Table 2: perplexity of books by length, and of LaTeX source, with 65,536 tokens of memory.
 *
 * PG-22, the paper's books, and its ArXiv papers were never released. In their place stand the test novels, which fall into
 * the same buckets by GPT-2 tokens, and a book in LaTeX: the numbers answer the same question about other texts. Any other
 * do, too: `--set corpus.folder=FOLDER --set corpus.test=test`.
 */
import { defineExperiment } from "@longmem/lab";
import { contextTokens, released } from "./released.ts";

const perplexity = {
  kind: "perplexity",
  split: "test",
  contextTokens,
  batchSize: 1,
  // The last three say what the memory does: it is left empty, holds the last segment alone, or another document.
  models: [
    "backbone",
    "longmem",
    "longmem-memory-off",
    "longmem-recent-memory",
    "longmem-other-document",
  ],
} as const;

export default [
  defineExperiment({
    ...released,
    name: "paper_table_2",
    question: "Does a memory of 65,536 tokens lower the perplexity of books?",
    reproduces: { table: "table-2" },
    corpus: {
      folder: "data/novels",
      train: "train",
      valid: "valid",
      test: "test",
      unwrap: true,
    },
    // They were declared with these, and keep the names of their runs.
    moved: { "data/novels": "../shared/data/novels" },
    evaluations: [perplexity],
  }),
  defineExperiment({
    ...released,
    name: "paper_table_2_latex",
    question: "Does a memory of 65,536 tokens lower the perplexity of LaTeX source?",
    reproduces: {
      table: "table-2",
      columns: [{ column: "ArXiv", metric: "perplexity" }],
    },
    // Nothing is trained: all splits are the whole book.
    corpus: { folder: "data/latex", train: "hott-book", valid: "hott-book", test: "hott-book" },
    evaluations: [perplexity],
  }),
];
