/**
 * Where the chapters of a book begin: as an index beside the texts says, or by what headings look like.
 */
import { join } from "node:path";
import type { Document } from "./corpus.ts";
import { InputTypeError } from "../errors.ts";

/** A chapter of a text; offsets count UTF-16 units. */
export interface Chapter {
  /** Where its heading begins. */
  readonly start: number;
  /** Where its text begins: after the heading, and after the titles that follow it. */
  readonly textStart: number;
}

const numerals = "[ivxlcdm]+|\\d+|(?:the\\s+)?(?:(?:twenty|thirty|forty|fifty)(?:-\\w+)?|" +
  "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen|" +
  "first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|last)";

/**
 * What headings look like unless a declaration says otherwise: a line of at most about 80 characters that begins with
 * "chapter", "letter", "canto" or "stave" and its number ("CHAPTER IV", "Chapter 12.", "Chapter Two HOW IT ENDED", "LETTER THE
 * FIRST"), or a Roman numeral in capitals alone ("XII", "IV.").
 */
const headingPattern: string =
  `(?i:(?:chapter|letter|canto|stave)\\s+(?:${numerals})(?![\\w'])(?!-\\w).{0,60})|[IVXLC]+\\.?`;

/**
 * Finds chapters by their headings: lines that are nothing but a heading with white space around it, and that the next line
 * does not continue with a small letter.
 *
 * @param pattern Regular expression of a whole heading.
 */
export function findChapters(text: string, pattern: string = headingPattern): Chapter[] {
  return chaptersAt(text, headingOffsets(text, pattern));
}

/** Whether a text has a line that looks like a heading. */
export function holdsHeading(text: string): boolean {
  return headingOffsets(text, headingPattern).length > 0;
}

function headingOffsets(text: string, pattern: string): number[] {
  const heading = new RegExp(`^\\s*(?:${pattern})\\s*$`, "u");
  return [...text.matchAll(/.+/g)]
    .filter(({ index, 0: line }) => heading.test(line) && !isContinued(text, index + line.length))
    .map(({ index }) => index);
}

/**
 * Chapters whose headings begin at offsets in order. White space and titles after a heading are no part of the text; a title
 * is a line of at most 100 characters that the next one does not continue with a small letter and that either has no
 * small letters, or ends without a mark of punctuation although the next word would have fitted on it.
 */
export function chaptersAt(text: string, offsets: readonly number[]): Chapter[] {
  const width = lineWidth(text);
  return offsets.map((start) => ({ start, textStart: textStartAfter(text, start, width) }));
}

/** Lines of titles after a heading: "TREATS OF OLIVER TWIST'S GROWTH,\nEDUCATION, AND BOARD" has two. */
const mostTitleLines = 3;

function textStartAfter(text: string, heading: number, width: number): number {
  let start = heading;
  for (let line = 0; line <= mostTitleLines; line++) {
    const end = lineEnd(text, start);
    if (line > 0 && !isTitle(text, { start, end, width })) break;
    start = end + /^\s*/.exec(text.slice(end, end + 1000))![0].length;
  }
  return start;
}

function isTitle(
  text: string,
  { start, end, width }: { readonly start: number; readonly end: number; readonly width: number },
): boolean {
  const line = text.slice(start, end).trim();
  if (line === "" || line.length > 100 || isContinued(text, end)) return false;
  if (!/\p{Ll}/u.test(line)) return /\p{Lu}/u.test(line);
  if (/[^\p{L}\p{N}]$/u.test(line)) return false;
  const [nextWord] = /^\r?\n[^\S\n]*\S*/.exec(text.slice(end, end + 1000)) ?? [""];
  return line.length + nextWord.trim().length < width;
}

/** Whether the line that ends here is continued by one that begins with a small letter. */
function isContinued(text: string, end: number): boolean {
  return /^\r?\n[^\S\n]*\p{Ll}/u.test(text.slice(end, end + 1000));
}

function lineEnd(text: string, start: number): number {
  const end = text.indexOf("\n", start);
  return end < 0 ? text.length : end;
}

/** The width at which lines are wrapped: few are longer. */
function lineWidth(text: string): number {
  const lengths = [...text.matchAll(/\S.*/g)].map(([line]) => line.trimEnd().length)
    .sort((a, b) => a - b);
  return lengths[Math.floor(0.95 * lengths.length)] ?? 0;
}

/** A book, and where its chapters begin. */
export interface ChapteredBook {
  /** Name of the work. */
  readonly name: string;
  /** Its whole text. */
  readonly text: string;
  /** Its chapters in order. */
  readonly chapters: readonly Chapter[];
}

/**
 * Finds the chapters of the documents of a corpus: where its index says, of documents that it does not list by their headings.
 *
 * @param folder Folder of the corpus.
 * @param options `headings`: regular expression of a whole heading.
 * @throws {TypeError} If the index cannot be used.
 */
export async function chapteredBooks(
  folder: string,
  documents: readonly Document[],
  options: { readonly headings?: string } = {},
): Promise<ChapteredBook[]> {
  const index = await readChapterIndex(folder);
  return documents.map(({ name, text }) => {
    const offsets = index.get(name);
    return {
      name,
      text,
      chapters: offsets ? chaptersAt(text, offsets) : findChapters(text, options.headings),
    };
  });
}

/**
 * Offsets of headings by the name of the document, from an `index.json` in the folder of a corpus: a list of `{ file, chapters:
 * [[offset, heading], ...] }`, the file below the folder and offsets in UTF-16 units of its text. Documents without chapters,
 * and folders without an index, have none.
 *
 * @throws {TypeError} If the index is no JSON, or the offsets of a document are not integers in rising order.
 */
async function readChapterIndex(folder: string): Promise<Map<string, number[]>> {
  const path = join(folder, "index.json");
  let entries: unknown;
  try {
    entries = JSON.parse(await Deno.readTextFile(path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return new Map();
    }
    if (!(error instanceof SyntaxError)) throw error;
    throw new InputTypeError(
      `Cannot read chapters from "${path}" as it is no JSON: ${error.message}`,
    );
  }
  const offsetsByName = new Map<string, number[]>();
  for (const entry of Array.isArray(entries) ? entries : []) {
    const { file, chapters } = entry as { file?: unknown; chapters?: unknown };
    if (typeof file !== "string" || !Array.isArray(chapters) || chapters.length === 0) continue;
    const offsets = chapters.map((chapter) => Array.isArray(chapter) ? chapter[0] : chapter);
    const wrong = offsets.findIndex((offset, i) =>
      !(Number.isSafeInteger(offset) && offset >= 0 && (i === 0 || offset > offsets[i - 1]))
    );
    if (wrong >= 0) {
      throw new InputTypeError(
        `Cannot read chapters from "${path}" as offset ${wrong} of "${file}" must be an integer above ` +
          `those before it: current value is ${JSON.stringify(offsets[wrong])}`,
      );
    }
    offsetsByName.set(file.split("/").at(-1)!.replace(/\.txt(\.gz)?$/, ""), offsets);
  }
  return offsetsByName;
}
