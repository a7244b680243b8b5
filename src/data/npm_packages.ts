/**
 * The source code of pinned packages of the npm registry, one document a package. `npm pack` fetches them, so that npm's own
 * settings hold (registry, proxy, certificates); their bytes are those of the list, or nothing is kept.
 */
import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { join } from "node:path";
import * as z from "zod";
import { InputError, InputRangeError } from "../errors.ts";
import { ifThere, isThere, readJson, readRegularFile } from "../files.ts";
import { hashFile } from "../text/download.ts";
import { checkedForm } from "./checked_form.ts";
import { sha256Form } from "./data_set.ts";
import { writeFile } from "./local_files.ts";
import { packageSource } from "./package_source.ts";
import { sha256Of } from "../sha256.ts";

const pinnedPackage = z.strictObject({
  name: z.string().regex(/^(@[a-z0-9][\w.-]*\/)?[a-z0-9][\w.-]*$/),
  version: z.string().regex(/^\d+\.\d+\.\d+[\w.+-]*$/),
  /** SPDX expression of its licence. */
  licence: z.string(),
  /** SHA-512 of its archive, as the registry and lock files write it: `sha512-BASE64`. */
  integrity: z.string().regex(/^sha512-[A-Za-z0-9+/]{86}==$/),
  /** Folders or files that hold its source; `""` is its root. */
  sources: z.array(z.string().regex(/^([\w-][\w.-]*(\/[\w-][\w.-]*)*)?$/)).min(1),
  /** Folder of its document: `train-backbone`, `train-memory`, `valid` or `test`. */
  split: z.string().regex(/^[\w-]+$/),
  /** SHA-256 of its document. */
  sha256: sha256Form,
});

const packageList = z.strictObject({ packages: z.array(pinnedPackage).min(1) });

/** A package whose bytes are known. */
export type PinnedPackage = Readonly<z.infer<typeof pinnedPackage>>;

/** Source of packages, and the report of progress. */
export interface PackageOptions {
  /** A folder of archives named as `npm pack` names them, from which alone packages are taken; absent: they are fetched. */
  readonly from?: string;
  /** Most bytes of an archive (default 2^26) and of its unpacked content (eight times as many). */
  readonly maxBytes?: number;
  /** Environment variables of `npm pack`, beside those of this process. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Called before a package is fetched. */
  readonly progress?: (fetched: PinnedPackage, done: number, total: number) => void;
}

/**
 * Reads a list of packages.
 *
 * @param path A JSON file such as `data/npm_code.json`.
 * @throws {TypeError} Where it is none, naming the field.
 * @throws {RangeError} Where two packages would be one document.
 */
export async function readPackageList(path: string): Promise<PinnedPackage[]> {
  const { packages } = checkedForm(
    packageList,
    await readJson(path),
    `read packages from "${path}"`,
  );
  const names = new Set<string>();
  for (const { name } of packages) {
    if (names.has(name)) {
      throw new InputRangeError(`Cannot read packages from "${path}" as "${name}" is there twice`);
    }
    names.add(name);
  }
  return packages;
}

/** Path of a package's document below the folder of the data set. */
export function documentPath({ name, split }: Pick<PinnedPackage, "name" | "split">): string {
  return `${split}/${fileName(name)}.txt`;
}

/**
 * Writes the documents of packages that are not there yet, each whole or not at all; called again, it goes on where it was
 * interrupted.
 *
 * @throws {RangeError} Where an archive or the document made of it has other bytes than the list says, or too many.
 * @throws {Error} Where npm is missing or cannot fetch a package.
 */
export async function fetchPackages(
  packages: readonly PinnedPackage[],
  folder: string,
  options: PackageOptions = {},
): Promise<void> {
  const missing: PinnedPackage[] = [];
  for (const pinned of packages) {
    const found = await ifThere(hashFile(join(folder, documentPath(pinned))));
    if (found?.hash !== pinned.sha256) missing.push(pinned);
  }
  if (missing.length === 0) return;
  const temporary = await Deno.makeTempDir({ prefix: "longmem_packages_" });
  let written = 0;
  try {
    for (const [i, pinned] of missing.entries()) {
      options.progress?.(pinned, i, missing.length);
      const archive = await obtainArchive(pinned, temporary, options);
      if (archive === undefined) continue;
      const document = await packageDocument(archive, pinned, options);
      await writeFile(join(folder, documentPath(pinned)), document);
      if (options.from === undefined) await Deno.remove(archive);
      written++;
    }
  } finally {
    await Deno.remove(temporary, { recursive: true });
  }
  if (written > 0) return;
  throw new InputError(
    `Cannot take packages from "${options.from}" as it has none of the archives that are missing: ` +
      `the first of ${missing.length} is "${archiveName(missing[0])}"`,
  );
}

/** Path of the user's archive, or of one that npm fetches; undefined where the user has none. */
async function obtainArchive(
  pinned: PinnedPackage,
  temporary: string,
  options: PackageOptions,
): Promise<string | undefined> {
  const path = join(options.from ?? temporary, archiveName(pinned));
  if (options.from === undefined) await npmPack(pinned, temporary, options);
  else if (!await isThere(path)) return undefined;
  return path;
}

/** The name that `npm pack` gives to an archive: `@scope/name` becomes `scope-name`. */
function archiveName({ name, version }: PinnedPackage): string {
  return `${fileName(name).replace("__", "-")}-${version}.tgz`;
}

/** Milliseconds until `npm pack` must have fetched a package. */
const mostPackMs = 120_000;

async function npmPack(
  { name, version }: PinnedPackage,
  folder: string,
  { environment = {} }: PackageOptions,
): Promise<void> {
  const subject = `package "${name}" ${version}`;
  const npm = Deno.build.os === "windows" ? "npm.cmd" : "npm";
  const signal = AbortSignal.timeout(mostPackMs);
  try {
    const { success, stderr } = await new Deno.Command(npm, {
      args: ["pack", `${name}@${version}`, "--ignore-scripts", "--loglevel=error"],
      cwd: folder,
      env: environment,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
      signal,
    }).output();
    if (success) return;
    const reason = signal.aborted
      ? `npm has not fetched it in ${mostPackMs / 1000} s`
      : `npm says: ${npmReason(new TextDecoder().decode(stderr))}`;
    throw new InputError(
      `Cannot fetch ${subject} as ${reason}; fetching again goes on with it`,
    );
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound || cause instanceof Deno.errors.NotCapable)) {
      throw cause;
    }
    throw new InputError(
      `Cannot fetch ${subject} as ${
        cause instanceof Deno.errors.NotFound
          ? "npm is not installed: install Node.js, or give a folder of archives that npm pack has written"
          : "Deno was not allowed to start npm: run it with --allow-run=npm"
      }`,
      { cause },
    );
  }
}

/** npm's lines without its prefix and where its log lies, in one. */
function npmReason(output: string): string {
  const lines = output.split("\n").map((line) => line.replace(/^npm (error|ERR!)\s*/, "").trim());
  return lines.filter((line) => line !== "" && !/complete log of this run/.test(line)).join(" ") ||
    "nothing";
}

/** The document in an archive, both verified. */
async function packageDocument(
  path: string,
  pinned: PinnedPackage,
  { maxBytes = 2 ** 26 }: PackageOptions,
): Promise<string> {
  const { name, version, integrity, sha256 } = pinned, subject = `package "${name}" ${version}`;
  const { size } = await Deno.stat(path);
  if (size > maxBytes) {
    throw new InputRangeError(
      `Cannot keep ${subject} as it is too large: allowed are up to ${maxBytes} bytes, current number is ${size}`,
    );
  }
  const bytes = await readRegularFile(path);
  const found = `sha512-${createHash("sha512").update(bytes).digest("base64")}`;
  if (found !== integrity) {
    throw new InputRangeError(
      `Cannot keep ${subject} as "${path}" is not its archive: expected ${integrity}, found ${found}`,
    );
  }
  let archive: Uint8Array;
  try {
    archive = await unpack(bytes, { maxOutputLength: 8 * maxBytes });
  } catch (cause) {
    throw new InputRangeError(
      `Cannot unpack ${subject} into ${8 * maxBytes} bytes: ${(cause as Error).message}`,
      { cause },
    );
  }
  const document = packageSource(archive, name, pinned);
  const hash = sha256Of(document);
  if (hash !== sha256) {
    throw new InputRangeError(
      `Cannot keep the source of ${subject} as this version of the project selects other files: ` +
        `expected SHA-256 ${sha256}, found ${hash}`,
    );
  }
  return document;
}

const unpack = promisify(gunzip) as (
  bytes: Uint8Array,
  options: { maxOutputLength: number },
) => Promise<Uint8Array>;

/** A package's name as that of a file: `@scope/name` is `scope__name`. */
function fileName(name: string): string {
  return name.replace(/^@/, "").replace("/", "__");
}
