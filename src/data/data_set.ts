/**
 * Data sets that experiments read but that are not part of the repository: their files, whether these are there and whole, and
 * the command that gets them.
 */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as z from "zod";
import { ifThere, makeFolderOf, readJson, writeAtomically } from "../files.ts";
import { gitHashOf, hashFile } from "../text/download.ts";
import { checkedForm } from "./checked_form.ts";

const path = z.string().regex(/^[\w-][\w.-]*(\/[\w-][\w.-]*)*$/);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const gitHash = z.string().regex(/^[0-9a-f]{40}$/);

const file = z.strictObject({
  path,
  sha256: sha256.optional(),
  gitHash: gitHash.optional(),
  url: z.url({ protocol: /^https?$/ }).optional(),
  sourceSha256: sha256.optional(),
  names: z.array(z.string()).optional(),
  bundled: z.string().regex(/^[\w-]+\.json$/).optional(),
  optional: z.boolean().optional(),
}).refine((file) => file.url === undefined || isVerified(file), {
  error: "a file that is fetched must have a sha256 or a gitHash",
}).refine(({ url, sourceSha256 }) => sourceSha256 === undefined || url !== undefined, {
  error: "a file with a sourceSha256 must have the url of its source",
});

const dataSet = z.strictObject({
  name: z.string().regex(/^[a-z0-9_]+$/),
  what: z.string(),
  licence: z.string(),
  origin: z.string(),
  field: z.string().optional(),
  files: z.array(file),
});

const manifest = z.strictObject({ dataSets: z.array(dataSet) });

export interface DataFile {
  /** Path below the folder of the data set; on the disk it may end in `.gz`. */
  readonly path: string;
  /** SHA-256 (hexadecimal) of its bytes, uncompressed; absent where they are not known. */
  readonly sha256?: string | undefined;
  /** The hash by which git names its bytes, SHA-1 (hexadecimal), where only that is known. */
  readonly gitHash?: string | undefined;
  /** Where it can be fetched, or its source; absent where no address is known. */
  readonly url?: string | undefined;
  /** SHA-256 of the bytes at `url`, where the data set's source makes the file of them; absent: they are the file. */
  readonly sourceSha256?: string | undefined;
  /** Other names under which people have it. */
  readonly names?: readonly string[] | undefined;
  /** A file beside the list that it is a copy of; the user's own is as good. */
  readonly bundled?: string | undefined;
  /** Whether the data set is complete without it. */
  readonly optional?: boolean | undefined;
}

export interface DataSet {
  /** Name, and the folder below `data/`. */
  readonly name: string;
  /** Its content, in one line. */
  readonly what: string;
  /** Under which terms it can be used. */
  readonly licence: string;
  /** Where it comes from: repositories and commits, and the changes made to its files. */
  readonly origin: string;
  /** Field of a declaration that names its folder; absent where declarations name its files. */
  readonly field?: string | undefined;
  /** Its files, as far as they are known before it is fetched. */
  readonly files: readonly DataFile[];
}

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

/**
 * Record of a fetched data set whose files or hashes are not known in advance: `fetched.json` in its folder. Later checks compare
 * the files with it.
 */
export interface Receipt {
  /** Address and commit that the files are from, or the path that they were taken from. */
  readonly from: string;
  readonly files: readonly { readonly path: string; readonly sha256: string }[];
}

const receipt = z.strictObject({
  from: z.string(),
  files: z.array(z.strictObject({ path, sha256 })),
});

/** The list of the data sets that experiments of this project read. */
export const dataSetList: string = fileURLToPath(
  new URL("../../data/datasets.json", import.meta.url),
);

const receiptName = "fetched.json";

/** Whether the bytes of a file are known. */
export function isVerified(
  { sha256, gitHash }: {
    readonly sha256?: string | undefined;
    readonly gitHash?: string | undefined;
  },
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
  const files: { path: string; sha256: string }[] = [];
  for (const path of paths) {
    files.push({ path, sha256: (await hashFile(join(folder, path))).hash });
  }
  return { from, files };
}

/** Writes the record of a fetched data set. */
export async function writeReceipt(folder: string, content: Receipt): Promise<void> {
  const target = join(folder, receiptName);
  await makeFolderOf(target);
  await writeAtomically(target, `${JSON.stringify(content, null, 2)}\n`);
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
