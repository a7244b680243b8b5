/**
 * Lines of records in less room: a completed run may hold `NAME.jsonl.gz` in the place of `NAME.jsonl`. Readers take either; where both
 * are there, as after a kill, the plain file is the newer or the same. A run that is executed again has plain files again.
 */
import { join } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { InputError } from "../errors.ts";
import {
  ifThere,
  isThere,
  readRegularFile,
  readTextBytes,
  removeCutOff,
  removeIfThere,
  writeAtomically,
  writing,
} from "../files.ts";

/** End of the name of a compressed file. */
export const compressedEnding = ".gz";

/** Sizes of files, in bytes. */
export interface Compression {
  /** Plain. */
  readonly plainBytes: number;
  /** Compressed. */
  readonly compressedBytes: number;
}

/**
 * Compresses the lines of records in a run's folder: each file whole or not at all, and a plain file is removed only once its
 * compressed copy has been read back. The caller holds the run's lock.
 *
 * @returns Sizes of the files that were plain.
 * @throws {Error} Where a file cannot be read or written.
 */
export async function compressRecords(run: string): Promise<Compression> {
  await removeCutOff(run);
  let plainBytes = 0, compressedBytes = 0;
  for (const path of await lineFiles(run, ".jsonl")) {
    const plain = await readRegularFile(path);
    const compressed = new Uint8Array(await promisify(gzip)(plain, { level: 9 }));
    const copy = path + compressedEnding;
    await writeAtomically(copy, [compressed]);
    const read = await readTextBytes(copy, { maxBytes: Math.max(plain.length, 1) });
    if (Buffer.compare(read, plain) !== 0) {
      throw new InputError(`Cannot compress "${path}" as its copy "${copy}" reads otherwise`);
    }
    await writing(path, () => Deno.remove(path));
    plainBytes += plain.length;
    compressedBytes += compressed.length;
  }
  return { plainBytes, compressedBytes };
}

/**
 * Makes the lines of records in a run's folder plain files again, to which lines can be appended. The caller holds the run's lock.
 *
 * @throws {Error} Where a file cannot be read or written.
 */
export async function restoreRecords(run: string): Promise<void> {
  for (const path of await lineFiles(run, `.jsonl${compressedEnding}`)) {
    const plain = path.slice(0, -compressedEnding.length);
    if (!await isThere(plain)) {
      const bytes = new Uint8Array(await readTextBytes(path));
      await writeAtomically(plain, [bytes]);
    }
    await writing(path, () => removeIfThere(path));
  }
}

/** Files of lines in a run's folder whose names end so, in order. */
async function lineFiles(run: string, ending: string): Promise<string[]> {
  const paths: string[] = [];
  for (const folder of [run, join(run, "samples")]) {
    const entries = await ifThere(Array.fromAsync(Deno.readDir(folder))) ?? [];
    for (const { name } of entries) if (name.endsWith(ending)) paths.push(join(folder, name));
  }
  return paths.sort();
}
