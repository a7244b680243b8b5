/**
 * Which trainings an experiment declares, in the order in which a run does them: a line each.
 */
import { modelKindOf } from "../evaluation/models.ts";
import type { ResolvedExperiment, TrainingConfig } from "./declaration.ts";
import {
  backboneTraining,
  type ComparedTraining,
  sideNetTraining,
  type TrainingName,
} from "../training/training_names.ts";

/** Parameters of the parts of a model; of a part that depends on a file that is not read yet: none. */
export interface PartParameters {
  readonly backbone: number;
  /** Of the head, which are those of the embeddings, too. */
  readonly head: number;
  readonly sidenet?: number | undefined;
  /** Of the blocks that a Memorizing Transformer trains. */
  readonly memorizing?: number | undefined;
}

/** One training. */
export interface DeclaredTraining {
  /** Its fields; undefined where a run of the experiment does not do it. */
  config(experiment: ResolvedExperiment): TrainingConfig | undefined;
  /** Floating-point operations a token, without attention and retrieval; looking up an embedding is none. */
  operationsPerToken(parameters: PartParameters): number | undefined;
  /** Fields of the experiment that decide its weights, beside those that decide the backbone's. */
  readonly fields: readonly ("sidenet" | "adaptation" | "memory")[];
}

/** The trainings of a run, by name. */
export const trainings: Readonly<Record<TrainingName, DeclaredTraining>> = {
  [backboneTraining]: {
    config: ({ backbone }) => backbone.kind === "pretrain" ? backbone.training : undefined,
    // Forward twice a parameter, backward twice as many.
    operationsPerToken: ({ backbone, head }) => 3 * 2 * (backbone - head),
    fields: [],
  },
  [sideNetTraining]: {
    config: ({ adaptation, memory }) => memory && adaptation,
    operationsPerToken: adaptationOperations,
    fields: ["sidenet", "adaptation", "memory"],
  },
  "sidenet-without-memory": {
    config: (experiment) =>
      !experiment.memory || asksFor("sidenet-without-memory", experiment)
        ? experiment.adaptation
        : undefined,
    operationsPerToken: adaptationOperations,
    fields: ["sidenet", "adaptation"],
  },
  "memorizing-transformer": {
    config: (experiment) =>
      asksFor("memorizing-transformer", experiment) ? experiment.adaptation : undefined,
    // Frozen blocks run forward, trained ones forward and backward; the head as below.
    operationsPerToken: ({ backbone, head, memorizing }) =>
      memorizing && 2 * (backbone - 2 * head) + 4 * memorizing + 4 * head,
    fields: ["sidenet", "adaptation", "memory"],
  },
};

/** The frozen backbone runs forward without its head; the head runs forward, and backward to its input only; the SideNet is trained. */
function adaptationOperations({ backbone, head, sidenet }: PartParameters): number | undefined {
  return sidenet && 2 * (backbone - 2 * head) + 4 * head + 6 * sidenet;
}

/** Whether an evaluation lists a model that needs a training of its own. */
function asksFor(training: ComparedTraining, { evaluations }: ResolvedExperiment): boolean {
  return evaluations.some(({ models }) =>
    models.some((model) => modelKindOf(model).training === training)
  );
}
