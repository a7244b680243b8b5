import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as z from "zod";
import { InputError, InputRangeError } from "../../errors.ts";
import { decodeText, ifThere, isThere, readJson, readRegularFile } from "../../files.ts";
import { sha256Of } from "../../sha256.ts";
import { fetchBounded, hashFile } from "../../text/download.ts";
import { checkedForm } from "../checked_form.ts";
import { pathForm, sha256Form } from "../data_set.ts";
import type { DataSetSource, Obtaining } from "../data_set_source.ts";
import { writeFile } from "../local_files.ts";

const named = z.string().min(1);

const workForm = z.strictObject({
  title: named,
  authors: z.array(named).min(1),
  licence: named,
  repository: z.string().regex(/^[\w-]+\/[\w-][\w.-]*$/),
  commit: z.string().regex(/^[0-9a-f]{40}$/),
  split: z.string().regex(/^[\w-]+$/),
  sha256: sha256Form,
  paths: z.array(pathForm).min(1),
});

const workList = z.strictObject({ works: z.array(workForm).min(1) });

/**
 * A book or thesis in LaTeX: its title, authors and licence (an SPDX identifier where there is one); the GitHub repository
 * (`OWNER/NAME`), commit and paths of its source, in the order in which they are joined; and the folder and SHA-256 of its document.
 */
export type LatexWork = z.infer<typeof workForm>;

/** LaTeX sources of books and theses, a document each, in four splits by authors. */
export const latexBooks: DataSetSource = latexWorks({
  list: fileURLToPath(new URL("../../../data/latex_books.json", import.meta.url)),
  url: "https://raw.githubusercontent.com",
});

/**
 * The works of a list; they are fetched, or taken from a folder that has a clone at `OWNER/NAME` for each repository.
 *
 * @param options `list`: a JSON file such as `data/latex_books.json`; `url`: server of the files, `URL/OWNER/NAME/COMMIT/PATH`.
 */
export function latexWorks(
  { list, url }: { readonly list: string; readonly url: string },
): DataSetSource {
  return {
    async files() {
      const works = await readLatexWorks(list);
      return works.map((work) => ({ path: documentPath(work), sha256: work.sha256 }));
    },
    async fetch({ folder, limits, note }) {
      const missing = await missingWorks(list, folder);
      for (const [i, work] of missing.entries()) {
        note(`fetching "${work.title}" (${i + 1} of ${missing.length})`);
        const from = `${url}/${work.repository}/${work.commit}`;
        await writeDocument(work, folder, from, (path) => fetchFile(`${from}/${path}`, limits));
      }
      return undefined;
    },
    async take(from, { folder, note }) {
      const missing = await missingWorks(list, folder);
      let taken = 0;
      for (const work of missing) {
        const clone = join(from, work.repository);
        if (!await isThere(clone)) continue;
        await writeDocument(work, folder, clone, (path) => takeFile(join(clone, path), work));
        taken++;
      }
      note(`took ${taken} of ${missing.length} works from "${from}"`);
      if (taken > 0 || missing.length === 0) return undefined;
      throw new InputError(
        `Cannot take works from "${from}" as it has none of the clones that are missing: ` +
          `the first of ${missing.length} is "${missing[0].repository}"`,
      );
    },
  };
}

/**
 * Reads a list of works.
 *
 * @param path A JSON file such as `data/latex_books.json`.
 * @throws {TypeError} Where it is none, naming the field.
 * @throws {RangeError} Where two works would be one document, or an author is in two splits.
 */
export async function readLatexWorks(path: string): Promise<LatexWork[]> {
  const { works } = checkedForm(workList, await readJson(path), `read works from "${path}"`);
  const repositories = new Set<string>(), splits = new Map<string, string>();
  for (const { repository, authors, split } of works) {
    if (repositories.has(repository)) {
      throw new InputRangeError(
        `Cannot read works from "${path}" as "${repository}" is there twice`,
      );
    }
    repositories.add(repository);
    for (const author of authors) {
      const other = splits.get(author) ?? split;
      if (other !== split) {
        throw new InputRangeError(
          `Cannot read works from "${path}" as "${author}" is in the splits "${other}" and "${split}"`,
        );
      }
      splits.set(author, split);
    }
  }
  return works;
}

/** Path of a work's document below the folder of the data set. */
export function documentPath({ repository, split }: LatexWork): string {
  return `${split}/${repository.replace("/", "__")}.tex`;
}

/** The works of a list whose documents a folder does not have. */
async function missingWorks(list: string, folder: string): Promise<LatexWork[]> {
  const missing: LatexWork[] = [];
  for (const work of await readLatexWorks(list)) {
    const found = await ifThere(hashFile(join(folder, documentPath(work))));
    if (found?.hash !== work.sha256) missing.push(work);
  }
  return missing;
}

/**
 * Joins the files of a work and writes its document, whole or not at all.
 *
 * @param from Where its files are from, for errors.
 */
async function writeDocument(
  work: LatexWork,
  folder: string,
  from: string,
  read: (path: string) => Promise<Uint8Array>,
): Promise<void> {
  const parts: string[] = [];
  for (const path of work.paths) {
    parts.push(bodyOf(decodeText(await read(path), `${from}/${path}`)));
  }
  const document = parts.join("\n"), hash = sha256Of(document);
  if (hash !== work.sha256) {
    throw new InputRangeError(
      `Cannot keep "${work.title}" as its files at "${from}" are not those of commit ${work.commit}: ` +
        `expected SHA-256 ${work.sha256}, found ${hash}`,
    );
  }
  await writeFile(join(folder, documentPath(work)), document);
}

/** A file's text without preamble and what follows the document's end; all of it where it is part of another file. */
function bodyOf(source: string): string {
  const text = source.replaceAll("\r\n", "\n");
  const start = /^[ \t]*\\begin\{document\}[^\n]*\n?/m.exec(text);
  const body = start ? text.slice(start.index + start[0].length) : text;
  return body.replace(/^[ \t]*\\end\{document\}[^]*/m, "");
}

async function fetchFile(url: string, limits: Obtaining["limits"]): Promise<Uint8Array> {
  const response = await fetchBounded(url, { ...limits, status: 200 });
  if (response.status === 200) return new Uint8Array(await response.arrayBuffer());
  throw new InputRangeError(
    `Cannot fetch "${url}" as the server refuses: its status is ${response.status}`,
  );
}

async function takeFile(path: string, { title, commit }: LatexWork): Promise<Uint8Array> {
  if (await isThere(path)) return await readRegularFile(path);
  throw new InputError(
    `Cannot take "${title}" as "${path}" is not there: its clone must be at commit ${commit}`,
  );
}
