/**
 * The sources of chapter breaks: a file each, and its lines here.
 */
import type { Declared } from "../../declaration/part.ts";
import { Registry } from "../../declaration/registry.ts";
import { type BookChapters, bookChapters } from "./books.ts";
import { type ChronicleChapters, chronicleChapters } from "./chronicle.ts";
import { type ChapterBreakFile, chapterBreakFile } from "./file.ts";
import type { AnyCorpus, ChapterBreakSourceKind } from "./source.ts";

/** Where the items of an evaluation of ChapterBreak come from. */
export type ChapterBreakSource = ChapterBreakFile | BookChapters | ChronicleChapters;

/** A source of items as declared. */
export type ChapterBreakSourceDeclaration =
  | ChapterBreakFile
  | Declared<BookChapters, "kind">
  | Declared<ChronicleChapters, "kind">;

/** The sources that declarations may name. */
export const chapterBreakSources = new Registry<
  ChapterBreakSourceKind<ChapterBreakSourceDeclaration, ChapterBreakSource>,
  ChapterBreakSourceDeclaration
>({ file: chapterBreakFile, books: bookChapters, chronicle: chronicleChapters });

/** Name of the source whose items are made of such a corpus; books where there is none. */
export function sourceMadeOf(corpus: AnyCorpus): ChapterBreakSource["kind"] {
  const made = chapterBreakSources.names.find((name) =>
    chapterBreakSources.get(name).isMadeOf?.(corpus)
  );
  return (made ?? "books") as ChapterBreakSource["kind"];
}
