/**
 * LongBench v2 (arXiv 2412.15204): questions with four choices, `choice_A` to `choice_D`, `answer` a letter, `context`, and `length` short,
 * medium or long, by which they are measured. Answered by the likelihood of the four letters behind the choices, where the official
 * script (github.com/THUDM/LongBench, pred.py) searches a written answer for "The correct answer is (A)": a model that writes none
 * is never without an answer here, so that chance is 0.25 and not 0. Texts are read whole, where the script cuts their middle out.
 */
import { z } from "zod";
import { parseEntry, said } from "../../../text/json_entries.ts";
import { type BenchmarkFormat, fillPrompt, planned } from "../format.ts";

const letters = ["A", "B", "C", "D"] as const;

const entryForm = z.looseObject({
  _id: said,
  length: z.enum(["short", "medium", "long"]),
  question: said,
  choice_A: said,
  choice_B: said,
  choice_C: said,
  choice_D: said,
  answer: z.enum(letters),
  context: z.string(),
});

const task = "longbench-v2";
const form = "{context}\n\nQuestion: {input}\nThe correct answer is";

/** LongBench v2. */
export const longBench2: BenchmarkFormat = {
  source: 'data.json of the Hugging Face data set "THUDM/LongBench-v2"',
  read: (files, { prompts }) =>
    files.flatMap(({ entries }) =>
      entries.map((entry) => {
        const { _id, length, question, answer, ...rest } = parseEntry(entry, entryForm);
        const choices = [rest.choice_A, rest.choice_B, rest.choice_C, rest.choice_D];
        const listed = choices.map((choice, i) => `(${letters[i]}) ${choice.trim()}`);
        const input = `${question.trim()}\n${listed.join("\n")}`, context = rest.context.trim();
        return planned({
          name: _id,
          task,
          length,
          ...fillPrompt(prompts[task] ?? form, { context, input }, entry.where),
          answers: [answer],
          choices: letters,
          maxAnswerTokens: 1,
          score: () => 0,
          isDone: () => true,
          chance: 1 / letters.length,
        });
      })
    ),
};
