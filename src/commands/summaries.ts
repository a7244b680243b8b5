/**
 * Summaries in the list of all commands, apart from the commands so that help loads none of them.
 */
import type { CommandSummary } from "../command_line.ts";

/** Operands and help of each command, by its name, in the order of the list. */
export const summaries = {
  run: {
    operands: "PATH...",
    help:
      "Runs the experiments that files or folders declare, or a recorded run again from its folder. Finished runs are kept, " +
      "unfinished ones resume, and runs that another process executes are left to it. Of a folder, runs whose data is missing are left " +
      "out and listed. The exit code is 0 if all others are completed or executed by another process.",
  },
  measure: {
    operands: "PATH...",
    help: "Runs experiments as `run` does, and may also start the processes of `efficiency`.",
  },
  submit: {
    operands: "PATH...",
    help:
      "Lets a SLURM cluster run experiments, in several tasks that work on the same runs; prints the number of the job. Tasks that " +
      "are cancelled, requeued, or reach their time limit leave checkpoints, and go on from there.",
  },
  status: {
    operands: "PATH...",
    help: "Lists runs, where they ran, and the cluster's jobs that work on them.",
  },
  table: {
    operands: "[PATH...]",
    help:
      "Prints the tables of the runs in results folders (default results), or of the experiments that files and folders declare, " +
      "with the missing data and how to get it.",
  },
  report: {
    operands: "[PATH...]",
    help:
      "Writes report.html and figures/ beside the runs of each experiment of results folders (default results), and index.html, which " +
      "lists them, beside several experiments.",
  },
  compress: {
    operands: "PATH...",
    help:
      "Compresses the records of completed runs in results folders (metrics.jsonl and samples/); every command reads them as before.",
  },
  watch: {
    operands: "[RESULTS]",
    help:
      "Serves a page, for this machine alone, with the runs of a results folder (default results) and their training curves, while " +
      "they run.",
  },
  data: {
    operands: "[NAME...]",
    help:
      "Without a name, lists and verifies the data sets that experiments read. With names, fetches these data sets, or models of " +
      "the Hugging Face Hub, as hf:OWNER/NAME.",
  },
  "chapter-break": {
    operands: "FOLDER --out FILE.json",
    help:
      "Writes instances of ChapterBreak in the official format, made of a corpus of books: chapters are found by its index.json, " +
      "or by their headings.",
  },
  import: {
    operands: "PATH --out FOLDER",
    help:
      "Reads an official fairseq checkpoint (.pt), a safetensors file with the official names, or the folder of a " +
      "finished run, and writes it as a checkpoint folder of this project.",
  },
  export: {
    operands: "FOLDER --out FILE",
    help:
      "Writes the backbone or the SideNet of a checkpoint folder, or of a finished run, as a safetensors file with the " +
      "official names, or as the official fairseq checkpoint (.pt).",
  },
  remember: {
    operands: "--run FOLDER --document FILE --out FILE",
    help:
      "Reads documents into a model's memory and writes the memory to a file, which --memory of `generate`, `ask` and `serve`, and " +
      "restoreMemory() of the library, read in place of the documents.",
  },
  generate: {
    operands: "--run FOLDER --document FILE",
    help:
      "Generates text with long documents, or a memory file, in the memory of a model: that of a finished run, or one given by " +
      "--backbone, --sidenet and --tokenizer.",
  },
  ask: {
    operands: '--run FOLDER --memory FILE "QUESTION"',
    help: "Answers a question with a memory file, or documents, in the memory of a model.",
  },
  serve: {
    operands: "--run FOLDER",
    help:
      "Answers OpenAI's requests for completions (/v1/completions) with a model, and keeps a memory for each session; see " +
      "docs/serving.md.",
  },
  inspect: {
    operands: "RUN --document FILE",
    help:
      "Writes a page that shows, for each token of a document, which passages the heads read from the memory, their gates, and how " +
      "much the memory changes the token's probability. RUN is a finished run; --backbone and others name checkpoints in its place.",
  },
  induction: {
    operands: "BACKBONE",
    help:
      "Measures the induction heads of a backbone (any checkpoint, hf:OWNER/NAME, or a run that has pretrained one), and " +
      "recommends the block that a memory should cache.",
  },
} as const satisfies Readonly<Record<string, CommandSummary>>;

export type CommandName = keyof typeof summaries;
