/**
 * ChapterBreak (arXiv 2204.10878): a long text that ends where a chapter ends, and six texts of the same work, of which one
 * begins the next chapter. Instances are read from files in the official format, or made of books with chapters.
 */
import { z } from "zod";
import { type ChapteredBook, holdsHeading } from "./chapters.ts";
import { Random } from "../random.ts";
import { parseJson } from "../files.ts";
import { InputRangeError } from "../errors.ts";
import { parseEntry, said } from "./json_entries.ts";

/** An instance in the official format. */
export interface ChapterBreakInstance {
  /** The text before the chapter break. */
  readonly ctx: string;
  /** How the next chapter begins. */
  readonly pos: string;
  /** Five other texts of the work. */
  readonly negs: readonly string[];
}

/** Instances of each work, by its name. */
export type ChapterBreakWorks = Readonly<Record<string, readonly ChapterBreakInstance[]>>;

/** Wrong texts of an instance. */
export const negatives = 5;

const worksForm = z.record(
  z.string(),
  z.array(z.looseObject({
    ctx: said,
    pos: said,
    negs: z.array(said).length(negatives, `must be ${negatives} texts`),
  })),
).refine(
  (works) => Object.values(works).some(({ length }) => length > 0),
  "must have an instance",
);

/**
 * Reads a split of a file in the official format: an object of splits (`pg19` and `ao3` in the official ones), each an object
 * of works.
 *
 * @param json Content of the file.
 * @param name Name of the file, for errors.
 * @throws {SyntaxError} If it is no JSON or has another form, naming split, work, instance and field.
 * @throws {RangeError} If the split is not in it.
 */
export function parseChapterBreak(
  json: string,
  { name, split }: { readonly name: string; readonly split: string },
): ChapterBreakWorks {
  const where = `ChapterBreak file "${name}"`;
  const splits = parseEntry(
    { value: parseJson(json, where), where },
    z.record(z.string(), z.unknown()),
  );
  if (!Object.hasOwn(splits, split)) {
    throw new InputRangeError(
      `Cannot read ${where} as it has no split "${split}": its splits are ${
        Object.keys(splits).join(", ") || "none"
      }`,
    );
  }
  return parseEntry({ value: splits[split], where: `split "${split}" of ${where}` }, worksForm);
}

/** Words of an opening: about as many as in the official files. */
const openingWords = 150;

/**
 * Makes instances of books: the text before a chapter, the chapter's opening, and the openings of five later chapters.
 * An opening is the first 150 words after the heading. Earlier chapters are no negatives, since the text has them word for
 * word; nor are openings of shorter chapters, openings that hold another heading, or ones that are alike.
 *
 * @param seed Seed of the choice of negatives, where more than five chapters follow.
 * @returns Instances of each book that has any; `ctx` is all of the book before the break.
 */
export function writeBookChapterBreak(
  books: readonly ChapteredBook[],
  { seed }: { readonly seed: number | string },
): ChapterBreakWorks {
  const works = books.map((book) => [book.name, instancesOf(book, seed)] as const);
  return Object.fromEntries(works.filter(([, instances]) => instances.length > 0));
}

function instancesOf(
  { name, text, chapters }: ChapteredBook,
  seed: number | string,
): ChapterBreakInstance[] {
  const openings = chapters.map((chapter, i) => {
    const end = chapters[i + 1]?.start ?? text.length;
    const opening = openingOf(text.slice(chapter.textStart, end));
    return opening === undefined || holdsHeading(opening) ? undefined : opening;
  });
  return chapters.flatMap(({ start }, i): ChapterBreakInstance[] => {
    const pos = openings[i], ctx = text.slice(0, start);
    if (pos === undefined || !/\S/.test(ctx)) return [];
    const later = new Set(openings.slice(i + 1).filter((opening) => opening !== undefined));
    later.delete(pos);
    if (later.size < negatives) return [];
    const random = new Random(`${seed}/chapter break/${name}/${i}`);
    return [{ ctx, pos, negs: random.shuffle([...later]).slice(0, negatives) }];
  });
}

/** The first words of a chapter; undefined where it has fewer. */
function openingOf(chapter: string): string | undefined {
  let words = 0;
  for (const { index, 0: word } of chapter.matchAll(/\S+/g)) {
    if (++words === openingWords) return chapter.slice(0, index + word.length).trimStart();
  }
  return undefined;
}
