import type { SentenceTask } from "../../src/text/sentence_tasks.ts";

/** The names of the tasks in the golden file. */
export const officialNames: Readonly<Record<SentenceTask, string>> = {
  "sst-2": "SST-2",
  mr: "mr",
  subj: "subj",
  "sst-5": "sst-5",
  mpqa: "mpqa",
};
