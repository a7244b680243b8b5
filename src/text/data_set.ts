/**
 * Data sets that experiments read but that are not part of the repository: what they are, whether their files are
 * there and whole, and how to get them.
 */
import { createHash } from "node:crypto";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import * as z from "zod";
import { ifThere, writeAtomically } from "../files.ts";
import { InputRangeError, InputTypeError } from "../errors.ts";

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
 * @throws {TypeError} Where it is none, naming the field.
 */
export async function readDataSets(path: string): Promise<DataSet[]> {
  let value: unknown;
  try {
    value = JSON.parse(await Deno.readTextFile(path));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new InputTypeError(
      `Cannot read data sets from "${path}" as it is not JSON: ${error.message}`,
    );
  }
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
 * Fetches a file and writes it, whole or not at all, if it has the bytes that it should have.
 *
 * @throws {TypeError} Where no URL is known or the server cannot be reached.
 * @throws {RangeError} Where the server answers with an error or with other bytes.
 */
export async function fetchDataFile(file: DataFile, folder: string): Promise<void> {
  const { path, sha256, url } = file;
  if (url === undefined || sha256 === undefined) {
    throw new InputTypeError(`Cannot fetch "${path}" as no place is known that has it`);
  }
  let response: Response;
  try {
    response = await fetch(url);
  } catch (cause) {
    throw new InputTypeError(
      `Cannot fetch "${url}" as its server cannot be reached: ${(cause as Error).message}`,
      { cause },
    );
  }
  const bytes = await response.bytes();
  if (!response.ok) {
    throw new InputRangeError(
      `Cannot fetch "${url}" as the server refuses: its status is ${response.status}`,
    );
  }
  const found = hash(bytes);
  if (found !== sha256) {
    throw new InputRangeError(
      `Cannot keep "${url}" as it is not the file that it was: expected SHA-256 ${sha256}, found ${found} ` +
        `(${bytes.length} bytes)`,
    );
  }
  const target = `${folder}/${path}`;
  await Deno.mkdir(dirname(target), { recursive: true });
  await writeAtomically(target, [bytes]);
}

/** Hash of a file, or of what its compressed form beside it holds; undefined where there is neither. */
async function contentHash(path: string): Promise<string | undefined> {
  const plain = await ifThere(Deno.readFile(path));
  if (plain) return hash(plain);
  const compressed = await ifThere(Deno.readFile(`${path}.gz`));
  if (!compressed) return undefined;
  try {
    return hash(await promisify(gunzip)(compressed));
  } catch {
    return hash(compressed); // cut off or damaged: another hash
  }
}

async function isThere(path: string): Promise<boolean> {
  return (await ifThere(Deno.stat(path)))?.isFile ?? false;
}

function hash(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
