import { z } from "zod";
import { oneOf, positiveInteger, seed } from "../../declaration/fields.ts";
import type { Accepts, Assert, Declared } from "../../declaration/part.ts";
import { wrong } from "../../declaration/problem.ts";
import { negatives } from "../../text/chapter_break.ts";
import { writeChapterBreak } from "../../text/chronicle/chapter_break.ts";
import { chronicleOf, corpora } from "../../text/corpora/corpora.ts";
import type { ChapterBreakSourceKind } from "./source.ts";

/** Chapters of books of the chronicle: which of six openings tells of the ship that rested last? */
export interface ChronicleChapters {
  /** Distinguishes it from other sources. */
  readonly kind: "chronicle";
  /** Books of this split. */
  readonly split: "valid" | "test";
  /** First chapter, from 0, whose opening is asked for. */
  readonly firstChapter: number;
  /** Seed of the choice of wrong openings. */
  readonly seed: number;
}

const schema = z.strictObject({
  kind: z.literal("chronicle"),
  split: oneOf("valid", "test").exactOptional(),
  firstChapter: positiveInteger.exactOptional(),
  seed: seed.exactOptional(),
});
type _SchemaAcceptsTheType = Assert<Accepts<typeof schema, Declared<ChronicleChapters, "kind">>>;

/** Books of the chronicle, as a source of chapter breaks. */
export const chronicleChapters: ChapterBreakSourceKind<
  Declared<ChronicleChapters, "kind">,
  ChronicleChapters
> = {
  schema,
  // Its books have about 5,000 tokens.
  prefixTokens: [4096],
  isMadeOf: ({ chronicle }) => chronicle !== undefined,
  fill: (source) => ({ split: "test", firstChapter: 4, seed: 1, ...source }),
  check({ firstChapter }, path, corpus) {
    const { chapters } = chronicleOf(corpus)!.writing.book;
    // Beside the right one and the first, which has no ship, there must be the others.
    if (chapters < negatives + 2) {
      return [wrong(
        "corpus.config.book.chapters",
        `must give ${path} ${negatives} other openings`,
        chapters,
        `integers from ${negatives + 2}`,
      )];
    }
    return firstChapter < chapters ? [] : [wrong(
      `${path}.source.firstChapter`,
      "must be a chapter of a book",
      firstChapter,
      `integers from 1 to ${chapters - 1}`,
    )];
  },
  itemCount({ split, firstChapter }, corpus) {
    const books = corpora.get(corpus.kind).documentCount!(corpus, split);
    return books * (chronicleOf(corpus)!.writing.book.chapters - firstChapter);
  },
  works: async (source, _corpus, { books }) =>
    writeChapterBreak(await books(source.split), source).chronicle,
};
