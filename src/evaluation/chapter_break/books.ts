import { z } from "zod";
import { oneOf, positiveInteger, seed, text } from "../../declaration/fields.ts";
import type { Accepts, Assert, Declared } from "../../declaration/part.ts";
import { type Problem, wrong } from "../../declaration/problem.ts";
import { writeBookChapterBreak } from "../../text/chapter_break.ts";
import { chapteredBooks } from "../../text/chapters.ts";
import { corpora } from "../../text/corpora/corpora.ts";
import { whySlow } from "../../text/regex_safety.ts";
import type { ChapterBreakSourceKind } from "./source.ts";

/** Chapters of the corpus's files, found as its `index.json` says, in texts that it does not list by their headings. */
export interface BookChapters {
  /** Distinguishes it from other sources. */
  readonly kind: "books";
  /** Documents of this split. */
  readonly split: "valid" | "test";
  /** Tokens before a break that are needed, so that all prefixes are whole. */
  readonly minPrefixTokens: number;
  /** Seed of the choice of wrong openings. */
  readonly seed: number;
  /** Regular expression of a whole heading; absent: "Chapter IV", "LETTER 12.", "XIV" and the like. */
  readonly headings?: string;
}

const schema = z.strictObject({
  kind: z.literal("books"),
  split: oneOf("valid", "test").exactOptional(),
  minPrefixTokens: positiveInteger.exactOptional(),
  seed: seed.exactOptional(),
  headings: text.exactOptional(),
});
type _SchemaAcceptsTheType = Assert<Accepts<typeof schema, Declared<BookChapters, "kind">>>;

/** Books of the corpus, as a source of chapter breaks. */
export const bookChapters: ChapterBreakSourceKind<Declared<BookChapters, "kind">, BookChapters> = {
  schema,
  isMadeOf: ({ folder }) => folder !== undefined,
  fill: (source, { prefixTokens }) => ({
    split: "test",
    minPrefixTokens: Math.max(...prefixTokens),
    seed: 1,
    ...source,
  }),
  check: ({ headings }, path) =>
    headings === undefined ? [] : headingProblems(headings, `${path}.source.headings`),
  minPrefixTokens: ({ minPrefixTokens }) => minPrefixTokens,
  async works(source, corpus, { texts }) {
    const folder = corpora.get(corpus.kind).folder!(corpus);
    const books = await chapteredBooks(folder, await texts(source.split), source);
    return writeBookChapterBreak(books, source);
  },
};

function headingProblems(headings: string, path: string): Problem[] {
  try {
    new RegExp(headings, "u");
  } catch (error) {
    const rule = `is not a regular expression (${(error as Error).message})`;
    return [wrong(path, rule, headings, "regular expressions of a whole heading")];
  }
  const slow = whySlow({ source: headings, flags: "u" });
  return slow === undefined ? [] : [wrong(
    path,
    `may take far too long, since ${slow}`,
    headings,
    "expressions that match in one way alone",
  )];
}
