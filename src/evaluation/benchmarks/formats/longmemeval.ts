/**
 * LongMemEval (arXiv 2410.10813): questions about many sessions of a user with an assistant, a JSON list of `question_id`,
 * `question_type`, `question`, `answer`, `question_date`, `haystack_dates` and `haystack_sessions`.
 *
 * The official score is the verdict of a large language model (github.com/xiaowu0162/LongMemEval, src/evaluation/evaluate_qa.py), and
 * there is none here. In its place stand two that a program can compute, and that are not it: whether the written answer contains
 * the right one, and F1 of their words, both normalised as SQuAD's. Paraphrases count as wrong, and an answer that names the right
 * thing among wrong ones as right. Questions whose answers are no such text are left out: those that cannot be answered (`_abs`),
 * and those of preferences, whose `answer` is a rubric.
 */
import { z } from "zod";
import { InputRangeError } from "../../../errors.ts";
import { parseEntry, said } from "../../../text/json_entries.ts";
import { f1 } from "../../squad.ts";
import { type BenchmarkFormat, fillPrompt, numberOrText, planned } from "../format.ts";
import { substringExactMatch } from "../scorers.ts";

const turn = z.looseObject({ role: said, content: z.string() });
const entryForm = z.looseObject({
  question_id: said,
  question_type: said,
  question: said,
  answer: numberOrText,
  question_date: said,
  haystack_dates: z.array(said),
  haystack_sessions: z.array(z.array(turn)),
}).refine(
  ({ haystack_dates, haystack_sessions }) => haystack_dates.length === haystack_sessions.length,
  {
    path: ["haystack_dates"],
    message: "must be as many as haystack_sessions",
  },
);

const form = "Sessions of a user with an assistant:\n\n{context}\n{input}\nAnswer:";

/** LongMemEval, the deterministic part. */
export const longMemEval: BenchmarkFormat = {
  source:
    'longmemeval_oracle.json or longmemeval_s_cleaned.json of the Hugging Face data set "xiaowu0162/longmemeval-cleaned"',
  read(files, { prompts, maxAnswerTokens = 64 }) {
    const items = files.flatMap(({ entries }) =>
      entries.flatMap((entry) => {
        const { question_id, question_type: task, answer, ...rest } = parseEntry(entry, entryForm);
        if (question_id.endsWith("_abs") || task === "single-session-preference") return [];
        const sessions = rest.haystack_sessions
          .map((turns, i) => ({ date: rest.haystack_dates[i], turns }))
          // By date, as the official script; oracle files are not sorted.
          .sort((a, b) => a.date < b.date ? -1 : a.date > b.date ? 1 : 0)
          .map(({ date, turns }) =>
            `Session of ${date}:\n${
              turns.map(({ role, content }) => `${role}: ${content.trim()}\n`).join("")
            }`
          );
        const input = `Today is ${rest.question_date}.\nQuestion: ${rest.question}`;
        const { before, question } = fillPrompt(prompts[task] ?? form, input, entry.where);
        return planned({
          name: question_id,
          task,
          context: before + sessions.join("\n"),
          question,
          answers: [answer],
          maxAnswerTokens,
          score: (prediction) => substringExactMatch(prediction, [answer]),
          f1: (prediction) => f1(prediction, [answer]),
          // More words lower F1.
          isDone: () => false,
        });
      })
    );
    if (items.length === 0) {
      throw new InputRangeError(
        "Cannot ask LongMemEval as all questions have answers that only a judge could score",
      );
    }
    return items;
  },
};
