/**
 * Data sets that experiments read but that are not part of the repository: what they are, whether their files are
 * there and whole, and how to get them.
 */
import * as z from "zod";
import { ifThere, readJson } from "../files.ts";
import { InputTypeError } from "../errors.ts";
import { downloadFile, type DownloadOptions, hashFile } from "./download.ts";

const fileFields = z.strictObject({
  path: z.string().regex(/^[\w-][\w.-]*(\/[\w-][\w.-]*)*$/),
  sha256: z.string().regex(/^[0-9a-f]{64}$/).optional(),
  url: z.url({ protocol: /^https?$/ }).optional(),
});
const file = fileFields.refine(({ sha256, url }) => url === undefined || sha256 !== undefined, {
  error: "a file that is fetched must have a sha256",
});

const dataSet = z.strictObject({
  name: z.string().regex(/^[a-z0-9_]+$/),
  what: z.string(),
  licence: z.string(),
  get: z.string(),
  field: z.string().optional(),
  files: z.array(file).min(1),
});

const manifest = z.strictObject({ dataSets: z.array(dataSet) });

/** A file of a data set. */
export interface DataFile {
  /** Path below the folder of the data set; on the disk it may end in `.gz`. */
  readonly path: string;
  /** SHA-256 (hexadecimal) of its bytes, uncompressed; absent where they are not known. */
  readonly sha256?: string | undefined;
  /** Where it can be fetched; absent where no place is known that is sure to hold these bytes. */
  readonly url?: string | undefined;
}

/** A data set. */
export interface DataSet {
  /** Name, and the folder below `data/`. */
  readonly name: string;
  /** What it is, in one line. */
  readonly what: string;
  /** Under which terms it can be used. */
  readonly licence: string;
  /** How to get what cannot be fetched. */
  readonly get: string;
  /** Field of a declaration that names its folder; absent where declarations name its files. */
  readonly field?: string | undefined;
  /** Its files. */
  readonly files: readonly DataFile[];
}

/** What is on the disk of a data set. */
export interface DataSetState {
  /** Files that are there with the bytes they should have. */
  readonly whole: readonly DataFile[];
  /** Files that are there, with bytes that nothing is known of. */
  readonly unverified: readonly DataFile[];
  /** Files that are there with other bytes. */
  readonly different: readonly DataFile[];
  /** Files that are not there. */
  readonly missing: readonly DataFile[];
}

/**
 * Reads a list of data sets.
 *
 * @param path A JSON file such as `data/datasets.json`.
 * @throws {SyntaxError} Where it is not JSON.
 * @throws {TypeError} Where it is none, naming the field.
 */
export async function readDataSets(path: string): Promise<DataSet[]> {
  const value = await readJson(path);
  const result = manifest.safeParse(value);
  if (result.success) return result.data.dataSets;
  const [{ path: field, message }] = result.error.issues;
  throw new InputTypeError(
    `Cannot read data sets from "${path}" as ${field.join(".")} is not allowed: ${message}`,
  );
}

/** The data set to which a path of a declaration belongs: that of the folder `data/NAME` in it. */
export function dataSetOf(path: string, dataSets: readonly DataSet[]): DataSet | undefined {
  const folders = path.split(/[\\/]/);
  return dataSets.find(({ name }) =>
    folders.some((folder, i) => folder === name && folders[i - 1] === "data")
  );
}

/** Compares the files in a folder with those of a data set; a folder that is not there has none. */
export async function checkDataSet({ files }: DataSet, folder: string): Promise<DataSetState> {
  const state: Record<keyof DataSetState, DataFile[]> = {
    whole: [],
    unverified: [],
    different: [],
    missing: [],
  };
  for (const file of files) state[await stateOf(file, `${folder}/${file.path}`)].push(file);
  return state;
}

async function stateOf({ sha256 }: DataFile, path: string): Promise<keyof DataSetState> {
  if (sha256 === undefined) return await isThere(path) ? "unverified" : "missing";
  const found = await contentHash(path);
  return found === undefined ? "missing" : found === sha256 ? "whole" : "different";
}

/**
 * Fetches a file, as {@linkcode downloadFile} does.
 *
 * @throws {TypeError} Where no URL is known.
 */
export async function fetchDataFile(
  file: DataFile,
  folder: string,
  options: DownloadOptions = {},
): Promise<void> {
  const { path, sha256, url } = file;
  if (url === undefined || sha256 === undefined) {
    throw new InputTypeError(`Cannot fetch "${path}" as no place is known that has it`);
  }
  await downloadFile({ url, sha256, target: `${folder}/${path}` }, options);
}

/** Hash of a file, or of what its compressed form beside it holds; undefined where there is neither. */
async function contentHash(path: string): Promise<string | undefined> {
  const found = await ifThere(hashFile(path)) ?? await ifThere(hashFile(`${path}.gz`));
  return found?.hash;
}

async function isThere(path: string): Promise<boolean> {
  return (await ifThere(Deno.stat(path)))?.isFile ?? false;
}
