/**
 * Cost of a run, known before it starts: parameters, tokens, arithmetic, and missing data.
 */
import type { BackboneShape } from "../backbone/shape.ts";
import { type SideNetShape, sideNetTensorShapes } from "../longmem/sidenet_shape.ts";
import { canonicalJson, identityOf } from "../declaration/identity.ts";
import type { NamedPath } from "../declaration/part.ts";
import { sideNetKindOf } from "../checkpoint/sidenets.ts";
import { kindOf } from "../evaluation/evaluations.ts";
import { experimentSchema } from "./schema.ts";
import { corpora } from "../text/corpora/corpora.ts";
import { tokenizers } from "../text/tokenizers/tokenizers.ts";
import { estimateEvaluation, type EvaluationEstimate } from "./evaluation_estimate.ts";
import { backbones } from "./backbones.ts";
import { backboneShape, countParameters, shapeOnFile, sideNetShape } from "./shapes.ts";
import { gpuBankBytes, type MemoryExcess, memoryExcess, memoryNeed } from "./memory_need.ts";
import type { ResolvedExperiment } from "./declaration.ts";
import { type DeclaredTraining, trainingsOf } from "./trainings.ts";
import { adaptedTensors } from "../training/adaptation.ts";
import { isThere } from "../files.ts";
import { architectureOf, backboneTensorShapes } from "../backbone/architectures.ts";

/** Estimated cost of a run; fields that depend on a file that has not been read are undefined. */
export interface Estimate {
  readonly backboneParameters: number | undefined;
  /** Parameters of the SideNet, the trained ones. */
  readonly sidenetParameters: number | undefined;
  /** Bytes of memory that it needs at least. */
  readonly memoryBytes: number;
  /** Bytes that keys, values and mean keys take on a GPU; 0 where the declared device is another one. */
  readonly gpuBankBytes: number;
  /** Why it does not fit into the memory of this machine; undefined where it may. */
  readonly excess: MemoryExcess | undefined;
  readonly trainings: readonly TrainingEstimate[];
  readonly evaluations: readonly EvaluationEstimate[];
  /** Paths that the declaration names and that are not there. */
  readonly missing: readonly string[];
}

export interface TrainingEstimate {
  /** Name of the training. */
  readonly phase: string;
  /** Equal for trainings that give the same weights: of the runs of one results folder only one does them. */
  readonly key: string;
  /** Updates. */
  readonly steps: number;
  /** Tokens to be processed, padding included. */
  readonly tokens: number;
  /** Floating-point operations of the matrices, without attention and retrieval. */
  readonly operations?: number;
}

/** Estimates a run and looks whether its data is there. */
export async function estimateRun(experiment: ResolvedExperiment): Promise<Estimate> {
  const { sidenet, evaluations } = experiment;
  const onFile = await shapeOnFile(experiment);
  const shape = backboneShape(experiment) ?? onFile;
  const sidenetShape = shape && sidenet && sideNetShape(sidenet, shape);
  const backboneParameters = shape && countParameters(shape, backboneTensorShapes);
  const sidenetParameters = sidenetShape &&
    countParameters(sidenetShape, (sidenet) => sideNetTensorShapes(sidenet, shape));
  // 2 operations a parameter and token.
  const forward = shape && {
    backbone: 2 * (countMatrices(shape) + headSize(shape)),
    ...(sidenetParameters !== undefined && { sidenet: 2 * sidenetParameters }),
  };
  return {
    backboneParameters,
    sidenetParameters,
    memoryBytes: memoryNeed(experiment, onFile),
    gpuBankBytes: gpuBankBytes(experiment, onFile),
    excess: memoryExcess(experiment, onFile),
    trainings: trainingsOf(experiment).map((training) =>
      estimateTraining(training, experiment, { backbone: shape, sideNet: sidenetShape })
    ),
    evaluations: await Promise.all(
      evaluations.map((evaluation) => estimateEvaluation(evaluation, experiment.corpus, forward)),
    ),
    missing: [...new Set((await missingPaths(experiment)).map(({ path }) => path))],
  };
}

function estimateTraining(
  training: DeclaredTraining,
  experiment: ResolvedExperiment,
  shapes: NetworkShapes,
): TrainingEstimate {
  const { steps, batchSize, contextTokens, accumulationSteps } = training.config;
  const tokens = steps * batchSize * contextTokens * accumulationSteps;
  const operations = operationsPerToken(training, shapes);
  return {
    phase: training.name,
    key: trainingKey(training, experiment),
    steps,
    tokens,
    ...(operations !== undefined && { operations: operations * tokens }),
  };
}

/** Sizes of the networks, as far as they are known. */
interface NetworkShapes {
  readonly backbone: BackboneShape | undefined;
  readonly sideNet: SideNetShape | undefined;
}

/** Numbers of the head's matrix, which may be a table of embeddings. */
function headSize({ vocabSize, hiddenDim }: BackboneShape): number {
  return vocabSize * hiddenDim;
}

/** Parameters of a backbone without the head's matrix and tables of embeddings: looking up an embedding is no operation. */
function countMatrices(backbone: BackboneShape): number {
  const { roleOf } = architectureOf(backbone);
  return countParameters(backbone, (shape) => {
    const tensors = [...backboneTensorShapes(shape)];
    return new Map(tensors.filter(([name]) => !["embeddings", "head"].includes(roleOf(name))));
  });
}

/** Floating-point operations a token of a training, without attention and retrieval. */
function operationsPerToken(
  { adaptation }: DeclaredTraining,
  { backbone, sideNet }: NetworkShapes,
): number | undefined {
  if (!backbone) return undefined;
  const head = headSize(backbone), matrices = countMatrices(backbone);
  // Forward twice a parameter, backward twice as many.
  if (!adaptation) return 3 * 2 * (matrices + head);
  const trained = sideNet &&
    countParameters(sideNet, (sideNet) => adaptedTensors(adaptation, sideNet, backbone));
  // The frozen backbone runs forward without its head; the head runs forward, and backward to its input only.
  return trained && 2 * matrices + 4 * head + adaptation.operationsPerParameter * trained;
}

/** Key of all declared values that determine the weights of a training. */
function trainingKey(
  { name: phase, adaptation }: DeclaredTraining,
  experiment: ResolvedExperiment,
): string {
  const { seed, tokenizer, corpus, backbone } = experiment;
  const own = adaptation?.fields.map((field) => [field, experiment[field]]) ?? [];
  const deciding = { phase, seed, tokenizer, corpus, backbone, ...Object.fromEntries(own) };
  return canonicalJson(identityOf(experimentSchema(), deciding));
}

/** Files and folders of a declaration that are not there, by the field that names them; whether a glob matches shows when the corpus is opened. */
export async function missingPaths(
  experiment: ResolvedExperiment,
): Promise<NamedPath[]> {
  const missing: NamedPath[] = [];
  for (const named of await inputPaths(experiment)) {
    if (!named.optional && !await isThere(named.path)) missing.push(named);
  }
  return missing;
}

/** Files and folders that a declaration reads, by the field that names them, without the matches of globs. */
export async function inputPaths(experiment: ResolvedExperiment): Promise<NamedPath[]> {
  const { corpus, tokenizer, backbone, sidenet, evaluations } = experiment;
  const { files, besideWeights } = tokenizers.get(tokenizer.kind);
  const named: NamedPath[] = [
    ...await corpora.get(corpus.kind).files?.(corpus, "corpus") ?? [],
    ...files?.(tokenizer, "tokenizer") ?? [],
  ];
  const weights = await backbones.get(backbone.kind).files(backbone, "backbone");
  named.push(...weights);
  // A folder without them says so where the tokenizer is opened.
  for (const path of besideWeights?.files(weights[0].path) ?? []) {
    named.push({ field: "tokenizer", path, optional: true });
  }
  if (sidenet) named.push(...sideNetKindOf(sidenet).files?.(sidenet, "sidenet") ?? []);
  for (const [i, evaluation] of evaluations.entries()) {
    for (const { field, ...entry } of await kindOf(evaluation).files?.(evaluation) ?? []) {
      named.push({ field: `evaluations.${i}.${field}`, ...entry });
    }
  }
  return named;
}
