/**
 * Training cache: a run takes another run's weights, and its lines of `metrics.jsonl`, where everything that determines
 * them (code, data, declaration, seed, device) is identical, to the same bytes as if it had trained them.
 *
 *     checkpoint/<phase>/phase.json           the determinants of the weights, and their hash once they exist
 *     checkpoint/<phase>/weights.safetensors  written, or taken, last
 *     ../../.locks/<key>                      locked while a run trains weights that others then reuse
 */
import { join, relative } from "node:path";
import { setTimeout } from "node:timers/promises";
import { readSafetensors } from "../formats/safetensors.ts";
import { hashFrozen, hashTensors } from "../formats/tensor_hash.ts";
import { type MetricsRecord, readMetricsRecords } from "../results/records.ts";
import type { TensorMap } from "../tensor.ts";
import { ifThere, makeFolder, readJson, temporaryOf, writeAtomically, writing } from "../files.ts";
import { InputError, InputSyntaxError, isInputError } from "../errors.ts";
import { hostName } from "../permitted.ts";
import { describeHolder, FileLock } from "../lock.ts";
import type { RunContext } from "./run_context.ts";
import {
  compareDeterminants,
  type Determinants,
  type Phase,
  type PhaseIdentity,
} from "./training_identity.ts";
import { missingLine } from "./training_lines.ts";

/** The contents of `phase.json`. */
interface PhaseRecord extends PhaseIdentity {
  /** SHA-256 of the finished weights; absent while they are trained. */
  readonly weights?: string;
}

/** Waits until no other run trains the same; while the lock is held, none begins to. */
export async function lockPhase(
  { key }: PhaseIdentity,
  name: string,
  { results, progress, signal }: RunContext,
): Promise<FileLock> {
  const folder = join(resultsOf(results.path), ".locks");
  await makeFolder(folder);
  for (let told = false;; told = true) {
    signal.throwIfAborted();
    const path = join(folder, key.slice(0, 16));
    const taken = await writing(path, () => FileLock.take(path));
    if ("lock" in taken) return taken.lock;
    const { holder } = taken;
    const who = holder.pid === Deno.pid && holder.host === hostName()
      ? "another of these runs"
      : describeHolder(holder);
    if (!told) progress.doing(`waiting for the same ${name} from ${who}`);
    await setTimeout(250, undefined, { signal }).catch(() => {}); // the loop throws the signal's reason
  }
}

function resultsOf(runFolder: string): string {
  return join(runFolder, "..", "..");
}

/**
 * Reuses a training that another run has finished; undefined if there is none. Files that are cut off or do not
 * fit each other are not an error: then it is trained.
 */
export async function takeFinishedPhase(
  { name, trainer: { config } }: Phase,
  identity: PhaseIdentity,
  { results, progress }: RunContext,
): Promise<TensorMap | undefined> {
  const root = resultsOf(results.path);
  for (const path of await runFolders(root)) {
    if (relative(path, results.path) === "") continue;
    const folder = join(path, "checkpoint", name);
    // Unreadable files of another run do not fail this run.
    const record = await readRecord(folder).catch(() => undefined);
    if (record?.key !== identity.key || record.weights === undefined) continue;
    let weights: TensorMap, lines: MetricsRecord[];
    try {
      weights = (await readSafetensors(join(folder, "weights.safetensors"))).tensors;
      lines = (await readMetricsRecords(path)).filter(({ phase }) => phase === name);
    } catch {
      continue;
    }
    if (hashTensors(weights) !== record.weights) continue;
    if (missingLine(lines, config, config.steps)) continue;
    const run = relative(root, path);
    const own = join(results.checkpointFolder, name);
    await makeFolder(own);
    await results.replaceMetrics(name, lines);
    await results.recordTaken(name, { run, weights: record.weights });
    await writeRecord(own, record);
    await copyFile(join(folder, "weights.safetensors"), join(own, "weights.safetensors"));
    progress.note(`${name}: taken from ${run}, which has trained the same`);
    return weights;
  }
  return undefined;
}

/** Writes a copy that is there whole or not at all. */
async function copyFile(from: string, to: string): Promise<void> {
  await writing(to, async () => {
    await Deno.copyFile(from, temporaryOf(to));
    await Deno.rename(temporaryOf(to), to);
  });
}

/** Records the identity of a training before its first step; a resumed one keeps its first record. */
export async function recordPhaseStart(folder: string, identity: PhaseIdentity): Promise<void> {
  await makeFolder(folder);
  await writeRecord(folder, identity);
}

/**
 * Records that a training is about to have its weights. A training that was begun as another, as on
 * another device, is left as it is: nobody could reproduce its weights from the record alone.
 */
export async function recordPhaseEnd(
  folder: string,
  identity: PhaseIdentity,
  weights: TensorMap,
): Promise<void> {
  if ((await readRecord(folder))?.key !== identity.key) return;
  await writeRecord(folder, { ...identity, weights: hashFrozen(weights) });
}

/**
 * Checks that a resumed or finished training is the one in its folder.
 *
 * @param weights The finished weights; absent for a resumed training.
 * @throws {InputError} Where code or data would now give other weights, or the weights are not those it ended with.
 */
export async function checkPhase(
  { name }: Pick<Phase, "name">,
  current: Determinants,
  { results, progress }: RunContext,
  weights?: TensorMap,
): Promise<void> {
  const folder = join(results.checkpointFolder, name);
  const record = await readRecord(folder).catch((error) => {
    throw isInputError(error)
      ? new InputError(`${error.message}; --fresh starts the run again`, { cause: error })
      : error;
  });
  if (!record) return;
  const { changes, doubts } = compareDeterminants(record.determinedBy ?? {}, current);
  if (changes.length > 0) {
    throw new InputError(
      `Cannot ${
        weights ? "use" : "resume"
      } training "${name}" of run "${results.path}" as what determines its weights ` +
        `has changed since it began: ${
          changes.join(", ")
        }; with the code and the data of then the run goes on, ` +
        "--fresh starts it again",
    );
  }
  for (const doubt of doubts) {
    progress.note(`${name}: ${doubt}: --fresh trains it with the code of now`);
  }
  if (!weights || record.weights === undefined) return;
  const sha256 = hashTensors(weights);
  if (record.weights === sha256) return;
  throw new InputError(
    `Cannot continue with "${
      join(folder, "weights.safetensors")
    }" as it is damaged: current SHA-256 of its tensors is ` +
      `${sha256}, allowed is ${record.weights}; --fresh starts the run again`,
  );
}

async function writeRecord(folder: string, record: PhaseRecord): Promise<void> {
  await writeAtomically(join(folder, "phase.json"), JSON.stringify(record, null, 2) + "\n");
}

/**
 * Reads the `phase.json` of a training; undefined where there is none, as of trainings of before there was one.
 *
 * @throws {InputError} Where it cannot be read.
 */
async function readRecord(folder: string): Promise<PhaseRecord | undefined> {
  const path = join(folder, "phase.json");
  const record = await ifThere(readJson(path));
  if (record === undefined) return undefined;
  const { key, determinedBy = {}, weights = "" } = (record ?? {}) as Partial<PhaseRecord>;
  if (typeof key === "string" && typeof determinedBy === "object" && typeof weights === "string") {
    return record as PhaseRecord;
  }
  throw new InputSyntaxError(
    `Cannot read "${path}" as it does not say what determines the weights of a training`,
  );
}

/** Folders of all runs, in order. */
async function runFolders(root: string): Promise<string[]> {
  const folders: string[] = [];
  const list = async (path: string) => {
    const entries = await Array.fromAsync(Deno.readDir(path)).catch((error) => {
      const { PermissionDenied, NotFound } = Deno.errors; // others may remove theirs
      if (error instanceof PermissionDenied || error instanceof NotFound) return [];
      throw error;
    });
    return entries.filter(({ isDirectory }) => isDirectory).map(({ name }) => join(path, name));
  };
  for (const experiment of await list(root)) folders.push(...await list(experiment));
  return folders.sort();
}
