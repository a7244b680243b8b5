/**
 * LongBench (arXiv 2308.14508): a file of JSON lines for each data set, with `input`, `context`, `answers`, `length`, `dataset`,
 * `all_classes` and `_id`. Scores and limits of answers are the official ones (github.com/THUDM/LongBench, LongBench/eval.py,
 * LongBench/config); prompts are ours unless the official `dataset2prompt.json` is declared as `prompts`. Sets of LongBench-E, whose names
 * end in `_e`, are measured by length in words. Texts are read whole, where the official script cuts their middle out.
 */
import { z } from "zod";
import { InputRangeError } from "../../../errors.ts";
import { parseEntry, said } from "../../../text/json_entries.ts";
import { type BenchmarkFormat, fillPrompt, planned } from "../format.ts";
import {
  countsFirstLine,
  isCode,
  linesOf,
  longBenchScore,
  longBenchScoreOf,
  longBenchSets,
} from "../scorers.ts";

const line = z.looseObject({
  _id: said.exactOptional(),
  input: z.string(),
  context: z.string(),
  answers: z.array(z.string()).min(1, "must have an answer"),
  length: z.number(),
  dataset: said,
  all_classes: z.array(z.string()).nullish(),
});

/** Tokens of a written answer at most, as published. */
const answerTokens: Readonly<Record<string, number>> = {
  "narrativeqa": 128,
  "qasper": 128,
  "gov_report": 512,
  "qmsum": 512,
  "multi_news": 512,
  "samsum": 128,
  "multifieldqa_en": 64,
  "trec": 64,
  "lsht": 64,
  "lcc": 64,
  "repobench-p": 64,
};
const fewestAnswerTokens = 32;

const ask = "Read the text and answer the question in a few words.\n\n" +
  "{context}\n\nQuestion: {input}\nAnswer:";
/** Examples with answers are part of the context. */
const afterExamples = "{context}\n{input}";
const forms: Readonly<Record<string, string>> = {
  "qasper":
    'Read the article and answer the question in a few words, with "yes" or "no" where it asks for that, and with ' +
    '"unanswerable" where the article does not tell.\n\n{context}\n\nQuestion: {input}\nAnswer:',
  "gov_report": "Read the report and summarize it on one page.\n\n{context}\n\nSummary:",
  "multi_news": "Read the news and summarize them on one page.\n\n{context}\n\nSummary:",
  "qmsum": "Read the transcript of a meeting and answer the request in a few sentences.\n\n" +
    "{context}\n\nRequest: {input}\nAnswer:",
  "trec": afterExamples,
  "triviaqa": afterExamples,
  "samsum": afterExamples,
  "lsht": afterExamples,
  "passage_count": "Some of the following paragraphs are there more than once.\n\n{context}\n\n" +
    "The number of different paragraphs is:",
  "passage_retrieval_en": "{context}\n\nA summary of one of these paragraphs:\n\n{input}\n\n" +
    'The number of the paragraph, as in "Paragraph 3", is:',
  "passage_retrieval_zh": "{context}\n\n{input}\n\n段落编号：",
  "lcc": "{context}",
  "repobench-p": "{context}{input}",
};

export const longBench: BenchmarkFormat = {
  source: 'data.zip of the Hugging Face data set "THUDM/LongBench" has a .jsonl file for each set',
  read(files, { prompts, maxAnswerTokens }) {
    return files.flatMap(({ entries }) =>
      entries.map((entry, i) => {
        const { where } = entry;
        const { _id, input, context, answers, length, dataset, all_classes } = parseEntry(
          entry,
          line,
        );
        const dataSet = dataset.replace(/_e$/, ""), classes = all_classes ?? [];
        if (!longBenchScoreOf(dataSet)) {
          throw new InputRangeError(
            `Cannot score ${where} as its score cuts Chinese into words by a dictionary that is not here: current value of ` +
              `dataset is "${dataset}", allowed are ${longBenchSets.join(", ")}`,
          );
        }
        const form = prompts[dataset] ?? prompts[dataSet] ?? forms[dataSet] ?? ask;
        const chance = chanceOf(dataSet, context, classes);
        return planned({
          name: `${dataset}/${_id ?? i + 1}`,
          task: dataset,
          ...(dataset !== dataSet && { length: lengthClass(length) }),
          ...fillPrompt(form, { context, input }, where),
          answers,
          maxAnswerTokens: maxAnswerTokens ?? answerTokens[dataSet] ?? fewestAnswerTokens,
          score: (prediction) => longBenchScore(prediction, answers, { dataSet, classes }),
          isDone: (prediction) => hasEnded(dataSet, prediction),
          ...(chance !== undefined && { chance }),
        });
      })
    );
  },
};

/** Classes of lengths in words of LongBench-E. */
function lengthClass(words: number): string {
  return words < 4000 ? "0-4k" : words < 8000 ? "4-8k" : "8k+";
}

/** Whether the line that counts has ended. */
function hasEnded(dataSet: string, prediction: string): boolean {
  const ended = linesOf(prediction).slice(0, -1);
  if (countsFirstLine(dataSet)) return ended.length > 0;
  return longBenchScoreOf(dataSet) === "code_sim" && ended.some(isCode);
}

/** The expected score of a class or a paragraph drawn at random. */
function chanceOf(
  dataSet: string,
  context: string,
  classes: readonly string[],
): number | undefined {
  const score = longBenchScoreOf(dataSet);
  if (score === "classification") return classes.length === 0 ? undefined : 1 / classes.length;
  const numbered = { "retrieval": /^Paragraph \d+/gm, "retrieval_zh": /^段落\d+/gm };
  if (score !== "retrieval" && score !== "retrieval_zh") return undefined;
  const paragraphs = new Set(context.match(numbered[score])).size;
  return paragraphs === 0 ? undefined : 1 / paragraphs;
}
