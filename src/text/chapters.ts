/**
 * Finds where the chapters of a book begin: from an index beside the texts, or from the form of headings.
 */
import type { Document } from "./corpus.ts";
import { type IndexedChapter, readCorpusIndex } from "./corpus_index.ts";
import { whySlow } from "./regex_safety.ts";
import { InputRangeError } from "../errors.ts";

/** A chapter of a text; offsets count UTF-16 units. */
export interface Chapter {
  /** Where its heading begins. */
  readonly start: number;
  /** Where its text begins: after the heading, and after the titles that follow it. */
  readonly textStart: number;
}

/**
 * Roman numerals of 1 to 399, no letter after them; larger ones are words more often ("mix", "di") than numbers of
 * chapters.
 */
const roman = "(?=\\w)c{0,3}(?:xc|xl|l?x{0,3})(?:ix|iv|v?i{0,3})";

const units = "one|two|three|four|five|six|seven|eight|nine";
const ordinalUnits = "first|second|third|fourth|fifth|sixth|seventh|eighth|ninth";
const teens = "ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen";
const tens = "twent|thirt|fort|fift|sixt|sevent|eight|ninet";
/** Cardinals and ordinals below one hundred in words: "sixty-one", "twenty second", "fortieth". */
const belowHundred =
  `(?:${tens})(?:y(?:[-\\s](?:${ordinalUnits}|${units}))?|ieth)|tenth|eleventh|twelfth|` +
  `(?:thir|four|fif|six|seven|eigh|nine)teenth|${teens}|${ordinalUnits}|${units}`;
const words =
  `(?:(?:${units}|a)\\s+)?hundred(?:th|(?:\\s+and)?\\s+(?:${belowHundred}))?|${belowHundred}`;
/** "Chapter" and its number; characters for numerals, and II and III as scanned texts have them, among the latter. */
const numbered = inAnyCase(
  `(?:chapter|letter|canto|stave)\\s+` +
    `(?:${roman}|[\u2160-\u217f]+|l{2,3}|\\d+|(?:the\\s+)?(?:${words}|last))`,
) +
  // Not a part of a word: "one's", "two-fold".
  "(?![\\w'\u2019])(?!-\\w)";

/**
 * Default form of headings: a line of at most about 80 characters that begins with
 * "chapter", "letter", "canto" or "stave" and its number ("CHAPTER IV", "Chapter 12.", "Chapter Two HOW IT ENDED", "LETTER THE
 * FIRST"), or a Roman numeral in capitals alone ("XII", "IV."). A word in small letters after the number makes it a sentence
 * ("Letter I wrote") unless "chapter" is in capitals; "chapter iv" in small letters stands alone.
 */
const headingPattern: string = `(?=\\p{Lu}{2})${numbered}.{0,60}|` +
  `(?=\\p{Lu})${numbered}(?!\\s+(?!in which|wherein|containing)\\p{Ll}).{0,60}|` +
  `${numbered}[^\\p{L}\\p{N}]{0,5}|` +
  `${roman.replace(/[ivxlc]/g, (letter) => letter.toUpperCase())}\\.?`;

/** An expression that also matches capitals. V8 overlooks some where `(?i:)` says so. */
function inAnyCase(pattern: string): string {
  return pattern.replace(
    /\\.|[a-z]/g,
    (part) => part.length > 1 ? part : `[${part}${part.toUpperCase()}]`,
  );
}

/** Longest line that may be a heading, in UTF-16 units: bounds the time that an expression takes. */
const longestHeading = 1_000;

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
  if (pattern !== headingPattern) checkHeadings(pattern);
  const heading = new RegExp(`^\\s*(?:${pattern})\\s*$`, "u");
  const offsets: number[] = [];
  for (const { index, 0: line } of text.matchAll(/[^\r\n]+/g)) {
    if (line.length > longestHeading || !heading.test(line)) continue;
    if (!isContinued(text, index + line.length)) offsets.push(index);
  }
  return offsets;
}

/** Checks an expression that a declaration or the command line gives. */
function checkHeadings(pattern: string): void {
  const slow = whySlow({ source: pattern, flags: "u" });
  if (slow === undefined) return;
  throw new InputRangeError(
    `Cannot find headings as their expression may take far too long, since ${slow}: current value is ${
      JSON.stringify(pattern)
    }`,
  );
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
  const [nextWord] = /^(?:\r\n?|\n)[^\S\r\n]*\S*/.exec(text.slice(end, end + 1000)) ?? [""];
  return line.length + nextWord.trim().length < width;
}

/** Whether the line that ends here is continued by one that begins with a small letter. */
function isContinued(text: string, end: number): boolean {
  return /^(?:\r\n?|\n)[^\S\r\n]*\p{Ll}/u.test(text.slice(end, end + 1000));
}

/** Line ends of all systems, CR alone among them. */
const lineBreak = /[\r\n]/g;

function lineEnd(text: string, start: number): number {
  lineBreak.lastIndex = start;
  return lineBreak.exec(text)?.index ?? text.length;
}

/** The width at which lines are wrapped: few are longer. */
function lineWidth(text: string): number {
  const lengths = [...text.matchAll(/\S[^\r\n]*/g)].map(([line]) => line.trimEnd().length)
    .sort((a, b) => a - b);
  return lengths[Math.floor(0.95 * lengths.length)] ?? 0;
}

export interface ChapteredBook {
  readonly name: string;
  readonly text: string;
  readonly chapters: readonly Chapter[];
}

/**
 * Finds the chapters of the documents of a corpus: where its index says, of documents that it does not list by their headings.
 *
 * @param folder Folder of the corpus.
 * @param options `headings`: regular expression of a whole heading.
 * @throws {SyntaxError} If the index is not JSON.
 * @throws {TypeError} If the index has another form.
 * @throws {RangeError} If the index is not that of these texts.
 */
export async function chapteredBooks(
  folder: string,
  documents: readonly Document[],
  options: { readonly headings?: string } = {},
): Promise<ChapteredBook[]> {
  const index = await readCorpusIndex(folder);
  return documents.map(({ name, text }) => {
    const chapters = index.documents.get(name)?.chapters ?? [];
    if (chapters.length === 0) {
      return { name, text, chapters: findChapters(text, options.headings) };
    }
    for (const chapter of chapters) checkIndexed(chapter, { name, text, path: index.path });
    return { name, text, chapters: chaptersAt(text, chapters.map(({ offset }) => offset)) };
  });
}

/** Characters of a line that an error quotes. */
const quotedCharacters = 60;

/** Checks that a line of the text begins at an offset of the index, with the heading that the index has beside it. */
function checkIndexed(
  { offset, heading }: IndexedChapter,
  { name, text, path }: {
    readonly name: string;
    readonly text: string;
    readonly path: string;
  },
): void {
  const shorten = (part: string) => part.trim().replace(/\s+/g, " ");
  const begins = /[^\r\n]*$/.exec(text.slice(Math.max(0, offset - 1000), offset))![0];
  const found = text.slice(offset, offset + 2 * (heading?.length ?? 0) + 1000);
  const isThere = offset < text.length && !/\S/.test(begins) &&
    (heading === undefined || shorten(found).startsWith(shorten(heading)));
  if (isThere) return;
  const line = /^.*/.exec(shorten(begins) + found)![0].slice(0, quotedCharacters);
  throw new InputRangeError(
    `Cannot read chapters of "${name}" from "${path}" as its text has no ` +
      (heading === undefined ? "line" : `line ${JSON.stringify(heading)}`) +
      ` at offset ${offset}: ` +
      (offset < text.length
        ? `current line there is ${JSON.stringify(line)}`
        : `current length is ${text.length}`) +
      "; the index may be of a text with other line ends",
  );
}
