/**
 * The memory of the machine that a run needs at least, known before anything is allocated.
 *
 * Only data that a run certainly holds at once is counted, in bytes: weights, Adam's two means of those that are trained, one
 * activation a token and layer, and the memory bank. Actual use is higher. Corpora have bounds of their own.
 */
import { backboneTensorShapes, bankHeads } from "../backbone/architectures.ts";
import type { BackboneShape } from "../backbone/shape.ts";
import { setField, valueAt } from "../declaration/field_path.ts";
import { InputRangeError } from "../errors.ts";
import { kindOf } from "../evaluation/evaluations.ts";
import { modelKindOf } from "../evaluation/models.ts";
import { banksOf, type RememberedBanks } from "../longmem/parts.ts";
import { sideNetTensorShapes } from "../longmem/sidenet_shape.ts";
import { capacityChunks, type MemoryConfig } from "../memory/config.ts";
import { wordsOfVector } from "../memory/packed_vectors.ts";
import { vectorTableBytes } from "../memory/vector_table.ts";
import { gibibytes } from "../quantities.ts";
import { machineMemoryBytes } from "../system.ts";
import type { TrainingConfig } from "../training/config.ts";
import { pretrainingOf } from "./backbones.ts";
import type { EvaluatedModel, ResolvedExperiment } from "./declaration.ts";
import { backboneShape, countParameters, shapeOnFile, sideNetShape } from "./shapes.ts";

/** Bytes of a float32. */
const wordBytes = 4;

/** Copies of each trained parameter: its value and Adam's two means. */
const trainedCopies = 3;

/** Layers of which all tensors are counted, so that it takes no time. */
const countedLayers = 2;

/**
 * Bytes that a run needs at least, as far as the sizes are known.
 *
 * @param onFile Sizes of a backbone that are given by a file, not by the declaration.
 */
export function memoryNeed(experiment: ResolvedExperiment, onFile?: BackboneShape): number {
  const { backbone, sidenet, memory, adaptation, evaluations } = experiment;
  const shape = backboneShape(experiment) ?? onFile;
  if (shape === undefined) return 0;
  const sizes = sidenet && sideNetShape(sidenet, shape);
  const weights = {
    backbone: wordBytes * countParameters(shape, backboneTensorShapes, { countedLayers }),
    sidenet: sizes
      ? wordBytes *
        countParameters(sizes, (sidenet) => sideNetTensorShapes(sidenet, shape), { countedLayers })
      : 0,
  };
  const bank = (config: MemoryConfig | undefined, rows: number, heads = bankHeads(shape)) =>
    config && experiment.device !== "webgpu" ? bankBytes(config, heads, rows) : 0;
  const modelBytes = (model: EvaluatedModel) => {
    const kind = modelKindOf(model);
    const own = kind.ownMemory?.(model), contextTokens = kind.windowTokens?.(model);
    const { blocks, ...heads } = banksOf({ backbone: { shape }, ...own });
    return blocks.length * bank(own?.memory, 1, heads) +
      (contextTokens === undefined
        ? 0
        : activationBytes({ batchSize: 1, contextTokens }, shape, 1));
  };
  const phases = [weights.backbone];
  const pretraining = pretrainingOf(backbone);
  if (pretraining) {
    phases.push(
      trainedCopies * weights.backbone + activationBytes(pretraining, shape, shape.layers),
    );
  }
  if (adaptation) {
    phases.push(
      weights.backbone + trainedCopies * weights.sidenet +
        activationBytes(adaptation, shape, sizes?.layers ?? 1) +
        bank(memory, adaptation.batchSize),
    );
  }
  for (const evaluation of evaluations) {
    const activations = activationBytes(evaluation, shape, 1);
    for (const model of evaluation.models) {
      phases.push(weights.backbone + activations + modelBytes(model));
      if (!modelKindOf(model).fillsMemory) continue;
      // Rows may be fewer than a batch has.
      phases.push(
        weights.backbone + weights.sidenet + activations +
          (kindOf(evaluation).sizesMemory ? 0 : bank(evaluation.memory, 1)),
      );
    }
  }
  return Math.max(...phases);
}

/** Bytes of a memory: keys and values of all slots, and the mean keys of chunks; nothing for those in a file. */
export function bankBytes(
  config: MemoryConfig,
  { heads, headDim }: ReturnType<typeof bankHeads>,
  rows: number,
): number {
  if (config.place === "file") return 0;
  const chunks = (config.bank === "shared" ? 1 : rows) * capacityChunks(config);
  const table = { rows: heads * chunks, vectors: config.chunkTokens, size: headDim };
  return 2 * vectorTableBytes(config.storage, table) + heads * chunks * (headDim + 1) * wordBytes;
}

/**
 * Bytes that keys, values and mean keys of a run take on a GPU at least; 0 where the declared device is another one or sizes are unknown.
 *
 * @param onFile As of {@linkcode memoryNeed}.
 */
export function gpuBankBytes(experiment: ResolvedExperiment, onFile?: BackboneShape): number {
  const { device, memory, adaptation, evaluations } = experiment;
  const shape = backboneShape(experiment) ?? onFile;
  if (shape === undefined || device !== "webgpu") return 0;
  const own = { ...bankHeads(shape), blocks: [0] };
  const banks: number[] = [0];
  if (adaptation && memory) banks.push(bankBytesOnGpu(memory, own, adaptation.batchSize));
  for (const evaluation of evaluations) {
    for (const model of evaluation.models) {
      const kind = modelKindOf(model), parts = kind.ownMemory?.(model);
      if (parts) {
        banks.push(bankBytesOnGpu(parts.memory, banksOf({ backbone: { shape }, ...parts }), 1));
      }
      if (kind.fillsMemory && !kindOf(evaluation).sizesMemory && evaluation.memory) {
        banks.push(bankBytesOnGpu(evaluation.memory, own, 1));
      }
    }
  }
  return Math.max(...banks);
}

/** Banks in the words of `packed_vectors.ts`; of those in files the mean keys. Those that graphs read are declared as float32. */
function bankBytesOnGpu(
  config: MemoryConfig,
  { heads, headDim, blocks }: Pick<RememberedBanks, "heads" | "headDim" | "blocks">,
  rows: number,
): number {
  const { storage, place, chunkTokens } = config;
  const words = wordsOfVector(storage, headDim);
  const chunks = (config.bank === "shared" ? 1 : rows) * capacityChunks(config);
  const ofChunk = (place === "file" ? 0 : 2 * chunkTokens * words) + headDim + 1;
  return blocks.length * heads * chunks * ofChunk * wordBytes;
}

/** One vector for every token of a batch and layer. */
function activationBytes(
  { batchSize, contextTokens }: Pick<TrainingConfig, "batchSize" | "contextTokens">,
  { hiddenDim }: BackboneShape,
  layers: number,
): number {
  return wordBytes * batchSize * contextTokens * hiddenDim * layers;
}

/** A run's need for more memory than the machine has. */
export interface MemoryExcess {
  /** Bytes that the run needs at least. */
  readonly bytes: number;
  readonly machineBytes: number;
  /** The field that is too large; absent where only several together are. */
  readonly field?: {
    /** As `--set` names it. */
    readonly path: string;
    readonly current: number;
    /** The largest value with which the run may fit, all others as they are. */
    readonly largest: number;
  };
}

/** Sizes of the largest models in use: a size far beyond them is the likely mistake. */
const usual: Readonly<Record<string, number>> = {
  layers: 100,
  hiddenDim: 10_000,
  feedForwardDim: 40_000,
  vocabSize: 200_000,
  batchSize: 1000,
  contextTokens: 100_000,
  capacityTokens: 1_000_000,
  windowTokens: 1_000_000,
};

/** Paths of the sizes of an experiment, with their values. */
function sizesIn(
  value: unknown,
  path: readonly string[] = [],
): { path: string; current: number }[] {
  if (typeof value === "number") {
    return usual[path.at(-1)!] === undefined ? [] : [{ path: path.join("."), current: value }];
  }
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, field]) => sizesIn(field, [...path, key]));
}

/**
 * Checks whether a run needs more memory than a machine has; undefined where it may fit, or where nobody says how much it has.
 *
 * @param onFile Sizes of a backbone that are given by a file, not by the declaration.
 * @param machineBytes Memory of the machine (default: this one's).
 */
export function memoryExcess(
  experiment: ResolvedExperiment,
  onFile?: BackboneShape,
  machineBytes = machineMemoryBytes() ?? Infinity,
): MemoryExcess | undefined {
  const bytes = memoryNeed(experiment, onFile);
  if (bytes <= machineBytes) return undefined;
  const fields = sizesIn(experiment).flatMap(({ path, current }) => {
    let [largest, tooLarge] = [0, current];
    while (tooLarge - largest > 1) {
      const middle = Math.floor((largest + tooLarge) / 2);
      if (memoryNeed(withSize(experiment, path, middle), onFile) <= machineBytes) largest = middle;
      else tooLarge = middle;
    }
    const beyond = current / usual[path.split(".").at(-1)!];
    return largest > 0 ? [{ path, current, largest, beyond }] : [];
  });
  const [most] = fields.sort((a, b) => b.beyond - a.beyond);
  if (!most) return { bytes, machineBytes };
  const { beyond: _beyond, ...field } = most;
  return { bytes, machineBytes, field };
}

/** The experiment with another size, and the fields that were declared to follow it. */
function withSize(experiment: ResolvedExperiment, path: string, value: number): ResolvedExperiment {
  const changed = structuredClone(experiment);
  const keys = path.split("."), [part] = keys, field = keys.at(-1)!;
  const current = valueAt(experiment, keys) as number;
  setField(changed, keys, value);
  const follow = (other: readonly string[], factor = 1) => {
    if (valueAt(experiment, other) === factor * current) setField(changed, other, factor * value);
  };
  if (field === "hiddenDim") follow([...keys.slice(0, -1), "feedForwardDim"], 4);
  for (const i of experiment.evaluations.keys()) {
    if (part === "memory") follow(["evaluations", `${i}`, ...keys]);
    if (part !== "evaluations" && field === "contextTokens") follow(["evaluations", `${i}`, field]);
  }
  return changed;
}

/** Why a run does not fit into the memory of a machine, as the end of a sentence. */
export function describeExcess({ field, bytes, machineBytes }: MemoryExcess): string {
  const machine = `of memory: this machine has ${gibibytes(machineBytes)}`;
  if (!field) return `its sizes together take at least ${gibibytes(bytes)} ${machine}`;
  const { path, current, largest } = field;
  return `with ${path} it takes at least ${gibibytes(bytes)} ${machine}; current value is ` +
    `${current}, allowed are integers up to ${largest}`;
}

/**
 * Checks that a run may fit into the memory of this machine.
 *
 * @throws {RangeError} It names the field that is too large, its value and the largest that is allowed.
 */
export async function checkMemoryNeed(experiment: ResolvedExperiment): Promise<void> {
  const excess = memoryExcess(experiment, await shapeOnFile(experiment));
  if (excess === undefined) return;
  throw new InputRangeError(`Cannot run "${experiment.name}" as ${describeExcess(excess)}`);
}
