import {
  type Command,
  type CommandArguments,
  lastValue,
  newFile,
  onlyOperand,
  type Output,
  positiveInteger,
  reading,
  UsageError,
  writeNewFile,
} from "../command_line.ts";
import { writeAtomically } from "../files.ts";
import { writeBookChapterBreak } from "../text/chapter_break.ts";
import { chapteredBooks } from "../text/chapters.ts";
import { openCorpus } from "../text/corpus.ts";
import { InputRangeError } from "../errors.ts";

/** Words before a break, unless the command line says otherwise: more than 8,192 tokens. */
const defaultWords = 8192;

/** `chapter-break FOLDER --out FILE.json`: instances of ChapterBreak from books with chapters, in the official format. */
export function chapterBreakCommand(output: Output): Command {
  return {
    operandsArePaths: true,
    flags: [
      { name: "out", value: "FILE", isPath: true, help: "where to write; must not exist" },
      {
        name: "split",
        value: "NAME",
        help: "subfolder with the books, and the name of the split in the file (default test)",
      },
      {
        name: "words",
        value: "N",
        help: `words before a break at most (default ${defaultWords})`,
      },
      { name: "seed", value: "N", help: "seed of the choice of wrong openings (default 1)" },
      { name: "headings", value: "REGEX", help: "pattern that a whole heading must match" },
    ],
    execute: (args) => writeInstances(args, output),
  };
}

function checkPattern(headings: string): void {
  try {
    new RegExp(headings, "u");
  } catch (error) {
    throw new UsageError(
      `Cannot read --headings as it is not a regular expression: current value is "${headings}" ` +
        `(${(error as Error).message})`,
    );
  }
}

async function writeInstances(args: CommandArguments, output: Output): Promise<number> {
  const folder = onlyOperand(args, "make instances");
  const out = await newFile(args, "out");
  const split = lastValue(args, "split") ?? "test";
  const words = positiveInteger(args, "words") ?? defaultWords;
  const seed = positiveInteger(args, "seed") ?? 1;
  const headings = lastValue(args, "headings");
  if (headings !== undefined) checkPattern(headings);
  const works = await reading(async () => {
    const documents = await openCorpus(`${folder}/${split}`);
    const books = await chapteredBooks(folder, documents, { ...(headings && { headings }) });
    const made = Object.entries(writeBookChapterBreak(books, { seed }));
    if (made.length === 0) {
      throw new InputRangeError(
        `Cannot make instances of "${folder}/${split}" as no book has a chapter with five later ones of ` +
          `150 words each: current number of books is ${books.length}`,
      );
    }
    return made.map(([work, instances]) =>
      [
        work,
        instances.map(({ ctx, ...rest }) => ({ ctx: lastWords(ctx, words), ...rest })),
      ] as const
    );
  });
  const json = JSON.stringify({ [split]: Object.fromEntries(works) });
  await writeNewFile(out, () => writeAtomically(out, json));
  const count = works.reduce((sum, [, instances]) => sum + instances.length, 0);
  output.print(`${out}: ${count} chapter breaks of ${works.length} works`);
  return 0;
}

/** The last words of a text, at most so many, with the white space between and after them. */
function lastWords(text: string, count: number): string {
  let start = text.length;
  for (let words = 0; words < count && start > 0; words++) {
    while (start > 0 && /\s/.test(text[start - 1])) start--;
    while (start > 0 && /\S/.test(text[start - 1])) start--;
  }
  return text.slice(start);
}
