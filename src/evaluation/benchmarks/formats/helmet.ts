/**
 * The recall tasks of HELMET (arXiv 2410.02694): key-value retrieval (`json_kv`: `context`, `question`, `answer`, `demos`, `num_kvs`)
 * and its files of RULER's needles (`context`, `query`, `answer` or `outputs`, and `type_needle_v`). Scores are the official ones
 * (github.com/princeton-nlp/HELMET, utils.py and data.py), limits of answers those of its configurations, prompts ours.
 */
import { z } from "zod";
import { type Entry, parseEntry, said } from "../../../text/json_entries.ts";
import {
  type BenchmarkFile,
  type BenchmarkFormat,
  fileStem,
  fillPrompt,
  folderName,
  type FormatOptions,
  planned,
  untilRight,
} from "../format.ts";
import { rulerRecall, substringExactMatch } from "../scorers.ts";

const oneOrMore = z.union([said, z.array(said).min(1)]).transform((answer) =>
  typeof answer === "string" ? [answer] : answer
);
const pairs = z.looseObject({
  context: said,
  question: said,
  answer: oneOrMore,
  demos: z.array(z.tuple([said, said])),
  num_kvs: z.number(),
});
const needles = z.looseObject({
  context: said,
  query: said,
  answer: oneOrMore.exactOptional(),
  outputs: oneOrMore.exactOptional(),
  type_needle_v: said.exactOptional(),
}).refine(({ answer, outputs }) => answer || outputs, {
  path: ["answer"],
  message: "must be there, or outputs",
});

/** Keys with their values that are shown before the question, as in the official configuration. */
const shots = 2;

/** HELMET's recall tasks. */
export const helmet: BenchmarkFormat = {
  source:
    'json_kv/ and ruler/niah_*/ in data.tar.gz of the Hugging Face data set "princeton-nlp/HELMET"',
  read: (files, options) =>
    files.flatMap((file) =>
      file.entries.map((entry, i) =>
        typeof entry.value === "object" && entry.value !== null && "num_kvs" in entry.value
          ? pairItem(file, entry, i, options)
          : needleItem(file, entry, i, options)
      )
    ),
};

function pairItem(
  { path }: BenchmarkFile,
  entry: Entry,
  i: number,
  { prompts, maxAnswerTokens = 100 }: FormatOptions,
) {
  const { context, question: key, answer, demos, num_kvs } = parseEntry(entry, pairs);
  const task = "json_kv";
  const shown = demos.slice(0, shots).map(([key, value]) => `Key: ${key}\nValue: ${value}\n\n`);
  const form = prompts[task] ??
    "{context}\n\nEach key of this JSON object has a value.\n\n{input}\nValue:";
  const input = `${shown.join("")}Key: ${key}`;
  return planned({
    name: `${fileStem(path)}/${i + 1}`,
    task,
    length: `${num_kvs} pairs`,
    ...fillPrompt(form, { context, input }, entry.where),
    answers: answer,
    maxAnswerTokens,
    ...untilRight((prediction) => substringExactMatch(prediction, answer)),
  });
}

function needleItem(
  { path }: BenchmarkFile,
  entry: Entry,
  i: number,
  { prompts, maxAnswerTokens }: FormatOptions,
) {
  const { context, query, answer, outputs, type_needle_v = "values" } = parseEntry(entry, needles);
  const answers = answer ?? outputs!, task = folderName(path) || "niah";
  const tokens = /_(\d+)$/.exec(fileStem(path))?.[1];
  const kind = answers.length > 1 ? type_needle_v : type_needle_v.replace(/s$/, "");
  const form = prompts[task] ??
    `Remember the special magic ${kind} of the following text.\n{context}\n` +
      `The special magic ${kind} for {input} in this text ${answers.length > 1 ? "are" : "is"}`;
  return planned({
    name: `${task}/${fileStem(path)}/${i + 1}`,
    task,
    ...(tokens !== undefined && { length: Number(tokens) }),
    ...fillPrompt(form, { context, input: query }, entry.where),
    answers,
    reference: answers.join(", "),
    // Codes take more tokens than numbers.
    maxAnswerTokens: maxAnswerTokens ?? (task.endsWith("multikey_3") ? 100 : 50),
    ...untilRight((prediction) => rulerRecall(prediction, answers)),
  });
}
