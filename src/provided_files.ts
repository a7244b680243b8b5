/** Files in memory that are read by paths, as those of a disk. */

/** A folder of files in memory; disposing of it forgets them. */
export interface ProvidedFolder extends Disposable {
  /** Path of the folder: a file's is `${path}/${name}`. */
  readonly path: string;
}

/** Beginning of the path of every provided folder. */
const prefix = "provided-files:";

const folders = new Map<string, ReadonlyMap<string, Blob>>();
let count = 0;

/**
 * Makes files readable by paths that are not on a disk: parts of a web page, of an archive or of a database.
 *
 * @param files Contents by names within the folder, such as `config.json`: a `File` that a user chose, a `Blob`, or bytes.
 * @returns The folder, whose path every function takes that takes the path of a file or folder.
 *
 * @example A tokenizer from a text
 * ```ts
 * import assert from "node:assert/strict";
 * import { openTokenizer, provideFiles } from "@longmem/lab";
 *
 * const text = await Deno.readTextFile("data/chronicle/tokenizer.json"); // or from a server
 * using folder = provideFiles({ "tokenizer.json": new Blob([text]) });
 * const tokenizer = await openTokenizer({ kind: "file", path: `${folder.path}/tokenizer.json` });
 * assert.equal(tokenizer.vocabSize, 322);
 * ```
 */
export function provideFiles(
  files: Readonly<Record<string, Blob | ArrayBuffer | Uint8Array<ArrayBuffer>>>,
): ProvidedFolder {
  const path = `${prefix}${++count}`;
  const blobs = Object.entries(files).map(([name, content]) =>
    [name, content instanceof Blob ? content : new Blob([content])] as const
  );
  folders.set(path, new Map(blobs));
  return { path, [Symbol.dispose]: () => void folders.delete(path) };
}

/** Whether a path leads into a provided folder, of which there may be no such file. */
export function isProvided(path: string): boolean {
  return path.startsWith(prefix);
}

/** The names and contents of a provided folder; undefined where the path is not one. */
export function providedFolder(path: string): ReadonlyMap<string, Blob> | undefined {
  return folders.get(path.replace(/\/+$/, ""));
}

/** The content of a provided file; undefined where there is none. */
export function providedFile(path: string): Blob | undefined {
  const slash = path.indexOf("/");
  return slash < 0 ? undefined : folders.get(path.slice(0, slash))?.get(path.slice(slash + 1));
}
