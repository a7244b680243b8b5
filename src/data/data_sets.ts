/**
 * The data sets that are more than files at addresses: a file each in `sets/`, and its line here. Their names are those of
 * `data/datasets.json`.
 */
import type { DataSetSource } from "./data_set_source.ts";
import { chapterbreak } from "./sets/chapterbreak.ts";
import { latexBooks } from "./sets/latex_books.ts";
import { longmem558m } from "./sets/longmem_558m.ts";
import { novels } from "./sets/novels.ts";
import { npmCode } from "./sets/npm_code.ts";
import { pg19 } from "./sets/pg19.ts";
import { wikitext } from "./sets/wikitext.ts";

/** Sources by the names of their data sets. */
export const dataSetSources: Readonly<Record<string, DataSetSource>> = {
  chapterbreak,
  "latex_books": latexBooks,
  "longmem_558m": longmem558m,
  novels,
  "npm_code": npmCode,
  pg19,
  wikitext,
};
