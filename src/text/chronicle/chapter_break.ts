/**
 * ChapterBreak on books of the chronicle: which of six openings begins the next chapter? The right one tells the
 * facts of the ship that rested last, the others those of other ships of the book.
 */
import { type ChapterBreakInstance, type ChapterBreakWorks, negatives } from "../chapter_break.ts";
import { Random } from "../../random.ts";
import { type ChronicleBook, openingTokens } from "./book.ts";
import { formatText } from "./tokenizer.ts";
import { InputRangeError } from "../../errors.ts";

/** Which instances are made of a book. */
export interface ChapterBreakOptions {
  /** Seed of the choice of wrong openings. */
  readonly seed: number | string;
  /** First chapter whose beginning is asked for, from 0; default 4, so that there is a long text before it. */
  readonly firstChapter?: number;
}

/**
 * Makes a file in the official format of books: one split, `chronicle`.
 *
 * @throws {RangeError} If a book has too few chapters, or the options do not fit it.
 */
export function writeChapterBreak(
  books: readonly ChronicleBook[],
  options: ChapterBreakOptions,
): { readonly chronicle: ChapterBreakWorks } {
  const works = books.map((book) => [book.name, instancesOf(book, options)] as const);
  const chronicle = Object.fromEntries(works);
  if (Object.keys(chronicle).length < books.length) {
    throw new InputRangeError(
      `Cannot make ChapterBreak instances as books must have different names: current names are ${
        books.map((book) => book.name).join(", ")
      }`,
    );
  }
  return { chronicle };
}

function instancesOf(book: ChronicleBook, options: ChapterBreakOptions): ChapterBreakInstance[] {
  const { seed, firstChapter = 4 } = options;
  const { name, tokens, chapters } = book;
  if (!(Number.isInteger(firstChapter) && firstChapter >= 1 && firstChapter < chapters.length)) {
    throw new InputRangeError(
      `Cannot make ChapterBreak instances of "${name}" as firstChapter must be a chapter in 1 .. ${
        chapters.length - 1
      }: current value is ${firstChapter}`,
    );
  }
  const random = new Random(`${seed}/chapter break/${name}`);
  // The first chapter begins without a ship.
  const openings = chapters.map((start, i) =>
    i === 0 ? undefined : formatText(tokens.subarray(start, start + openingTokens))
  );
  return chapters.slice(firstChapter).map((start, i) => {
    const pos = openings[firstChapter + i]!;
    const others = new Set(openings.filter((text) => text !== undefined && text !== pos));
    if (others.size < negatives) {
      throw new InputRangeError(
        `Cannot make ChapterBreak instances of "${name}" as it must have ${negatives} other openings: ` +
          `current number of chapters is ${chapters.length}`,
      );
    }
    return {
      ctx: formatText(tokens.subarray(0, start)),
      pos,
      negs: random.shuffle([...others] as string[]).slice(0, negatives),
    };
  });
}
