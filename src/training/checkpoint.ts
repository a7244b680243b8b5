/**
 * Checkpoints of a training: everything a continued training needs, the memory bank included, so that it goes on to the
 * same numbers as if it had never stopped.
 *
 *     step_000200/
 *       parameters.safetensors  adam_means.safetensors  adam_squares.safetensors
 *       memory.safetensors      best.safetensors
 *       state.json              written last: a folder without it was cut off by a kill and does not count
 */
import { join } from "node:path";
import { readSafetensors, writeSafetensors } from "../formats/safetensors.ts";
import type { TensorMap } from "../tensor.ts";
import { removeIfThere, writeAtomically, writing } from "../files.ts";
import type { TrainerState } from "./trainer.ts";
import { InputSyntaxError } from "../errors.ts";

/** Weights that scored best on the valid split so far. */
export interface BestWeights {
  readonly step: number;
  /** Mean negative log-likelihood on the valid split, in nats. */
  readonly loss: number;
  readonly weights: TensorMap;
}

/** What a checkpoint holds. */
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
  readonly updates: TrainerState["updates"];
  readonly position: unknown;
  readonly rings: readonly { first: number; count: number }[] | null;
  readonly best: { step: number; loss: number } | null;
}

const stepFolder = /^step_(\d+)$/;

/** Writes a checkpoint beside the earlier ones, then removes those. */
export async function saveCheckpoint(
  folder: string,
  checkpoint: TrainingCheckpoint,
): Promise<void> {
  const { trainer, position, best } = checkpoint;
  const name = `step_${String(trainer.step).padStart(6, "0")}`;
  const path = join(folder, name);
  await writing(path, () => Deno.mkdir(path, { recursive: true }));
  await removeIfThere(join(path, "state.json"));
  await writeSafetensors(join(path, "parameters.safetensors"), trainer.parameters);
  await writeSafetensors(join(path, "adam_means.safetensors"), trainer.means);
  await writeSafetensors(join(path, "adam_squares.safetensors"), trainer.squares);
  if (trainer.memory) {
    await writeSafetensors(
      join(path, "memory.safetensors"),
      new Map(Object.entries(trainer.memory.tensors)),
    );
  }
  if (best) await writeSafetensors(join(path, "best.safetensors"), best.weights);
  const state: SavedState = {
    format: "longmem-lab training",
    version: 1,
    step: trainer.step,
    updates: trainer.updates,
    position,
    rings: trainer.memory?.rings ?? null,
    best: best ? { step: best.step, loss: best.loss } : null,
  };
  await writeAtomically(join(path, "state.json"), JSON.stringify(state, null, 2) + "\n");
  for (const step of await savedSteps(folder)) {
    if (step.name !== name) await Deno.remove(join(folder, step.name), { recursive: true });
  }
}

/**
 * Reads the newest whole checkpoint of a folder; undefined where there is none.
 *
 * @throws SyntaxError where its `state.json` is not one, RangeError where a file of tensors is cut off; both name the file.
 */
export async function loadCheckpoint(folder: string): Promise<TrainingCheckpoint | undefined> {
  const steps = (await savedSteps(folder)).sort((a, b) => b.step - a.step);
  for (const { name } of steps) {
    const path = join(folder, name);
    let text;
    try {
      text = await Deno.readTextFile(join(path, "state.json"));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) continue;
      throw error;
    }
    const state = parseState(join(path, "state.json"), text);
    const read = async (file: string) =>
      (await readSafetensors(join(path, `${file}.safetensors`))).tensors;
    return {
      trainer: {
        step: state.step,
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
  return undefined;
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
  return state as SavedState;
}

async function savedSteps(folder: string): Promise<{ name: string; step: number }[]> {
  const steps = [];
  try {
    for await (const { name } of Deno.readDir(folder)) {
      const match = stepFolder.exec(name);
      if (match) steps.push({ name, step: Number(match[1]) });
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return steps;
}
