/**
 * LongMemEval (arXiv 2410.10813): questions about many sessions of a user with an assistant, a JSON list of `question_id`,
 * `question_type`, `question`, `answer`, `question_date`, `haystack_dates` and `haystack_sessions`.
 *
 * The official score is the verdict of a large language model (github.com/xiaowu0162/LongMemEval, src/evaluation/evaluate_qa.py), and
 * there is none here. In its place stand two that a program can compute, and that are not it: whether the words of the right answer
 * stand one after the other in the written one, and F1 of their words, both normalised as SQuAD's. Paraphrases count as wrong, and an
 * answer that names the right thing among wrong ones as right. Questions whose `answer` is no such text are asked and not scored: those
 * that cannot be answered (`_abs`), whose answer says why, and those of preferences, whose answer is a rubric. Records have the fields
 * `question_id` and `hypothesis` of the official script, which judges those of one model.
 */
import { z } from "zod";
import { parseEntry, said } from "../../../text/json_entries.ts";
import { stripPython } from "../../../text/python_space.ts";
import { f1, normalizeAnswer } from "../../squad.ts";
import { type BenchmarkFormat, fillPrompt, numberOrText, planned } from "../format.ts";

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

/** Whether the words of one text stand in another, one after the other, both normalised; not where it has none. */
function containsWords(text: string, words: string): boolean {
  const within = normalizeAnswer(words);
  return within !== "" && ` ${normalizeAnswer(text)} `.includes(` ${within} `);
}

/** LongMemEval. */
export const longMemEval: BenchmarkFormat = {
  source:
    'longmemeval_oracle.json or longmemeval_s_cleaned.json of the Hugging Face data set "xiaowu0162/longmemeval-cleaned"',
  read: (files, { prompts, maxAnswerTokens = 64 }) =>
    files.flatMap(({ entries }) =>
      entries.map((entry) => {
        const { question_id, question_type: task, answer, ...rest } = parseEntry(entry, entryForm);
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
        const context = sessions.join("\n");
        const isText = !question_id.includes("_abs") && task !== "single-session-preference";
        return planned({
          name: question_id,
          task,
          ...fillPrompt(prompts[task] ?? form, { context, input }, entry.where),
          answers: [answer],
          maxAnswerTokens,
          scoredBy: isText ? "judge or words" : "judge",
          score: (prediction) => Number(containsWords(prediction, answer)),
          f1: (prediction) => f1(prediction, [answer]),
          submitted: (prediction) => ({ question_id, hypothesis: stripPython(prediction) }),
          // More words lower F1, and a judge may like them.
          isDone: () => false,
        });
      })
    ),
};
