/**
 * Data sets that experiments read but that are not part of the repository: their files, whether these are there and whole, and
 * the command that gets them.
 */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as z from "zod";
import { ifThere, readJson } from "../files.ts";
import { gitHashOf, hashFile } from "../text/download.ts";
import { checkedForm } from "./checked_form.ts";
import { writeFile } from "./local_files.ts";

/** The form of SHA-256, hexadecimal. */
export const sha256Form = z.string().regex(/^[0-9a-f]{64}$/);
/** The form of a path below a folder. */
export const pathForm = z.string().regex(/^[\w-][\w.-]*(\/[\w-][\w.-]*)*$/);

const file = z.strictObject({
  /** Path below the folder of the data set; on the disk it may end in `.gz`. */
  path: pathForm,
  /** SHA-256 of its bytes, uncompressed; absent where they are not known. */
  sha256: sha256Form.optional(),
  /** The hash by which git names its bytes, SHA-1 (hexadecimal), where only that is known. */
  gitHash: z.string().regex(/^[0-9a-f]{40}$/).optional(),
  /** Where it can be fetched, or its source; absent where no address is known. */
  url: z.url({ protocol: /^https?$/ }).optional(),
  /** SHA-256 of the bytes at `url`, where the data set's source makes the file of them; absent: they are the file. */
  sourceSha256: sha256Form.optional(),
  /** Other names under which people have it. */
  names: z.array(z.string()).optional(),
  /** A file beside the list that it is a copy of; the user's own is as good. */
  bundled: z.string().regex(/^[\w-]+\.json$/).optional(),
  /** Whether the data set is complete without it. */
  optional: z.boolean().optional(),
}).refine((file) => file.url === undefined || isVerified(file), {
  error: "a file that is fetched must have a sha256 or a gitHash",
}).refine(({ url, sourceSha256 }) => sourceSha256 === undefined || url !== undefined, {
  error: "a file with a sourceSha256 must have the url of its source",
});

const dataSet = z.strictObject({
  /** Name, and the folder below `data/`. */
  name: z.string().regex(/^[a-z0-9_]+$/),
  /** Its content, in one line. */
  what: z.string(),
  /** Under which terms it can be used. */
  licence: z.string(),
  /** Where it comes from: repositories and commits, and the changes made to its files. */
  origin: z.string(),
  /** Field of a declaration that names its folder; absent where declarations name its files. */
  field: z.string().optional(),
  /** Its files, as far as they are known before it is fetched. */
  files: z.array(file).readonly(),
});

const manifest = z.strictObject({ dataSets: z.array(dataSet) });

const receipt = z.strictObject({
  /** Address and commit that the files are from, or the path that they were taken from. */
  from: z.string(),
  files: z.array(z.strictObject({ path: pathForm, sha256: sha256Form })),
});

export type DataFile = Readonly<z.infer<typeof file>>;

export type DataSet = Readonly<z.infer<typeof dataSet>>;

/**
 * Record of a fetched data set whose files or hashes are not known in advance: `fetched.json` in its folder. Later checks compare
 * the files with it.
 */
export type Receipt = Readonly<z.infer<typeof receipt>>;

export interface DataSetState {
  /** Files that are there with the bytes they should have. */
  readonly whole: readonly DataFile[];
  /** Files that are there, with bytes that nothing is known of. */
  readonly unverified: readonly DataFile[];
  /** Files that are there with other bytes. */
  readonly different: readonly DataFile[];
  /** Files that are not there. */
  readonly missing: readonly DataFile[];
  /** Optional files that are not there. */
  readonly absent: readonly DataFile[];
}

/** The list of the data sets that experiments of this project read. */
export const dataSetList: string = fileURLToPath(
  new URL("../../data/datasets.json", import.meta.url),
);

const receiptName = "fetched.json";

/** Whether the bytes of a file are known. */
export function isVerified(
  { sha256, gitHash }: { readonly sha256?: unknown; readonly gitHash?: unknown },
): boolean {
  return sha256 !== undefined || gitHash !== undefined;
}

/**
 * Reads a list of data sets.
 *
 * @param path A JSON file such as `data/datasets.json`.
 * @throws {SyntaxError} Where it is not JSON.
 * @throws {TypeError} Where it is none, naming the field.
 */
export async function readDataSets(path: string): Promise<DataSet[]> {
  const { dataSets } = checkedForm(manifest, await readJson(path), `read data sets from "${path}"`);
  const beside = (file: DataFile): DataFile =>
    file.bundled === undefined ? file : { ...file, bundled: join(dirname(path), file.bundled) };
  return dataSets.map((set) => ({ ...set, files: set.files.map(beside) }));
}

/** The data set to which a path of a declaration belongs: that of the folder `data/NAME` in it. */
export function dataSetOf(path: string, dataSets: readonly DataSet[]): DataSet | undefined {
  const folders = path.split(/[\\/]/);
  return dataSets.find(({ name }) =>
    folders.some((folder, i) => folder === name && folders[i - 1] === "data")
  );
}

export function dataSetCommand({ name }: Pick<DataSet, "name">): string {
  return `deno task data ${name}`;
}

/**
 * The data set to which a missing path of a declaration belongs, with the command that gets it, and the option by which a run
 * reads it there where the path is another; undefined where the list has none.
 *
 * @param field Field of the declaration that names the path.
 */
export function commandFor(
  { field, path }: { readonly field: string; readonly path: string },
  dataSets: readonly DataSet[],
): { readonly name: string; readonly command: string } | undefined {
  const dataSet = dataSetOf(path, dataSets);
  if (!dataSet) return undefined;
  const { name } = dataSet, command = dataSetCommand(dataSet), target = `data/${name}`;
  if (path === target || path.startsWith(`${target}/`)) return { name, command };
  const rest = path.slice(path.lastIndexOf(target) + target.length);
  return { name, command: `${command}, then --set ${field}=${target}${rest}` };
}

/**
 * Compares the files in a folder with those of a data set and of its receipt; a folder that is not there has none.
 *
 * @throws {TypeError} Where the receipt has another form.
 */
export async function checkDataSet(
  { files }: Pick<DataSet, "files">,
  folder: string,
): Promise<DataSetState> {
  const state = {
    whole: [] as DataFile[],
    unverified: [] as DataFile[],
    different: [] as DataFile[],
    missing: [] as DataFile[],
    absent: [] as DataFile[],
  };
  const fetched = new Map((await readReceipt(folder))?.files.map((file) => [file.path, file]));
  const listed = files.map((file) =>
    isVerified(file) ? file : { ...file, sha256: fetched.get(file.path)?.sha256 }
  );
  const paths = new Set(files.map(({ path }) => path));
  const others = [...fetched.values()].filter(({ path }) => !paths.has(path));
  for (const file of [...listed, ...others] as DataFile[]) {
    const found = await stateOf(file, join(folder, file.path));
    state[found === "missing" && file.optional ? "absent" : found].push(file);
  }
  return state;
}

/** Whether all of a data set is there that must be. */
export function isComplete({ whole, unverified, different, missing }: DataSetState): boolean {
  return whole.length + unverified.length > 0 && different.length + missing.length === 0;
}

/**
 * Makes the record of a fetched data set, with the hashes of its files.
 *
 * @param from Address and commit that they are from, or the path that they were taken from.
 * @param paths The files below the folder.
 */
export async function receiptOf(
  from: string,
  folder: string,
  paths: readonly string[],
): Promise<Receipt> {
  const files: Receipt["files"] = [];
  for (const path of paths) {
    files.push({ path, sha256: (await hashFile(join(folder, path))).hash });
  }
  return { from, files };
}

/** Writes the record of a fetched data set. */
export async function writeReceipt(folder: string, content: Receipt): Promise<void> {
  await writeFile(join(folder, receiptName), `${JSON.stringify(content, null, 2)}\n`);
}

async function readReceipt(folder: string): Promise<Receipt | undefined> {
  const where = join(folder, receiptName);
  const value = await ifThere(readJson(where));
  return value === undefined ? undefined : checkedForm(receipt, value, `read "${where}"`);
}

async function stateOf(
  file: DataFile,
  path: string,
): Promise<"whole" | "unverified" | "different" | "missing"> {
  if (file.bundled !== undefined) return await isThere(path) ? "whole" : "missing";
  if (!isVerified(file)) return await isThere(path) ? "unverified" : "missing";
  for (const name of [path, `${path}.gz`]) {
    const isRight = await ifThere(hasBytes(file, name));
    if (isRight !== undefined) return isRight ? "whole" : "different";
  }
  return "missing";
}

/**
 * Whether a file on the disk, uncompressed where its name ends in `.gz`, has the bytes of one of a data set.
 *
 * @throws {Deno.errors.NotFound} Where there is none.
 */
export async function hasBytes({ sha256, gitHash }: DataFile, path: string): Promise<boolean> {
  return sha256 !== undefined
    ? (await hashFile(path)).hash === sha256
    : (await gitHashOf(path)).hash === gitHash;
}

async function isThere(path: string): Promise<boolean> {
  return (await ifThere(Deno.stat(path)))?.isFile ?? false;
}
