/**
 * Obtains data sets: fetches their files, or takes them from the user's files. Every file is verified before it takes its name.
 */
import { basename, join } from "node:path";
import { InputError, InputRangeError } from "../errors.ts";
import { ifThere, readRegularFile, readTextBytes, removeIfThere } from "../files.ts";
import { downloadFile } from "../text/download.ts";
import {
  checkDataSet,
  type DataFile,
  hasBytes,
  isComplete,
  isVerified,
  writeReceipt,
} from "./data_set.ts";
import type { DataSetSource, Obtaining } from "./data_set_source.ts";
import { dataSetSources } from "./data_sets.ts";
import { copyFile, filesAt, writeFile } from "./local_files.ts";
import { sha256Of } from "../sha256.ts";

/** Most bytes of a file of which another is made. */
const mostSourceBytes = 2 ** 28;

/** Whether the missing files of a data set can be fetched. */
export function isFetchable(name: string, missing: readonly DataFile[]): boolean {
  return dataSetSources[name]?.fetch !== undefined ||
    missing.some(({ url, bundled }) => (url ?? bundled) !== undefined);
}

/**
 * Fetches the missing files of a data set. Files that are there are kept, and partial downloads continued.
 *
 * @param source Its own code (default that of its name, if any).
 * @throws {RangeError} Where a server refuses or sends other bytes.
 * @throws {Error} Where it does not answer, stalls or is busy for long.
 */
export async function fetchDataSet(
  obtaining: Obtaining,
  source: DataSetSource | undefined = dataSetSources[obtaining.dataSet.name],
): Promise<void> {
  const { dataSet, folder, limits, progress, note } = obtaining;
  const state = await checkDataSet(dataSet, folder);
  const { missing, absent, different } = state;
  const wanted = [...missing, ...absent, ...different].filter(({ url }) => url !== undefined);
  const byUrl = Map.groupBy(wanted, ({ url }) => url!);
  let done = 0;
  for (const [url, files] of byUrl) {
    note(`fetching ${url} (${++done} of ${byUrl.size})`);
    const [{ path, sha256, gitHash, sourceSha256 }] = files;
    const options = {
      ...limits,
      progress: (bytes: number, total: number | undefined) => progress(path, bytes, total),
    };
    if (sourceSha256 === undefined) {
      const hash = sha256 === undefined ? { gitHash: gitHash! } : { sha256 };
      await downloadFile({ url, ...hash, target: join(folder, path) }, options);
      continue;
    }
    const target = join(folder, `.source-${sourceSha256.slice(0, 16)}`);
    await downloadFile({ url, sha256: sourceSha256, target }, options);
    const bytes = await readRegularFile(target);
    for (const file of files) await writeMade(bytes, file, url, { source, folder });
    await removeIfThere(target);
  }
  await copyBundled(missing, folder);
  if (isComplete(state)) return;
  const receipt = await source?.fetch?.(obtaining);
  if (receipt) await writeReceipt(folder, receipt);
}

/**
 * Takes the missing files of a data set from a file or folder: files that have the right bytes under the name of one of the data set
 * or of its source, compressed (`.gz`) or not, and files that become right by its source's transformation.
 *
 * @throws {RangeError} Where nothing of it is there.
 */
export async function takeDataSet(
  from: string,
  obtaining: Obtaining,
  source: DataSetSource | undefined = dataSetSources[obtaining.dataSet.name],
): Promise<void> {
  const { dataSet, folder, note } = obtaining;
  const info = await ifThere(Deno.stat(from));
  if (!info) {
    throw new InputError(`Cannot take "${dataSet.name}" from "${from}" as there is no such file`);
  }
  if (source?.take) {
    const receipt = await source.take(from, obtaining);
    if (receipt) await writeReceipt(folder, receipt);
    return;
  }
  const found = await filesAt(from);
  const byName = Map.groupBy(found, (path) => basename(path).replace(/\.gz$/, ""));
  const { missing, absent, different } = await checkDataSet(dataSet, folder);
  await copyBundled(missing, folder);
  const wanted = [...missing, ...absent, ...different].filter(({ bundled }) =>
    bundled === undefined
  );
  let taken = 0;
  for (const file of wanted) {
    const candidates = info.isDirectory
      ? namesOf(file).flatMap((name) => byName.get(name) ?? [])
      : [from];
    // A file in the right folder is likelier to be the right one.
    candidates.sort((a, b) => Number(isAt(b, file)) - Number(isAt(a, file)));
    for (const candidate of new Set(candidates)) {
      if (!await takeFile(candidate, file, { source, folder })) continue;
      taken++;
      break;
    }
  }
  note(`took ${taken} of ${wanted.length} files from "${from}"`);
  if (taken === 0 && wanted.length > 0) {
    const names = namesOf(wanted[0]).map((name) => `"${name}"`).join(" or ");
    throw new InputRangeError(
      `Cannot take "${dataSet.name}" from "${from}" as none of its ${found.length} files has the bytes of one of the ${wanted.length} ` +
        `that are missing: the first of these is "${wanted[0].path}", under the name ${names}`,
    );
  }
}

/** Copies files that lie beside the list. */
async function copyBundled(files: readonly DataFile[], folder: string): Promise<void> {
  for (const { path, bundled } of files) {
    if (bundled !== undefined) await copyFile(bundled, join(folder, path));
  }
}

/** Names under which a file or its source may be found. */
function namesOf({ path, url, names = [] }: DataFile): string[] {
  const ofUrl = url === undefined ? [] : [decodeURIComponent(basename(new URL(url).pathname))];
  return [...new Set([basename(path), ...ofUrl, ...names])];
}

function isAt(candidate: string, { path }: DataFile): boolean {
  return `/${candidate.replaceAll("\\", "/").replace(/\.gz$/, "")}`.endsWith(`/${path}`);
}

/** Takes a candidate where it has the bytes of a file, or its source makes them of it. Returns whether it did. */
async function takeFile(
  candidate: string,
  file: DataFile,
  { source, folder }: { readonly source: DataSetSource | undefined; readonly folder: string },
): Promise<boolean> {
  const target = join(folder, file.path);
  if (!isVerified(file)) return false;
  if (await hasBytes(file, candidate)) {
    await copyFile(candidate, target);
    return true;
  }
  if (!source?.transform || file.sourceSha256 === undefined) return false;
  if ((await Deno.stat(candidate)).size > mostSourceBytes) return false;
  const bytes = await readTextBytes(candidate, { maxBytes: mostSourceBytes });
  let made: Uint8Array<ArrayBuffer>;
  try {
    made = Uint8Array.from(source.transform(bytes, file));
  } catch {
    return false; // the source of another file
  }
  if (sha256Of(made) !== file.sha256) return false;
  await writeFile(target, [made]);
  return true;
}

/** Writes a file that is made of its source. */
async function writeMade(
  bytes: Uint8Array,
  file: DataFile,
  url: string,
  { source, folder }: { readonly source: DataSetSource | undefined; readonly folder: string },
): Promise<void> {
  if (!source?.transform) {
    throw new Error(`"${file.path}" has a source, but its data set has nothing that transforms it`);
  }
  const made = Uint8Array.from(source.transform(bytes, file));
  const hash = sha256Of(made);
  if (hash !== file.sha256) {
    throw new InputRangeError(
      `Cannot make "${file.path}" of "${url}" as its bytes are others: expected SHA-256 ${file.sha256}, found ${hash} (${made.length} bytes)`,
    );
  }
  await writeFile(join(folder, file.path), [made]);
}
