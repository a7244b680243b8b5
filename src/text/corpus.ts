/**
 * Corpora: files of plain text or LaTeX source, which is read as it is, one a document.
 */
import { decodeText, readingError, readTextBytes, requireThere } from "../files.ts";
import { InputRangeError } from "../errors.ts";
import { sha256Of } from "../sha256.ts";
import { hashOf } from "./tokenizer.ts";

/** A text with a name. */
export interface Document {
  /** Name of the file, without its extension. */
  readonly name: string;
  /** The text; line ends as in the file, a leading byte order mark removed. */
  readonly text: string;
  /** SHA-256 (hexadecimal) of the file's bytes, uncompressed. */
  readonly sha256: string;
}

export interface DocumentFile {
  /** Name of the document: that of the file, without its extension. */
  readonly name: string;
  readonly path: string;
}

const extension = /\.(txt|tex)(\.gz)?$/;
const patterns = "*.txt, *.txt.gz, *.tex, *.tex.gz";

/**
 * Finds the documents of a corpus without reading them, in the order of their names (by code unit, so that
 * the order is the same everywhere).
 *
 * @param sources Files; folders, whose `.txt`, `.tex`, `.txt.gz` and `.tex.gz` files count, not their subfolders; or paths whose
 * last part has `*` for any characters and `?` for any one.
 * @throws {Deno.errors.NotFound} If a source is missing, or nothing there matches.
 * @throws {RangeError} If two files have one name, or wildcards stand before the last part of a path.
 */
export async function findDocuments(sources: readonly string[]): Promise<DocumentFile[]> {
  const paths = new Set<string>();
  for (const source of sources) {
    const found = await filesOf(source.replace(/(?<=.)\/+$/, ""));
    if (found.length === 0) {
      throw new Deno.errors.NotFound(
        `Cannot open corpus as "${source}" has no documents: names must match ${patterns}`,
      );
    }
    for (const path of found) paths.add(path);
  }
  const files = Array.from(paths, (path) => ({ name: documentName(path), path }));
  files.sort((a, b) => a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
  for (let i = 1; i < files.length; i++) {
    if (files[i].name === files[i - 1].name) {
      throw new InputRangeError(
        `Cannot open corpus as two documents have the name "${files[i].name}": ` +
          `current files are "${files[i - 1].path}" and "${files[i].path}"`,
      );
    }
  }
  return files;
}

/**
 * Opens a corpus: finds its documents, as `findDocuments` does, and reads them in that order.
 *
 * @param source A file, a folder or a path with wildcards.
 * @throws Whatever `findDocuments` and `readDocument` throw.
 */
export async function openCorpus(source: string): Promise<Document[]> {
  return await Array.fromAsync(await findDocuments([source]), readDocument);
}

/**
 * Reads one document.
 *
 * @throws {Deno.errors.NotFound} If it is missing.
 * @throws {RangeError} If it has no text but white space, or more than {@linkcode maxTextBytes}.
 * @throws {TypeError} If it is not a regular file, not UTF-8, or its gzip data is cut off or damaged.
 */
export async function readDocument(file: DocumentFile): Promise<Document> {
  const { name, path } = file;
  const bytes = await requireThere(
    readTextBytes(path),
    `Cannot read document "${path}" as there is no such file: current folder is "${Deno.cwd()}"`,
  );
  const text = decodeText(bytes, path);
  if (!/\S/.test(text)) {
    throw new InputRangeError(
      `Cannot read document "${path}" as it is empty: current length is ${text.length}`,
    );
  }
  return { name, text, sha256: sha256Of(bytes) };
}

/** SHA-256 over the names and bytes of documents. */
export async function hashDocuments(documents: AsyncIterable<Document>): Promise<string> {
  const hashes: string[] = [];
  for await (const { name, sha256 } of documents) hashes.push(name, sha256);
  return hashOf(hashes);
}

async function filesOf(source: string): Promise<string[]> {
  const slash = source.lastIndexOf("/");
  const folder = source.slice(0, slash + 1), last = source.slice(slash + 1);
  if (/[*?]/.test(folder)) {
    throw new InputRangeError(
      `Cannot open corpus as wildcards may stand in the last part of a path only: current value is "${source}"`,
    );
  }
  if (/[*?]/.test(last)) {
    const found: string[] = [];
    for (const entry of await list(folder || ".", source)) {
      if (!matchesWildcards(entry.name, last)) continue;
      const path = folder + entry.name;
      if (extension.test(entry.name)) found.push(path);
      else if (await isFolder(path, source)) found.push(...await documentsIn(path, source));
    }
    return found;
  }
  if (await isFolder(source, source)) return await documentsIn(source, source);
  if (extension.test(source)) return [source];
  throw new Deno.errors.NotFound(
    `Cannot open corpus as "${source}" is not a document: names must match ${patterns}`,
  );
}

/** Whether a name is a pattern with `*` for any characters and `?` for any one; in time of their lengths multiplied at most. */
export function matchesWildcards(name: string, pattern: string): boolean {
  const characters = Array.from(name), parts = Array.from(pattern);
  let i = 0, part = 0, star = -1, covered = 0;
  while (i < characters.length) {
    if (parts[part] === "*") {
      star = part++;
      covered = i;
    } else if (part < parts.length && (parts[part] === "?" || parts[part] === characters[i])) {
      i++;
      part++;
    } else if (star >= 0) {
      // The last star covers one more character.
      part = star + 1;
      i = ++covered;
    } else {
      return false;
    }
  }
  return parts.slice(part).every((rest) => rest === "*");
}

async function documentsIn(folder: string, source: string): Promise<string[]> {
  const entries = await list(folder, source);
  return entries.filter((entry) => !entry.isDirectory && extension.test(entry.name))
    .map((entry) => `${folder}/${entry.name}`);
}

async function list(folder: string, source: string): Promise<Deno.DirEntry[]> {
  return await found(folder, source, () => Array.fromAsync(Deno.readDir(folder)));
}

async function isFolder(path: string, source: string): Promise<boolean> {
  return (await found(path, source, () => Deno.stat(path))).isDirectory;
}

/** Looks a path up on the disk; errors name the source of the corpus where it is missing, else the path. */
async function found<T>(path: string, source: string, lookUp: () => Promise<T>): Promise<T> {
  const reading = lookUp().catch((error) => {
    throw readingError(path, error);
  });
  return await requireThere(
    reading,
    `Cannot open corpus as "${source}" is missing: current folder is "${Deno.cwd()}"`,
  );
}

/** Name of the document of a file: that of the file, without folder and extension. */
export function documentName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1).replace(extension, "");
}
