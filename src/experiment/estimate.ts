/**
 * What a run will take, known before it starts: parameters, tokens, arithmetic, and data that is missing.
 */
import { memorizingTensorShapes } from "../longmem/memorizing_transformer.ts";
import { sideNetTensorShapes } from "../longmem/sidenet_shape.ts";
import { canonicalJson, identityOf } from "../declaration/identity.ts";
import { kindOf } from "../evaluation/evaluations.ts";
import { modelKindOf } from "../evaluation/models.ts";
import { experimentSchema } from "./schema.ts";
import { corpora } from "../text/corpora/corpora.ts";
import { tokenizerFiles } from "../text/tokenizer_config.ts";
import { estimateEvaluation, type EvaluationEstimate } from "./evaluation_estimate.ts";
import { storedPath } from "../checkpoint/huggingface_backbone.ts";
import { backboneShape, countParameters, shapeOnFile, sideNetShape } from "./shapes.ts";
import { machineMemoryBytes } from "../runtime/machine_memory.ts";
import { type MemoryExcess, memoryExcess, memoryNeed } from "./memory_need.ts";
import type { ResolvedExperiment, TrainingConfig } from "./declaration.ts";
import { ifThere } from "../files.ts";
import { backboneTensorShapes } from "../backbone/architectures.ts";

/** What a run will take; what depends on a file that is not read yet is absent. */
export interface Estimate {
  /** Parameters of the frozen backbone. */
  readonly backboneParameters?: number;
  /** Parameters of the SideNet, the trained ones. */
  readonly sidenetParameters?: number;
  /** Bytes of memory that it needs at least. */
  readonly memoryBytes: number;
  /** Why it does not fit into the memory of this machine; absent where it may. */
  readonly excess?: MemoryExcess;
  /** Trainings in order, by what is trained. */
  readonly trainings: readonly TrainingEstimate[];
  /** Evaluations in order. */
  readonly evaluations: readonly EvaluationEstimate[];
  /** Paths that the declaration names and that are not there. */
  readonly missing: readonly string[];
}

/** What one training will take. */
export interface TrainingEstimate {
  /** What is trained. */
  readonly phase: "backbone" | "sidenet-without-memory" | "longmem" | "memorizing-transformer";
  /** Equal for trainings that come to the same weights: of the runs of one results folder only one does them. */
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
  const { backbone, sidenet, adaptation, evaluations } = experiment;
  const onFile = await shapeOnFile(experiment);
  const shape = backboneShape(experiment) ?? onFile;
  const sidenetShape = shape && sidenet && sideNetShape(sidenet, shape);
  const backboneParameters = shape && countParameters(shape, backboneTensorShapes);
  const sidenetParameters = sidenetShape &&
    countParameters(sidenetShape, (sidenet) => sideNetTensorShapes(sidenet, shape));
  // 2 operations a parameter and token; looking up an embedding is none.
  const forward = shape && {
    backbone: 2 * (backboneParameters! - shape.vocabSize * shape.hiddenDim),
    ...(sidenetParameters !== undefined && { sidenet: 2 * sidenetParameters }),
  };
  const memoryBytes = memoryNeed(experiment, onFile);
  const machineBytes = machineMemoryBytes();
  const excess = machineBytes === undefined
    ? undefined
    : memoryExcess(experiment, machineBytes, onFile);
  const trainings: TrainingEstimate[] = [];
  const add = (
    phase: TrainingEstimate["phase"],
    training: TrainingConfig,
    operationsPerToken: number | undefined,
  ) => trainings.push(trainingEstimate(phase, experiment, training, operationsPerToken));
  if (backbone.kind === "pretrain") {
    const perToken = forward && 3 * forward.backbone; // backward takes twice as many
    add("backbone", backbone.training, perToken);
  }
  if (adaptation) {
    // The frozen backbone runs forward without its head; the head runs forward, and backward to its
    // input only; the SideNet is trained.
    const head = shape && shape.vocabSize * shape.hiddenDim;
    const perToken = sidenetParameters &&
      2 * (backboneParameters! - 2 * head!) + 4 * head! + 6 * sidenetParameters;
    const trained = new Set(
      evaluations.flatMap(({ models }) => models.map((model) => modelKindOf(model).training)),
    );
    if (experiment.memory) add("longmem", adaptation, perToken);
    if (trained.has("sidenet-without-memory") || !experiment.memory) {
      add("sidenet-without-memory", adaptation, perToken);
    }
    if (trained.has("memorizing-transformer")) {
      // Frozen blocks run forward, trained ones forward and backward; the head as above.
      const trained = sidenetShape &&
        countParameters(sidenetShape, (sidenet) => memorizingTensorShapes(sidenet, shape));
      const operations = trained && 2 * (backboneParameters! - 2 * head!) + 4 * trained + 4 * head!;
      add("memorizing-transformer", adaptation, operations);
    }
  }
  return {
    ...(backboneParameters !== undefined && { backboneParameters }),
    ...(sidenetParameters !== undefined && { sidenetParameters }),
    memoryBytes,
    ...(excess && { excess }),
    trainings,
    evaluations: await Promise.all(
      evaluations.map((evaluation) => estimateEvaluation(evaluation, experiment.corpus, forward)),
    ),
    missing: [...new Set((await missingPaths(experiment)).map(({ path }) => path))],
  };
}

function trainingEstimate(
  phase: TrainingEstimate["phase"],
  experiment: ResolvedExperiment,
  training: TrainingConfig,
  operationsPerToken: number | undefined,
): TrainingEstimate {
  const { steps, batchSize, contextTokens, accumulationSteps } = training;
  const tokens = steps * batchSize * contextTokens * accumulationSteps;
  return {
    phase,
    key: trainingKey(phase, experiment),
    steps,
    tokens,
    ...(operationsPerToken !== undefined && { operations: operationsPerToken * tokens }),
  };
}

/** What decides the weights of a training, as far as declarations say it. */
function trainingKey(
  phase: TrainingEstimate["phase"],
  { seed, tokenizer, corpus, backbone, sidenet, adaptation, memory }: ResolvedExperiment,
): string {
  const adapted = phase === "backbone" ? {} : { sidenet, adaptation };
  const remembered = phase === "longmem" || phase === "memorizing-transformer" ? { memory } : {};
  const deciding = { phase, seed, tokenizer, corpus, backbone, ...adapted, ...remembered };
  return canonicalJson(identityOf(experimentSchema(), deciding));
}

/** Files and folders of a declaration that are not there, by the field that names them; whether a glob matches shows when the corpus is opened. */
export async function missingPaths(
  experiment: ResolvedExperiment,
): Promise<{ field: string; path: string }[]> {
  const named = await inputPaths(experiment);
  const missing: { field: string; path: string }[] = [];
  for (const { field, path, optional } of named) {
    if (!optional && !await exists(path)) missing.push({ field, path });
  }
  return missing;
}

/** A file or folder that a declaration reads. */
export interface InputPath {
  /** The field that names it, or the folder it is in. */
  readonly field: string;
  readonly path: string;
  /** Whether a run does without it where it is missing. */
  readonly optional?: true;
}

/** Files and folders that a declaration reads, by the field that names them, without the matches of globs. */
export async function inputPaths(experiment: ResolvedExperiment): Promise<InputPath[]> {
  const { corpus, tokenizer, backbone, sidenet, evaluations } = experiment;
  const named: InputPath[] = [
    ...await corpora.get(corpus.kind).files?.(corpus, "corpus") ?? [],
    ...tokenizerFiles(tokenizer, "tokenizer"),
  ];
  if (corpus.kind === "files") {
    const path = `${corpus.folder}/index.json`;
    named.push({ field: "corpus.folder", path, optional: true });
  }
  if (backbone.kind !== "pretrain") {
    const weights = await storedPath(backbone);
    named.push(weights);
    if (tokenizer.kind === "huggingface") {
      // A folder without them says so where the tokenizer is opened.
      const beside = { kind: "file", path: `${weights.path}/tokenizer.json` } as const;
      for (const { path } of tokenizerFiles(beside, "tokenizer")) {
        named.push({ field: "tokenizer", path, optional: true });
      }
    }
  }
  if (sidenet?.kind === "checkpoint") named.push({ field: "sidenet.path", path: sidenet.path });
  for (const [i, evaluation] of evaluations.entries()) {
    for (const { field, ...entry } of await kindOf(evaluation).files?.(evaluation) ?? []) {
      named.push({ field: `evaluations.${i}.${field}`, ...entry });
    }
  }
  return named;
}

async function exists(path: string): Promise<boolean> {
  return await ifThere(Deno.stat(path)) !== undefined;
}
