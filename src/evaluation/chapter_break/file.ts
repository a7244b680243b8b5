import { z } from "zod";
import { slug, text } from "../../declaration/fields.ts";
import type { Accepts, Assert } from "../../declaration/part.ts";
import { readText } from "../../files.ts";
import { parseChapterBreak } from "../../text/chapter_break.ts";
import type { ChapterBreakSourceKind } from "./source.ts";

/** A file in the official format. */
export interface ChapterBreakFile {
  /** Distinguishes it from other sources. */
  readonly kind: "file";
  /** The file, relative to the folder in which the command runs. */
  readonly path: string;
  /** One of its splits: in the official files `pg19` or `ao3`. */
  readonly split: string;
}

const schema = z.strictObject({ kind: z.literal("file"), path: text, split: slug });
type _SchemaAcceptsTheType = Assert<Accepts<typeof schema, ChapterBreakFile>>;

/** A file in the official format, as a source of chapter breaks. */
export const chapterBreakFile: ChapterBreakSourceKind<ChapterBreakFile, ChapterBreakFile> = {
  schema,
  fill: (source) => source,
  files: ({ path }) => [{ field: "source.path", path }],
  works: async ({ path, split }) => parseChapterBreak(await readText(path), { name: path, split }),
};
