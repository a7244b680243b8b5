/**
 * ChapterBreak (arXiv 2204.10878): a long text that ends where a chapter ends, and six texts of the same work, of which one
 * begins the next chapter. Instances are read from files in the official format, or made of books with chapters.
 */
import { type ChapteredBook, holdsHeading } from "./chapters.ts";
import { Random } from "../random.ts";
import { parseJson } from "../files.ts";
import { InputRangeError, InputTypeError } from "../errors.ts";

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

/**
 * Reads a split of a file in the official format: an object of splits (`pg19` and `ao3` in the official ones), each an object
 * of works.
 *
 * @param json Content of the file.
 * @param name Name of the file, for errors.
 * @throws {SyntaxError} If it is no JSON.
 * @throws {TypeError} If it has another shape, naming split, work, instance and field.
 * @throws {RangeError} If the split is not in it, a text is empty, or an instance has not five negatives.
 */
export function parseChapterBreak(
  json: string,
  { name, split }: { readonly name: string; readonly split: string },
): ChapterBreakWorks {
  const cannot = `Cannot read ChapterBreak file "${name}" as`;
  const file = parseJson(json, `ChapterBreak file "${name}"`);
  if (!isRecord(file)) {
    throw new InputTypeError(
      `${cannot} it must be an object of splits: current value is ${kindOf(file)}`,
    );
  }
  if (!Object.hasOwn(file, split)) {
    throw new InputRangeError(
      `${cannot} it has no split "${split}": its splits are ${
        Object.keys(file).join(", ") || "none"
      }`,
    );
  }
  const works = file[split];
  if (!isRecord(works)) {
    throw new InputTypeError(
      `${cannot} split "${split}" must be an object of works: current value is ${kindOf(works)}`,
    );
  }
  for (const [work, instances] of Object.entries(works)) {
    const inWork = `of work "${work}" of split "${split}"`;
    if (!Array.isArray(instances)) {
      throw new InputTypeError(
        `${cannot} the value ${inWork} must be a list of instances: current value is ${
          kindOf(instances)
        }`,
      );
    }
    instances.forEach((instance, i) =>
      checkInstance(instance, { cannot, where: `of instance ${i} ${inWork}` })
    );
  }
  if (!Object.values(works).some((instances) => (instances as unknown[]).length > 0)) {
    throw new InputRangeError(`${cannot} split "${split}" has no instances`);
  }
  return works as ChapterBreakWorks;
}

function checkInstance(
  instance: unknown,
  { cannot, where }: { readonly cannot: string; readonly where: string },
): void {
  if (!isRecord(instance)) {
    throw new InputTypeError(
      `${cannot} the value ${where} must be an object of ctx, pos, negs: current value is ${
        kindOf(instance)
      }`,
    );
  }
  const { ctx, pos, negs } = instance;
  if (!Array.isArray(negs)) {
    throw new InputTypeError(
      `${cannot} negs ${where} must be a list of texts: current value is ${kindOf(negs)}`,
    );
  }
  if (negs.length !== negatives) {
    throw new InputRangeError(
      `${cannot} negs ${where} must be ${negatives} texts: current number is ${negs.length}`,
    );
  }
  const texts = { ctx, pos, ...Object.fromEntries(negs.map((text, i) => [`negs.${i}`, text])) };
  for (const [field, text] of Object.entries(texts)) {
    if (typeof text !== "string") {
      throw new InputTypeError(
        `${cannot} ${field} ${where} must be text: current value is ${kindOf(text)}`,
      );
    }
    if (!/\S/.test(text)) throw new InputRangeError(`${cannot} ${field} ${where} is empty`);
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function kindOf(value: unknown): string {
  return value === undefined
    ? "missing"
    : value === null
    ? "null"
    : Array.isArray(value)
    ? "a list"
    : typeof value;
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
