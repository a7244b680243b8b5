/**
 * Checkpoints of a training: everything a continued training needs, the memory bank included, so that it goes on to the
 * same numbers as if it had never stopped.
 *
 *     step_000200/
 *       parameters.safetensors  adam_means.safetensors  adam_squares.safetensors
 *       memory.safetensors      best.safetensors
 *       state.json              written last: a folder without it was cut off by a kill and does not count
 *     step_000200_batch_3/      the same after 3 batches of the next update, with gradient_sums.safetensors
 *
 * The last two checkpoints are kept, each with the hashes of its files, so that one that has been damaged is noticed
 * and the training goes on from the one before.
 */
import { join } from "node:path";
import { readSafetensors, writeSafetensors } from "../formats/safetensors.ts";
import { hashTensors } from "../formats/tensor_hash.ts";
import type { TensorMap } from "../tensor.ts";
import { ifThere, isThere, readText, removeIfThere, writeAtomically, writing } from "../files.ts";
import type { TrainerState } from "./trainer.ts";
import { InputError, InputSyntaxError, isInputError } from "../errors.ts";
import { sha256Of } from "../sha256.ts";

/** Weights that scored best on the valid split so far. */
export interface BestWeights {
  readonly step: number;
  /** Mean negative log-likelihood on the valid split, in nats. */
  readonly loss: number;
  readonly weights: TensorMap;
}

/** Contents of a checkpoint. */
export interface TrainingCheckpoint {
  readonly trainer: TrainerState;
  /** Position of the segment stream. */
  readonly position: unknown;
  readonly best: BestWeights | undefined;
}

/** The contents of `state.json`. */
interface SavedState {
  readonly format: "longmem-lab training";
  readonly version: 1;
  readonly step: number;
  /** Results of the finished batches of the next update; absent: none is finished. */
  readonly begun?: Omit<NonNullable<TrainerState["begun"]>, "sums">;
  readonly updates: TrainerState["updates"];
  readonly position: unknown;
  readonly rings: readonly { first: number; count: number }[] | null;
  readonly best: { step: number; loss: number } | null;
  /** SHA-256 of the tensors of each file, by its name without extension; absent in checkpoints of earlier versions. */
  readonly hashes?: Readonly<Record<string, string>>;
  /** SHA-256 of the other fields; absent likewise. */
  readonly sha256?: string;
}

const stepFolder = /^step_(\d+)(?:_batch_(\d+))?$/;

/** How far a training is: steps, and batches of the next one. */
interface TrainingProgress {
  readonly step: number;
  readonly batches: number;
}

/**
 * Writes a checkpoint beside the earlier ones, of which the newest stays.
 *
 * @param check Called before the checkpoint counts and before others are removed; where it throws, they stay as they are.
 */
export async function saveCheckpoint(
  folder: string,
  { trainer, position, best }: TrainingCheckpoint,
  check: () => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const { step, begun: { sums, ...begun } = { batches: 0 } } = trainer;
  const name = `step_${String(step).padStart(6, "0")}` +
    (begun.batches > 0 ? `_batch_${begun.batches}` : "");
  const path = join(folder, name);
  await check();
  await writing(path, () => Deno.mkdir(path, { recursive: true }));
  await removeIfThere(join(path, "state.json"));
  const files: Record<string, TensorMap> = {
    parameters: trainer.parameters,
    "adam_means": trainer.means,
    "adam_squares": trainer.squares,
    ...(trainer.memory ? { memory: new Map(Object.entries(trainer.memory.tensors)) } : {}),
    ...(best ? { best: best.weights } : {}),
    ...(sums ? { "gradient_sums": sums } : {}),
  };
  const hashes: Record<string, string> = {};
  for (const [file, tensors] of Object.entries(files)) {
    await writeSafetensors(join(path, `${file}.safetensors`), tensors);
    hashes[file] = hashTensors(tensors);
  }
  const state: SavedState = {
    format: "longmem-lab training",
    version: 1,
    step,
    ...("loss" in begun ? { begun } : {}),
    updates: trainer.updates,
    position,
    rings: trainer.memory?.rings ?? null,
    best: best ? { step: best.step, loss: best.loss } : null,
    hashes,
  };
  const signed = { ...state, sha256: hashState(state) };
  await check();
  await writeAtomically(join(path, "state.json"), JSON.stringify(signed, null, 2) + "\n");
  await keepCheckpoints(folder, { step, batches: begun.batches }, 2);
}

/**
 * Removes checkpoints, except the newest `count` whole ones up to some progress: later ones were damaged or refused, and those
 * among batches before it are superseded.
 */
export async function keepCheckpoints(
  folder: string,
  { step, batches }: TrainingProgress,
  count: number,
): Promise<void> {
  let kept = 0;
  for (const { name, isWhole, ...saved } of await savedSteps(folder)) {
    const isCurrent = saved.step === step && saved.batches === batches;
    const isKept = isCurrent || (saved.step <= step && saved.batches === 0);
    if (isWhole && isKept && kept++ < count) continue;
    await writing(join(folder, name), () => removeIfThere(join(folder, name)));
  }
}

function hashState({ sha256: _sha256, ...state }: SavedState): string {
  return sha256Of(JSON.stringify(state));
}

/** Which checkpoint a training continues from. */
export interface LoadOptions {
  /** Why a training cannot continue from a step, regardless of its checkpoint; undefined where it can. */
  readonly refuse?: (step: number) => Promise<string | undefined>;
  /** Told why newer checkpoints were passed over. */
  readonly onSkip?: (text: string) => void;
}

/**
 * Reads the newest checkpoint of a folder that a training can continue from; undefined where there is none at all.
 *
 * @throws {InputError} Where there are checkpoints but all are damaged or refused, naming each and its fault.
 */
export async function loadCheckpoint(
  folder: string,
  { refuse, onSkip }: LoadOptions = {},
): Promise<TrainingCheckpoint | undefined> {
  const faults = new Set<string>();
  for (const { name, isWhole } of await savedSteps(folder)) {
    if (!isWhole) continue;
    const path = join(folder, name);
    let checkpoint: TrainingCheckpoint;
    try {
      checkpoint = await readCheckpoint(path);
      const reason = await refuse?.(checkpoint.trainer.step);
      if (reason !== undefined) throw new InputError(`Cannot resume from "${path}" as ${reason}`);
    } catch (error) {
      if (!isInputError(error) && !(error instanceof Deno.errors.NotFound)) throw error;
      faults.add((error as Error).message);
      continue;
    }
    if (faults.size > 0) onSkip?.(`${[...faults].join("; ")}; continuing from "${path}"`);
    return checkpoint;
  }
  if (faults.size === 0) return undefined;
  throw new InputError(`${[...faults].join("; ")}; --fresh starts the run again`);
}

async function readCheckpoint(path: string): Promise<TrainingCheckpoint> {
  const statePath = join(path, "state.json");
  const state = parseState(statePath, await readText(statePath));
  const read = async (file: string) => {
    const name = join(path, `${file}.safetensors`);
    const { tensors } = await readSafetensors(name);
    const sha256 = hashTensors(tensors);
    if (state.hashes && state.hashes[file] !== sha256) {
      throw new InputError(
        `Cannot resume from "${path}" as "${name}" is damaged: current SHA-256 of its tensors is ${sha256}, ` +
          `allowed is ${state.hashes[file]}`,
      );
    }
    return tensors;
  };
  return {
    trainer: {
      step: state.step,
      ...(state.begun && { begun: { ...state.begun, sums: await read("gradient_sums") } }),
      updates: state.updates,
      parameters: await read("parameters"),
      means: await read("adam_means"),
      squares: await read("adam_squares"),
      memory: state.rings ? savedBank(state.rings, await read("memory"), path) : undefined,
    },
    position: state.position,
    best: state.best ? { ...state.best, weights: await read("best") } : undefined,
  };
}

function savedBank(
  rings: NonNullable<SavedState["rings"]>,
  tensors: TensorMap,
  path: string,
): NonNullable<TrainerState["memory"]> {
  const tensor = (name: string) => {
    const found = tensors.get(name);
    if (!found) {
      throw new InputSyntaxError(
        `Cannot resume from "${path}" as its memory lacks tensor "${name}"`,
      );
    }
    return found;
  };
  return {
    rings,
    tensors: { keys: tensor("keys"), values: tensor("values"), meanKeys: tensor("meanKeys") },
  };
}

function parseState(path: string, text: string): SavedState {
  let state: Partial<SavedState>;
  try {
    state = JSON.parse(text);
  } catch (cause) {
    throw new InputSyntaxError(`Cannot resume from "${path}" as it is not JSON`, { cause });
  }
  if (state?.format !== "longmem-lab training" || state.version !== 1) {
    throw new InputSyntaxError(
      `Cannot resume from "${path}" as it must be a training checkpoint of version 1: current values are ${state?.format} and ${state?.version}`,
    );
  }
  const { step, updates } = state;
  for (
    const [name, value] of Object.entries({
      step,
      "updates.always": updates?.always,
      "updates.withMemory": updates?.withMemory,
    })
  ) {
    if (!Number.isSafeInteger(value) || value! < 0) {
      throw new InputSyntaxError(
        `Cannot resume from "${path}" as ${name} must be a count: current value is ${value}`,
      );
    }
  }
  const saved = state as SavedState;
  const sha256 = hashState(saved);
  if (saved.sha256 !== undefined && saved.sha256 !== sha256) {
    throw new InputSyntaxError(
      `Cannot resume from "${path}" as it is damaged: current SHA-256 of its fields is ${sha256}, allowed is ${saved.sha256}`,
    );
  }
  return saved;
}

/** Whether a folder has a checkpoint that was written to its end. */
export async function hasCheckpoint(folder: string): Promise<boolean> {
  return (await savedSteps(folder)).some(({ isWhole }) => isWhole);
}

/** Checkpoints of a folder, the newest first, and whether each was written to its end. */
async function savedSteps(
  folder: string,
): Promise<(TrainingProgress & { name: string; isWhole: boolean })[]> {
  const entries = await ifThere(Array.fromAsync(Deno.readDir(folder))) ?? [];
  const steps = entries.flatMap(({ name }) => {
    const match = stepFolder.exec(name);
    return match ? [{ name, step: Number(match[1]), batches: Number(match[2] ?? 0) }] : [];
  });
  const whole = await Promise.all(
    steps.map(({ name }) => isThere(join(folder, name, "state.json"))),
  );
  return steps.map((saved, i) => ({ ...saved, isWhole: whole[i] }))
    .sort((a, b) => b.step - a.step || b.batches - a.batches);
}
