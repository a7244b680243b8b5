/**
 * Questions of one's own: a file of JSON lines, each a question about a text, with right answers or with answers to choose from.
 */
import { z } from "zod";
import { InputRangeError, InputSyntaxError } from "../errors.ts";
import { decodeText, readTextBytes } from "../files.ts";
import { sha256Of } from "../sha256.ts";
import { type Entry, jsonLines, parseEntry, said } from "./json_entries.ts";

/** A question about a text. */
export interface Question {
  /** Names it in records. */
  readonly id: string;
  /** Text that is read into the memory first; may be empty. */
  readonly context: string;
  readonly question: string;
  /** Right answers, the first of which is scored; where there are choices, the right one. */
  readonly answers: readonly string[];
  /** Answers to choose from; absent: the answer is generated. */
  readonly choices?: readonly string[];
  /** Questions of one cluster, such as those about one author, are not independent. */
  readonly cluster?: string;
}

export interface QuestionData {
  readonly questions: readonly Question[];
  /** SHA-256 (hexadecimal) of the data read. */
  readonly hash: string;
}

const lineForm = z.strictObject({
  id: said.exactOptional(),
  context: z.string().default(""),
  question: said,
  answers: z.array(said).min(1, "must have an answer").exactOptional(),
  choices: z.array(said).min(2, "must have two choices").exactOptional(),
  answer: said.exactOptional(),
  cluster: said.exactOptional(),
});

/**
 * Reads questions. A line is an object: `question`; `context`, which is read first; `answers`, a list of right ones, or `choices`
 * with the right one, `answer`, among them; and where wanted `id` (default the number of the line) and `cluster`.
 *
 * @param path A file of JSON lines, also gzipped (`.gz`); lines without text are passed over.
 * @throws {Deno.errors.NotFound} If it is missing.
 * @throws {SyntaxError} If a line is not in the format, naming it and the field.
 * @throws {RangeError} If there is no question, two have one id, or an answer is not among its choices.
 */
export async function readQuestions(path: string): Promise<QuestionData> {
  const bytes = await readTextBytes(path);
  const questions: Question[] = [], ids = new Set<string>();
  for (const { line, ...entry } of jsonLines(decodeText(bytes, path), path)) {
    const question = questionOf(entry, String(line));
    if (ids.has(question.id)) {
      throw new InputRangeError(
        `Cannot read ${entry.where} as its id is taken: current value is "${question.id}"`,
      );
    }
    ids.add(question.id);
    questions.push(question);
  }
  if (questions.length === 0) {
    throw new InputRangeError(`Cannot read "${path}" as it has no question`);
  }
  return { questions, hash: sha256Of(bytes) };
}

function questionOf(entry: Entry, number: string): Question {
  const { where } = entry;
  const { id = number, context, question, answers, choices, answer, cluster } = parseEntry(
    entry,
    lineForm,
  );
  const common = { id, context, question, ...(cluster === undefined ? {} : { cluster }) };
  if (choices && answer !== undefined && !answers) {
    if (!choices.includes(answer)) {
      throw new InputRangeError(
        `Cannot read ${where} as answer must be one of its choices: current value is "${answer}"`,
      );
    }
    if (new Set(choices).size < choices.length) {
      throw new InputRangeError(`Cannot read ${where} as two of its choices are the same`);
    }
    return { ...common, answers: [answer], choices };
  }
  if (!answers || choices || answer !== undefined) {
    throw new InputSyntaxError(
      `Cannot read ${where} as it must have either answers, or choices and answer`,
    );
  }
  return { ...common, answers };
}
