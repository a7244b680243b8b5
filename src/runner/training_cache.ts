/**
 * Trainings that runs of one results folder share. A training that another run has finished is not
 * done again where everything equals that decides its weights: its weights and its lines of
 * `metrics.jsonl` are taken, to the same bytes as if it had been done on the same device.
 *
 *     checkpoint/<phase>/phase.json           what decides the weights, and their hash once they are there
 *     checkpoint/<phase>/weights.safetensors  written, or taken, last
 *     ../../.locks/<key>                      locked while a run trains what others then take
 */
import { createHash } from "node:crypto";
import { join, relative } from "node:path";
import { readSafetensors } from "../formats/safetensors.ts";
import { hashFrozen, hashTensors } from "../formats/tensor_hash.ts";
import type { ResolvedExperiment } from "../experiment/declaration.ts";
import { canonicalJson, identityOf } from "../declaration/identity.ts";
import { memoryPart } from "../memory/config.ts";
import { trainingPart } from "../training/config.ts";
import { type MetricsRecord, readMetricsRecords } from "../results/records.ts";
import type { TensorMap } from "../tensor.ts";
import { temporaryOf, writeAtomically, writing } from "../files.ts";
import { InputError } from "../errors.ts";
import { describeHolder, FileLock } from "../lock.ts";
import type { RunContext } from "./run_context.ts";
import type { RunDocument, RunText } from "./corpus.ts";
import type { LongMem, Network } from "../longmem/longmem.ts";
import type { TrainerOptions } from "../training/trainer.ts";

/** Changes whenever the same fields would train other weights. */
const phaseVersion = 1;

/** One training of a run. */
export interface Phase {
  /** Name in `metrics.jsonl`, and folder of its checkpoints: `backbone`, `longmem`, ... */
  readonly name: string;
  readonly trainer: TrainerOptions;
  /** The model with the weights trained so far, to validate, and the network of it that answers. */
  readonly validated: (weights: TensorMap) => LongMem;
  readonly network: Network;
}

/** The contents of `phase.json`. */
interface PhaseRecord {
  readonly key: string;
  /** What the key is the hash of, to read. */
  readonly determinedBy: unknown;
  /** SHA-256 of the finished weights; absent while they are trained. */
  readonly weights?: string;
}

/** A training to be found again. */
export interface PhaseIdentity {
  readonly key: string;
  readonly determinedBy: unknown;
}

/** What decides the weights that a training comes to. */
export async function identifyPhase(
  { name, trainer }: Phase,
  text: RunText,
  { corpus, seed }: ResolvedExperiment,
  context: RunContext,
): Promise<PhaseIdentity> {
  const { config } = trainer;
  const read = trainer.trains === "backbone"
    ? await text.pretrainingDocuments()
    : await text.documents("train");
  const { kind, description } = trainer.device;
  const { packages } = context.results.environment;
  const initial = { shape: trainer.backbone.shape, weights: hashFrozen(trainer.backbone.weights) };
  const determinedBy = {
    version: phaseVersion,
    name,
    training: identityOf(trainingPart.schema, config),
    seed,
    tokenizer: text.tokenizer.hash,
    documents: hashDocuments(read),
    ...(config.validateEverySteps ? { valid: hashDocuments(await text.documents("valid")) } : {}),
    ...(corpus.kind === "files" ? { maxDocumentTokens: corpus.maxDocumentTokens } : {}),
    backbone: initial,
    ...(trainer.trains === "sidenet"
      ? {
        sideNet: {
          shape: trainer.sideNet.shape,
          weights: hashFrozen(trainer.sideNet.weights),
        },
        memory: identityOf(memoryPart.schema, trainer.memory),
        dropout: trainer.dropout,
      }
      : {}),
    ...(trainer.trains === "memorizing-transformer"
      ? {
        memorizing: {
          shape: trainer.memorizing.shape,
          weights: hashFrozen(trainer.memorizing.weights),
        },
        memory: identityOf(memoryPart.schema, trainer.memory),
        dropout: trainer.dropout,
      }
      : {}),
    device: `${kind}: ${description}`,
    engines: Object.entries(packages).filter(([name]) => name.startsWith("onnxruntime")),
  };
  return {
    key: createHash("sha256").update(canonicalJson(determinedBy)).digest("hex"),
    determinedBy,
  };
}

function hashDocuments(documents: readonly RunDocument[]): string {
  const hash = createHash("sha256");
  for (const { name, tokens } of documents) {
    hash.update(JSON.stringify([name, tokens.length])).update(
      new Uint8Array(tokens.buffer, tokens.byteOffset, tokens.byteLength),
    );
  }
  return hash.digest("hex");
}

/** Waits until no other run trains the same; while the lock is held, none begins to. */
export async function lockPhase(
  { key }: PhaseIdentity,
  name: string,
  { results, progress, signal }: RunContext,
): Promise<FileLock> {
  const folder = join(resultsOf(results.path), ".locks");
  await writing(folder, () => Deno.mkdir(folder, { recursive: true }));
  for (let told = false;; told = true) {
    signal.throwIfAborted();
    const path = join(folder, key.slice(0, 16));
    const taken = await writing(path, () => FileLock.take(path));
    if ("lock" in taken) return taken.lock;
    const { holder } = taken;
    const who = holder.pid === Deno.pid ? "another of these runs" : describeHolder(holder);
    if (!told) progress.doing(`waiting for the same ${name} from ${who}`);
    await new Promise<void>((done) => {
      const timer = setTimeout(finish, 250);
      signal.addEventListener("abort", finish);
      function finish() {
        clearTimeout(timer);
        signal.removeEventListener("abort", finish);
        done();
      }
    });
  }
}

/** The folder of all results. */
function resultsOf(runFolder: string): string {
  return join(runFolder, "..", "..");
}

/**
 * Takes what another run has finished; undefined where none has. Files that are cut off or do not
 * fit each other are no reason to fail: then it is trained.
 */
export async function takeFinishedPhase(
  { name, trainer: { config } }: Phase,
  identity: PhaseIdentity,
  { results, progress, checkpointFolder }: RunContext,
): Promise<TensorMap | undefined> {
  const root = resultsOf(results.path);
  for (const path of await runFolders(root)) {
    if (relative(path, results.path) === "") continue;
    const folder = join(path, "checkpoint", name);
    const record = await readRecord(folder);
    if (record?.key !== identity.key || record.weights === undefined) continue;
    let weights: TensorMap, lines: MetricsRecord[];
    try {
      weights = (await readSafetensors(join(folder, "weights.safetensors"))).tensors;
      lines = (await readMetricsRecords(path)).filter(({ phase }) => phase === name);
    } catch {
      continue;
    }
    const steps = lines.filter(({ split }) => split === "train").length;
    if (hashTensors(weights) !== record.weights || steps !== config.steps) continue;
    const run = relative(root, path);
    const own = join(checkpointFolder, name);
    await writing(own, () => Deno.mkdir(own, { recursive: true }));
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

/** Records what a training is before its first step; one that goes on keeps what it was begun as. */
export async function recordPhaseStart(folder: string, identity: PhaseIdentity): Promise<void> {
  await writing(folder, () => Deno.mkdir(folder, { recursive: true }));
  await writeRecord(folder, identity);
}

/**
 * Records that a training is about to have its weights. A training that was begun as another, as on
 * another device, is left as it is: nobody could have come to its weights alone.
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
 * Checks that weights are those that a training came to.
 *
 * @throws {InputError} Where they are not.
 */
export async function checkFinishedPhase(folder: string, weights: TensorMap): Promise<void> {
  const record = await readRecord(folder);
  if (record?.weights === undefined) return;
  const sha256 = hashTensors(weights);
  if (record.weights === sha256) return;
  throw new InputError(
    `Cannot continue with "${
      join(folder, "weights.safetensors")
    }" as it is damaged: current SHA-256 of its tensors is ` +
      `${sha256}, allowed is ${record.weights}; --fresh starts the run anew`,
  );
}

async function writeRecord(folder: string, record: PhaseRecord): Promise<void> {
  await writeAtomically(join(folder, "phase.json"), JSON.stringify(record, null, 2) + "\n");
}

async function readRecord(folder: string): Promise<PhaseRecord | undefined> {
  try {
    return JSON.parse(await Deno.readTextFile(join(folder, "phase.json")));
  } catch {
    return undefined; // not there, or no record
  }
}

/** Folders of all runs, in order. */
async function runFolders(root: string): Promise<string[]> {
  const folders: string[] = [];
  const list = async (path: string) => {
    const entries = await Array.fromAsync(Deno.readDir(path));
    return entries.filter(({ isDirectory }) => isDirectory).map(({ name }) => join(path, name));
  };
  for (const experiment of await list(root)) folders.push(...await list(experiment));
  return folders.sort();
}
