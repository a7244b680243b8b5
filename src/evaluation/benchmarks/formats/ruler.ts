/**
 * Files of RULER's own generator (arXiv 2404.06654): JSON lines of `input`, `outputs` and `answer_prefix`, in a folder named after the
 * task. The prompt is the official one, `input` and `answer_prefix`, without a chat template; so are scores and limits of answers
 * (github.com/NVIDIA/RULER, scripts/eval/synthetic/constants.py and scripts/data/synthetic/constants.py).
 */
import { z } from "zod";
import { publishedAnswerTokens } from "../../../text/benchmarks/ruler.ts";
import { parseEntry, said } from "../../../text/json_entries.ts";
import { type BenchmarkFormat, fileStem, folderName, planned, untilRight } from "../format.ts";
import { stringMatchAll, stringMatchPart } from "../scorers.ts";

const line = z.looseObject({
  input: said,
  outputs: z.array(said).min(1),
  answer_prefix: z.string().default(""),
});

export const rulerFiles: BenchmarkFormat = {
  source:
    "scripts/data/prepare.py of the GitHub repository NVIDIA/RULER writes TASK/validation.jsonl",
  read: (files, { maxAnswerTokens }) =>
    files.flatMap(({ path, entries }) => {
      const task = folderName(path) || fileStem(path);
      const score = task.startsWith("qa") ? stringMatchPart : stringMatchAll;
      return entries.map((entry, i) => {
        const { input, outputs, answer_prefix } = parseEntry(entry, line);
        return planned({
          name: `${task}/${i + 1}`,
          task,
          context: input,
          question: answer_prefix,
          answers: outputs,
          ...(score === stringMatchAll && { reference: outputs.join(", ") }),
          maxAnswerTokens: maxAnswerTokens ?? publishedAnswerTokens(task),
          ...untilRight((prediction) => score(prediction, outputs)),
        });
      });
    }),
};
