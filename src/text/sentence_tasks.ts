/**
 * Five sets of labelled sentences (the paper's Table 4): how their files are read, and how an example becomes text, as
 * the released evaluation does both (specification section 14). Lines are never read as CSV: the quotes of a quoted
 * sentence are part of it, except in Subj, whose quotes are stripped.
 */
import { join } from "node:path";
import { decodeText, readTextBytes, requireThere } from "../files.ts";
import { InputSyntaxError } from "../errors.ts";
import { sha256Of } from "../sha256.ts";

/** A set of labelled sentences. */
export type SentenceTask = "sst-2" | "mr" | "subj" | "sst-5" | "mpqa";

/** All sets, in the paper's order. */
export const sentenceTasks = [
  "sst-2",
  "mr",
  "subj",
  "sst-5",
  "mpqa",
] as const satisfies readonly SentenceTask[];

export interface LabelledSentence {
  readonly text: string;
  /** Number of the label among those of the task. */
  readonly label: number;
}

/** How a task's files are read and its examples written. */
export interface SentenceTaskFormat {
  /** File that demonstrations are drawn from, below the folder of all sets. */
  readonly train: string;
  /** File that is evaluated. */
  readonly evaluated: string;
  /**
   * A line is a text, a tab and a label, after a header (`tab`); or a label, any one character and a text
   * (`label-first`), of which all quotes at both ends may be stripped (`label-first-unquoted`).
   */
  readonly lines: "tab" | "label-first" | "label-first-unquoted";
  /** Whether training examples may have no text, as three of the official MPQA have none. */
  readonly emptyTrainingTexts?: true;
  /** Words that name the labels, which the files have as 0, 1, ... */
  readonly labels: readonly string[];
  /** Stands before the text. */
  readonly before: string;
  /** Stands between the text and the word of the label. */
  readonly between: string;
}

const polarity = ["negative", "positive"] as const;
const review = { before: "Review: ", between: " Sentiment: " } as const;
const splitFiles = (folder: string) => ({
  train: `${folder}/train.csv`,
  evaluated: `${folder}/test.csv`,
});

export const sentenceTaskFormats: Readonly<Record<SentenceTask, SentenceTaskFormat>> = {
  "sst-2": {
    train: "SST-2/train.tsv",
    evaluated: "SST-2/dev.tsv",
    lines: "tab",
    labels: polarity,
    ...review,
  },
  mr: { ...splitFiles("mr"), lines: "label-first", labels: polarity, ...review },
  subj: {
    ...splitFiles("subj"),
    lines: "label-first-unquoted",
    labels: ["subjective", "objective"],
    before: "Input: ",
    between: " Type: ",
  },
  "sst-5": {
    train: "sst-5/stsa.fine.train",
    evaluated: "sst-5/stsa.fine.dev",
    lines: "label-first",
    labels: ["terrible", "bad", "okay", "good", "great"],
    ...review,
  },
  mpqa: {
    ...splitFiles("mpqa"),
    lines: "label-first",
    emptyTrainingTexts: true,
    labels: polarity,
    ...review,
  },
};

/** A labelled example as demonstrations show it; it ends with a space. */
export function formatDemonstration(
  { before, between, labels }: SentenceTaskFormat,
  { text, label }: LabelledSentence,
): string {
  return `${before}${text}${between}${labels[label]}. `;
}

/** An example whose label is to be told, up to the colon before it. */
export function formatQuery({ before, between }: SentenceTaskFormat, text: string): string {
  return `${before}${text}${between}`.trimEnd();
}

/** The two parts of a task's data. */
export interface SentenceTaskData {
  /** Sentences from which demonstrations are drawn. */
  readonly train: readonly LabelledSentence[];
  readonly evaluated: readonly LabelledSentence[];
  /** SHA-256 (hexadecimal) of the bytes of each of the two files. */
  readonly hashes: { readonly train: string; readonly evaluated: string };
}

/**
 * Reads the files of a task.
 *
 * @param folder Folder of all sets.
 * @throws {Deno.errors.NotFound} If a file is missing.
 * @throws {SyntaxError} If a line is not in the task's format, naming file and line.
 * @throws {TypeError} If a file is not UTF-8.
 */
export async function readSentenceTask(
  folder: string,
  task: SentenceTask,
): Promise<SentenceTaskData> {
  const format = sentenceTaskFormats[task];
  const read = async (file: string, emptyTexts: boolean) => {
    const path = join(folder, file);
    const missing = `Cannot read task "${task}" as file "${path}" is missing`;
    const bytes = await requireThere(readTextBytes(path), missing);
    return {
      sentences: parseSentences(decodeText(bytes, path), { format, path, emptyTexts }),
      hash: sha256Of(bytes),
    };
  };
  const train = await read(format.train, format.emptyTrainingTexts ?? false);
  const evaluated = await read(format.evaluated, false);
  return {
    train: train.sentences,
    evaluated: evaluated.sentences,
    hashes: { train: train.hash, evaluated: evaluated.hash },
  };
}

/** First line of a file whose lines are of the kind `tab`. */
const header = "sentence\tlabel";

/**
 * Reads labelled sentences; spaces at the end of a sentence are kept.
 *
 * @param options `path`: names the file in errors; `emptyTexts`: whether an example may have no text (default no).
 * @throws {SyntaxError} If there is no example, or a line is not in the format.
 */
export function parseSentences(
  content: string,
  { format, path, emptyTexts = false }: {
    format: Pick<SentenceTaskFormat, "lines" | "labels">;
    path: string;
    emptyTexts?: boolean;
  },
): LabelledSentence[] {
  // Python's line ends; the last line may have none.
  const lines = content.replace(/(\r\n?|\n)$/, "").split(/\r\n?|\n/);
  const refuse = (i: number, reason: string): never => {
    throw new InputSyntaxError(
      `Cannot read line ${i + 1} of "${path}" as ${reason}: current value is ${
        JSON.stringify(lines[i].slice(0, 80))
      }`,
    );
  };
  const first = format.lines === "tab" ? 1 : 0;
  if (format.lines === "tab" && lines[0] !== header) {
    refuse(0, `it must be the header ${JSON.stringify(header)}`);
  }
  if (lines.length === first || content === "") {
    throw new InputSyntaxError(`Cannot read "${path}" as it has no examples`);
  }
  return lines.slice(first).map((line, i): LabelledSentence => {
    const split = splitLine(line, format.lines);
    if (typeof split === "string") return refuse(first + i, split);
    const label = format.labels.findIndex((_, number) => split.label === String(number));
    if (label < 0) {
      refuse(
        first + i,
        `its label must be one of ${format.labels.map((word, n) => `${n} (${word})`).join(", ")}`,
      );
    }
    if (!emptyTexts && !/\S/.test(split.text)) refuse(first + i, "its text is empty");
    return { text: split.text, label };
  });
}

/** Splits a line into text and label as written; otherwise returns the expected form of the line. */
function splitLine(
  line: string,
  lines: SentenceTaskFormat["lines"],
): { text: string; label: string } | string {
  if (lines === "tab") {
    const [text, label, ...rest] = line.split("\t");
    if (label === undefined) return "it must be a text, a tab and a label, and has no tab";
    if (rest.length > 0) {
      return `it must be a text, a tab and a label, and has ${rest.length + 1} tabs`;
    }
    return { text, label };
  }
  if (!/^.[ ,]/.test(line)) return "it must be a label of one digit, a comma or space, and a text";
  const text = line.slice(2);
  return { label: line[0], text: lines === "label-first" ? text : text.replace(/^"+|"+$/g, "") };
}
