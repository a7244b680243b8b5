/**
 * SQuAD 1.1: questions about paragraphs of articles, answered by a span of the paragraph. There is one file, whose articles
 * are divided: demonstrations come from some, evaluated questions from the others.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { z } from "zod";
import { ifThere, readTextBytes } from "../files.ts";
import { Random } from "../random.ts";
import { InputRangeError } from "../errors.ts";
import { parseJsonFile, said } from "./json_entries.ts";

export interface SquadParagraph {
  readonly title: string;
  readonly context: string;
  readonly questions: readonly SquadQuestion[];
}

/** A question about a paragraph. */
export interface SquadQuestion {
  readonly id: string;
  readonly question: string;
  /** Answers that several people gave, at least one. */
  readonly answers: readonly string[];
}

/** The paragraphs of both parts, and the hash of their source. */
export interface SquadData {
  /** Paragraphs of the articles that demonstrations are drawn from. */
  readonly demonstrations: readonly SquadParagraph[];
  /** Paragraphs of the articles whose questions are evaluated. */
  readonly evaluated: readonly SquadParagraph[];
  /** SHA-256 (hexadecimal) of the data read: the questions, and which articles are in which part. */
  readonly hash: string;
}

/** The file of questions, which may be compressed, and the one that says which articles are in which part. */
export const squadFiles = { questions: "dev-v1.1.json", split: "dev-article-split.json" } as const;

const squadFile = z.looseObject({
  data: z.array(z.looseObject({
    title: said,
    paragraphs: z.array(z.looseObject({
      context: said,
      qas: z.array(z.looseObject({
        id: said,
        question: said,
        answers: z.array(z.looseObject({ text: said })).min(1, "must have an answer"),
      })),
    })),
  })).min(2, "must have two articles, one for each part"),
});
const splitFile = z.looseObject({
  demonstrations: z.array(said).min(1),
  evaluation: z.array(said).min(1),
});

/**
 * Reads SQuAD from a folder. Where `dev-article-split.json` does not say which articles are in which part, half of them are
 * drawn for each, always the same.
 *
 * @throws {Deno.errors.NotFound} If there are no questions.
 * @throws {SyntaxError} If a file is not in its format, naming the field.
 * @throws {RangeError} If an article is in both parts or in none, a part is empty, an answer is not in its paragraph, or an id is not unique.
 */
export async function readSquad(folder: string): Promise<SquadData> {
  const path = join(folder, squadFiles.questions);
  const bytes = await ifThere(readTextBytes(path)) ?? await ifThere(readTextBytes(`${path}.gz`));
  if (!bytes) {
    throw new Deno.errors.NotFound(
      `Cannot read SQuAD as neither "${path}" nor "${path}.gz" is there`,
    );
  }
  const paragraphs = paragraphsOf(parseJsonFile(bytes, path, squadFile), path);
  const titles = [...new Set(paragraphs.map(({ title }) => title))];
  const splitPath = join(folder, squadFiles.split);
  const splitBytes = await ifThere(readTextBytes(splitPath));
  const inDemonstrations = splitBytes
    ? declaredSplit(parseJsonFile(splitBytes, splitPath, splitFile), titles, splitPath)
    : drawnSplit(titles);
  const isShown = ({ title }: SquadParagraph) => inDemonstrations.has(title);
  const hash = createHash("sha256").update(bytes).update(
    JSON.stringify([...inDemonstrations].sort()),
  );
  return {
    demonstrations: paragraphs.filter(isShown),
    evaluated: paragraphs.filter((paragraph) => !isShown(paragraph)),
    hash: hash.digest("hex"),
  };
}

/** Paragraphs with at least one question. */
function paragraphsOf({ data }: z.output<typeof squadFile>, path: string): SquadParagraph[] {
  const ids = new Set<string>();
  const paragraphs = data.flatMap(({ title, paragraphs }) =>
    paragraphs.map(({ context, qas }) => ({
      title,
      context,
      questions: qas.map(({ id, question, answers }): SquadQuestion => {
        if (ids.has(id)) {
          throw new InputRangeError(`Cannot read "${path}" as two questions have the id "${id}"`);
        }
        ids.add(id);
        const outside = answers.find(({ text }) => !context.includes(text));
        if (outside) {
          throw new InputRangeError(
            `Cannot read "${path}" as the answers of question "${id}" must be in its paragraph: ` +
              `current value is ${JSON.stringify(outside.text)}`,
          );
        }
        return { id, question, answers: answers.map(({ text }) => text) };
      }),
    }))
  );
  return paragraphs.filter(({ questions }) => questions.length > 0);
}

function declaredSplit(
  { demonstrations, evaluation }: z.output<typeof splitFile>,
  titles: readonly string[],
  path: string,
): ReadonlySet<string> {
  const shown = new Set(demonstrations), asked = new Set(evaluation);
  const wrong = titles.find((title) => shown.has(title) === asked.has(title));
  if (wrong !== undefined) {
    throw new InputRangeError(
      `Cannot divide SQuAD by "${path}" as each article must be in one part: current number of parts of ` +
        `"${wrong}" is ${shown.has(wrong) ? 2 : 0}`,
    );
  }
  for (const [name, part] of Object.entries({ demonstrations: shown, evaluation: asked })) {
    if (titles.some((title) => part.has(title))) continue;
    throw new InputRangeError(`Cannot divide SQuAD by "${path}" as no article is in ${name}`);
  }
  return shown;
}

function drawnSplit(titles: readonly string[]): ReadonlySet<string> {
  const order = new Random("squad/articles").shuffle([...titles].sort());
  return new Set(order.slice(0, Math.floor(titles.length / 2)));
}
