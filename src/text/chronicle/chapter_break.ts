/**
 * ChapterBreak on books of the chronicle: which of six openings begins the next chapter? The right one tells the
 * facts of the ship that rested last, the others those of other ships of the book.
 */
import { type ChapterBreakInstance, type ChapterBreakWorks, negatives } from "../chapter_break.ts";
import { Random } from "../../random.ts";
import { type ChronicleBook, openingTokens } from "./book.ts";
import { formatText } from "./tokenizer.ts";

/** Which instances are made of a book. */
export interface ChapterBreakOptions {
  /** Seed of the choice of wrong openings. */
  readonly seed: number | string;
  /** First chapter whose beginning is asked for, from 1. */
  readonly firstChapter: number;
}

/**
 * Makes a file in the official format of books, whose names differ: one split, `chronicle`. A book has {@linkcode negatives} openings
 * with a ship besides the right one.
 */
export function writeChapterBreak(
  books: readonly ChronicleBook[],
  options: ChapterBreakOptions,
): { readonly chronicle: ChapterBreakWorks } {
  const works = books.map((book) => [book.name, instancesOf(book, options)] as const);
  return { chronicle: Object.fromEntries(works) };
}

function instancesOf(
  { name, tokens, chapters }: ChronicleBook,
  { seed, firstChapter }: ChapterBreakOptions,
): ChapterBreakInstance[] {
  const random = new Random(`${seed}/chapter break/${name}`);
  // The first chapter begins without a ship.
  const openings = chapters.slice(1)
    .map((start) => formatText(tokens.subarray(start, start + openingTokens)));
  return chapters.slice(firstChapter).map((start, i) => {
    const pos = openings[firstChapter - 1 + i];
    const others = openings.filter((text) => text !== pos);
    return {
      ctx: formatText(tokens.subarray(0, start)),
      pos,
      negs: random.shuffle(others).slice(0, negatives),
    };
  });
}
