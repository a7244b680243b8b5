/**
 * BABILong's published texts (arXiv 2406.10149) as JSON lines of `input`, `question` and `target`, in files or folders that name the task,
 * as `qa1.jsonl`, and where they do the length, as `4k/qa1.jsonl`. The score is the official one (github.com/booydar/babilong,
 * babilong/metrics.py); a task's labels are the targets of its files. Prompts are ours: the official ones have instructions and examples
 * for each task.
 */
import { z } from "zod";
import { InputRangeError } from "../../../errors.ts";
import { possibleLabels } from "../../../text/benchmarks/babi.ts";
import { englishBabi } from "../../../text/benchmarks/babi_wordings.ts";
import { parseEntry, said } from "../../../text/json_entries.ts";
import { type BenchmarkFormat, fillPrompt, planned } from "../format.ts";
import { answerParts, compareAnswers, endsFirstSentence } from "../scorers.ts";

const line = z.looseObject({ input: said, question: said, target: said });

const form = `${englishBabi.before}{context}${englishBabi.ask("{input}")}`;

/** BABILong's texts. */
export const babilongFiles: BenchmarkFormat = {
  source: 'the Hugging Face data set "RMT-team/babilong", written as JSON lines',
  read(files, { prompts, maxAnswerTokens = englishBabi.answerTokens }) {
    const read = files.map(({ path, entries }) => {
      const task = /(?<![a-z0-9])qa\d+(?!\d)/.exec(path)?.[0];
      if (task === undefined) {
        throw new InputRangeError(
          `Cannot read "${path}" as its name must have the task, as in "4k/qa1.jsonl"`,
        );
      }
      const length = /(?<![A-Za-z0-9])\d+[kM](?![A-Za-z0-9])/.exec(path)?.[0];
      return {
        task,
        length,
        lines: entries.map((entry) => ({ entry, ...parseEntry(entry, line) })),
      };
    });
    const labelsOf = (task: string) => {
      const lines = read.filter((file) => file.task === task).flatMap(({ lines }) => lines);
      return [...new Set(lines.flatMap(({ target }) => answerParts(target)))];
    };
    return read.flatMap(({ task, length, lines }) => {
      const labels = labelsOf(task);
      return lines.map(({ entry, input: context, question: input, target }, i) => {
        const possible = possibleLabels(labels, input);
        return planned({
          name: `${task}/${length ?? "text"}/${i + 1}`,
          task,
          ...(length !== undefined && { length }),
          ...fillPrompt(prompts[task] ?? form, { context, input }, entry.where),
          answers: [target],
          maxAnswerTokens,
          score: (prediction) =>
            Number(compareAnswers(prediction, { target, question: input, labels })),
          isDone: endsFirstSentence,
          // Of several things the share of right answers is not known.
          ...(possible.includes(target) && { chance: 1 / possible.length }),
        });
      });
    });
  },
};
