/**
 * The files that a run reads, by their hashes: finds changes since a run was completed, or begun.
 */
import { dirname, join } from "node:path";
import { findSnapshot, parseHubReference } from "../checkpoint/hub_cache.ts";
import type { NamedPath } from "../declaration/part.ts";
import type { ResolvedExperiment } from "../experiment/declaration.ts";
import { inputPaths } from "../experiment/estimate.ts";
import { ifThere, isThere } from "../files.ts";
import { hashFile } from "../formats/tensor_hash.ts";
import type { RunEnvironment } from "../results/records.ts";
import { corpora } from "../text/corpora/corpora.ts";
import { splits } from "../text/corpora/corpus_kind.ts";
import type { RunContext } from "./run_context.ts";
import { sha256Of } from "../sha256.ts";

/** Files of a folder that is named as a whole: a checkpoint, or the official vocabulary. */
const filesOfFolder =
  /\.safetensors(\.index\.json)?$|^(config\.json|encoder\.json|vocab\.bpe|dict\.txt)$/;

/** An input that has changed since a run read it. */
export interface ChangedInput {
  /** Name: `corpus train`, or the field of the declaration that names it. */
  readonly name: string;
  /** SHA-256 now, and when the run read it. */
  readonly current: string;
  readonly recorded: string;
}

/**
 * Compares a run's recorded inputs with the current ones. Only recorded inputs are read; missing ones are not
 * counted as changed.
 */
export async function changedInputs(
  experiment: ResolvedExperiment,
  recorded: Pick<RunEnvironment, "hashes" | "inputs">,
): Promise<ChangedInput[]> {
  const current = {
    ...await hashCorpora(experiment, recorded.hashes),
    ...recorded.inputs ? await hashInputs(experiment) : {},
  };
  const known: Readonly<Record<string, string>> = { ...recorded.hashes, ...recorded.inputs };
  return Object.entries(current)
    .filter(([name, sha256]) => known[name] !== undefined && known[name] !== sha256)
    .map(([name, sha256]) => ({ name, current: sha256, recorded: known[name] }));
}

/** Describes changes in words: `corpus train has changed (SHA-256 is 0123, recorded is 4567)`. */
export function describeChanges(changes: readonly ChangedInput[]): string {
  return changes.map(({ name, current, recorded }) =>
    `${name} has changed (SHA-256 is ${current.slice(0, 12)}, recorded is ${recorded.slice(0, 12)})`
  ).join(", ");
}

/**
 * Records the inputs of a run.
 *
 * @throws {InputError} Where a resumed run has read another corpus: nothing else would read that of a finished training.
 */
export async function recordInputs(
  experiment: ResolvedExperiment,
  { results }: Pick<RunContext, "results">,
): Promise<void> {
  const corpora = await hashCorpora(experiment, results.environment.hashes);
  for (const [name, sha256] of Object.entries(corpora)) await results.recordHash(name, sha256);
  await results.recordInputs(await hashInputs(experiment));
}

/** Hashes of the splits that a record has and that are there. */
async function hashCorpora(
  { corpus }: ResolvedExperiment,
  recorded: Readonly<Record<string, string>>,
): Promise<Record<string, string>> {
  const hashes: Record<string, string> = {}, kind = corpora.get(corpus.kind);
  for (const split of splits) {
    const name = `corpus ${split}`;
    const sha256 = recorded[name] && await kind.hash?.(corpus, split);
    if (sha256) hashes[name] = sha256;
  }
  return hashes;
}

/** Hashes of the files besides the documents, by the fields that name them. */
async function hashInputs(experiment: ResolvedExperiment): Promise<Record<string, string>> {
  const byField = Map.groupBy(await inputPaths(experiment), ({ field }) => field);
  const hashes: Record<string, string> = {};
  for (const [field, named] of byField) {
    const isOfDocuments = field.startsWith("corpus.");
    // The documents have hashes of their own.
    const others = named.filter(({ optional }) => optional || !isOfDocuments);
    const paths = await Promise.all(others.map(({ path }) => filesOf(path)));
    const files = await Promise.all(paths.flat().map((path) => ifThere(hashOnce(path))));
    const known = files.filter((sha256) => sha256 !== undefined);
    if (known.length > 0) hashes[field] = hashTogether(known);
    // Where only a file is missing without which the run does, another will be read once it is there.
    else if (await folderIsThere(others)) hashes[field] = hashTogether([]);
  }
  return hashes;
}

/** Whether all files are optional and the folder of one is there, which it may be missing in. */
async function folderIsThere(named: readonly NamedPath[]): Promise<boolean> {
  if (!named.every(({ optional }) => optional)) return false;
  for (const { path } of named) if (await isThere(dirname(path))) return true;
  return false;
}

function hashTogether(hashes: readonly string[]): string {
  return hashes.length === 1 ? hashes[0] : sha256Of(hashes.join("\n"));
}

/** A file, or those of a folder that are read. */
async function filesOf(path: string): Promise<string[]> {
  const entries = await ifThere(Array.fromAsync(Deno.readDir(path)));
  if (!entries) {
    const model = parseHubReference(path);
    const snapshot = model && await findSnapshot(model);
    return snapshot ? await filesOf(snapshot.folder) : [path];
  }
  return entries.map(({ name }) => name).filter((name) => filesOfFolder.test(name)).sort()
    .map((name) => join(path, name));
}

/** Hashes that this process has made: the runs of a sweep read the same files. */
const made = new Map<string, { readonly state: string; readonly sha256: Promise<string> }>();

/** Longest time in milliseconds in which a file system may give two writes the same time. */
const clockTick = 2000;

async function hashOnce(path: string): Promise<string> {
  const { size, mtime, ctime, ino } = await Deno.stat(path);
  const state = `${size} ${mtime?.getTime()} ${ctime?.getTime()} ${ino}`;
  const known = made.get(path);
  if (known?.state === state) return await known.sha256;
  const written = Math.max(mtime?.getTime() ?? Infinity, ctime?.getTime() ?? 0);
  const sha256 = hashFile(path);
  // A file written just now may be written again with unchanged size and times.
  if (Date.now() - written > clockTick) made.set(path, { state, sha256 });
  else made.delete(path);
  return await sha256;
}
