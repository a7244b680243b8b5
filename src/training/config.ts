/**
 * The fields of a training: their meaning, forms, defaults and rules.
 */
import { z } from "zod";
import {
  fraction,
  nonNegativeInteger,
  nonNegativeNumber,
  oneOf,
  positiveInteger,
  positiveNumber,
} from "../declaration/fields.ts";
import type { ModelSize } from "../backbone/config.ts";
import { unmeasured } from "../declaration/identity.ts";
import type { Accepts, Assert, Declared, Part } from "../declaration/part.ts";
import { type Problem, wrong } from "../declaration/problem.ts";
import type { ByProtocol, Protocol } from "../declaration/protocol.ts";

/** One training: batches, AdamW, learning rate schedule (specification section 11). */
export interface TrainingConfig {
  /** Rows B of a batch; each row reads its own documents in order. */
  readonly batchSize: number;
  /** Tokens T of a segment. */
  readonly contextTokens: number;
  /** Updates of the parameters. */
  readonly steps: number;
  /** Highest learning rate. */
  readonly learningRate: number;
  /** How the learning rate falls from `learningRate` to `finalLearningRate` (polynomial: power 1). */
  readonly schedule: "polynomial" | "cosine";
  /** Steps over which the learning rate rises linearly from 0. */
  readonly warmupSteps: number;
  /** Learning rate after `totalSteps`. */
  readonly finalLearningRate: number;
  /** Step at which the schedule ends; it may lie beyond `steps`, as in an excerpt of a longer training. */
  readonly totalSteps: number;
  /** Decoupled weight decay, on every trained parameter. */
  readonly weightDecay: number;
  /** Decay of Adam's running means of the gradient and of its square. */
  readonly betas: readonly [number, number];
  /** Added to the square root of Adam's second mean. */
  readonly epsilon: number;
  /** Scales gradients down to this global norm; absent: no clipping, as the released script. */
  readonly clipNorm?: number;
  /** Batches whose gradients are averaged for one update. */
  readonly accumulationSteps: number;
  /**
   * Text of a row: `lanes` is a contiguous part of the concatenated corpus (specification
   * section 10), `documents` are whole documents, no segment crossing a boundary.
   */
  readonly batches: "lanes" | "documents";
  /**
   * Rows of a batch that read random tokens which repeat, in place of the corpus: only induction heads predict them, which so form
   * earlier; absent: none.
   */
  readonly repeatedRows?: number;
  /** Steps between checkpoints; an interrupted run resumes from the last one. */
  readonly checkpointEverySteps: number;
  /** Steps between measurements of the loss on the valid split; absent: none. */
  readonly validateEverySteps?: number;
  /** Steps between records of the gates and of the sizes of updates beside those of weights; absent: none. They change no weights. */
  readonly diagnoseEverySteps?: number;
}

/** Training of the SideNet: the backbone is frozen. */
export interface AdaptationConfig extends TrainingConfig {
  /** Dropout of attention probabilities and MLP outputs in the SideNet. */
  readonly dropout: number;
  /**
   * Whether each head learns its gate between segment and memory (specification section 7), or it stays as it starts: half of
   * each, where the SideNet is initialised here; absent: learned. That the paper gates the segment and the released code the
   * memory makes no difference: it turns the sign of a number that starts at 0.
   */
  readonly gate?: "learned" | "fixed";
}

/** A training as declared; `batchSize`, `contextTokens` and `learningRate` may be left out where the backbone's `size` is named. */
export type TrainingDeclaration = Declared<TrainingConfig, "steps">;

/** An adaptation as declared. */
export type AdaptationDeclaration =
  & TrainingDeclaration
  & Partial<Pick<AdaptationConfig, "dropout" | "gate">>;

/** Most batches of one update: the loss is known and recorded once an update. */
const mostAccumulationSteps = 2 ** 16;

/** With an epsilon above 1, AdamW does not learn. A learning rate that is too high shows: a loss that is not finite ends the training. */
const epsilon = z.number().positive().max(1).describe("numbers above 0, up to 1");

const fields = {
  batchSize: positiveInteger.exactOptional(),
  contextTokens: positiveInteger.exactOptional(),
  steps: positiveInteger,
  learningRate: positiveNumber.exactOptional(),
  schedule: oneOf("polynomial", "cosine").exactOptional(),
  warmupSteps: nonNegativeInteger.exactOptional(),
  finalLearningRate: nonNegativeNumber.exactOptional(),
  totalSteps: positiveInteger.exactOptional(),
  weightDecay: nonNegativeNumber.exactOptional(),
  betas: z.tuple([fraction, fraction]).readonly()
    .describe("two numbers from 0, below 1").exactOptional(),
  epsilon: epsilon.exactOptional(),
  clipNorm: positiveNumber.exactOptional(),
  accumulationSteps: z.int().min(1).max(mostAccumulationSteps)
    .describe(`integers from 1 to ${mostAccumulationSteps}`).exactOptional(),
  batches: oneOf("lanes", "documents").exactOptional(),
  repeatedRows: positiveInteger.exactOptional(),
  checkpointEverySteps: unmeasured(positiveInteger).exactOptional(),
  validateEverySteps: positiveInteger.exactOptional(),
  diagnoseEverySteps: unmeasured(positiveInteger).exactOptional(),
};

const trainingSchema = z.strictObject(fields);
type _TrainingAccepted = Assert<Accepts<typeof trainingSchema, TrainingDeclaration>>;

const adaptationSchema = z.strictObject({
  ...fields,
  dropout: fraction.exactOptional(),
  gate: oneOf("learned", "fixed").exactOptional(),
});
type _AdaptationAccepted = Assert<Accepts<typeof adaptationSchema, AdaptationDeclaration>>;

/** The released training script's optimiser (specification section 11), and dropout of its SideNet. */
const defaults = {
  schedule: "polynomial",
  warmupSteps: 0,
  finalLearningRate: 0,
  weightDecay: 0.01,
  betas: [0.9, 0.98],
  epsilon: 1e-6,
  accumulationSteps: 1,
  checkpointEverySteps: 200,
} as const satisfies Partial<TrainingConfig>;
const dropout = 0.1;

/** Fields of a training that follow a model's size, with the values that each may have. */
const neededFields = {
  batchSize: "positive integers",
  contextTokens: "positive integers",
  learningRate: "numbers above 0",
} as const;

type SizedFields = Pick<TrainingConfig, keyof typeof neededFields>;

/** How models of the named sizes are trained: as the experiments do that {@linkcode ModelSize} names, and the released script. */
const pretrainings: Readonly<Record<ModelSize, SizedFields>> = {
  tiny: { batchSize: 4, contextTokens: 128, learningRate: 2e-3 },
  mini: { batchSize: 8, contextTokens: 128, learningRate: 1e-3 },
  small: { batchSize: 4, contextTokens: 256, learningRate: 2e-3 },
  "gpt2-medium": { batchSize: 8, contextTokens: 1024, learningRate: 2e-4 },
};
const adaptations: Readonly<Record<ModelSize, SizedFields>> = {
  tiny: { batchSize: 4, contextTokens: 128, learningRate: 1e-3 },
  mini: { batchSize: 8, contextTokens: 128, learningRate: 2e-3 },
  small: { batchSize: 4, contextTokens: 256, learningRate: 1e-3 },
  "gpt2-medium": { batchSize: 8, contextTokens: 1024, learningRate: 2e-4 }, // specification section 11
};

/** Batches of each protocol; the number is a row of specification section 17. */
const batchesOf: ByProtocol<TrainingConfig["batches"]> = {
  "released-code": "lanes", // 8
  strict: "documents",
  paper: "lanes",
};

/** Inputs from which the defaults of a training are derived. */
export interface TrainingDefaults {
  readonly protocol: Protocol;
  /** The size of the model, where it is named. */
  readonly size?: ModelSize | undefined;
}

function missingFields(
  training: TrainingDeclaration,
  path: string,
  { size }: Pick<TrainingDefaults, "size">,
): Problem[] {
  return Object.entries(neededFields)
    .filter(([field]) => size === undefined && !(field in training))
    .map(([field, allowed]) => ({
      path: `${path}.${field}`,
      message: `is missing, as the backbone names no size: allowed are ${allowed}`,
    }));
}

function fill(
  training: TrainingDeclaration,
  { protocol, size }: TrainingDefaults,
  sizes: typeof pretrainings,
): TrainingConfig {
  return {
    ...defaults,
    totalSteps: training.steps,
    batches: batchesOf[protocol],
    ...(size && sizes[size]),
    ...training,
  } as TrainingConfig; // nothing is missing
}

/** The training of a backbone, as a part of declarations. */
export const trainingPart = {
  schema: trainingSchema,
  missing: missingFields,
  fill: (training: TrainingDeclaration, from: TrainingDefaults) =>
    fill(training, from, pretrainings),

  check(
    config: TrainingConfig,
    path: string,
  ): Problem[] {
    const { steps, totalSteps, warmupSteps, batchSize, repeatedRows = 0 } = config;
    const { learningRate, weightDecay } = config;
    const last = Math.min(steps, totalSteps);
    const warmup = warmupSteps <= last ? [] : [wrong(
      `${path}.warmupSteps`,
      `must not exceed ${path}.${totalSteps < steps ? "totalSteps" : "steps"}`,
      warmupSteps,
      `integers from 0 to ${last}`,
    )];
    const rows = repeatedRows < batchSize ? [] : [wrong(
      `${path}.repeatedRows`,
      `must be below ${path}.batchSize`,
      repeatedRows,
      `integers up to ${batchSize - 1}`,
    )];
    const decay = learningRate * weightDecay < 1 ? [] : [wrong(
      `${path}.weightDecay`,
      `must be below 1 / ${path}.learningRate, as an update multiplies parameters by 1 - learningRate * weightDecay`,
      weightDecay,
      `numbers from 0, below ${1 / learningRate}`,
    )];
    return [...warmup, ...rows, ...decay];
  },
} satisfies Part<TrainingDeclaration, TrainingConfig, TrainingDefaults>;

/** An adaptation, as a part of declarations. */
export const adaptationPart = {
  schema: adaptationSchema,
  missing: missingFields,

  /** A gate that is learned, as it is by default anyway, is left out, so that equal declarations are one run. */
  fill({ gate, ...training }: AdaptationDeclaration, from: TrainingDefaults): AdaptationConfig {
    return {
      dropout,
      ...training,
      ...fill(training, from, adaptations),
      ...(gate === "fixed" ? { gate } : {}),
    };
  },

  check: trainingPart.check,
} satisfies Part<AdaptationDeclaration, AdaptationConfig, TrainingDefaults>;

/**
 * The warm-up of a training whose steps are changed from the command line or by a sweep: where it would be longer than the
 * training, it keeps its share of it.
 *
 * @param before Steps of the training before.
 */
export function warmupAfter(
  { warmupSteps = 0, steps }: Pick<TrainingDeclaration, "warmupSteps" | "steps">,
  before: number,
): number {
  return warmupSteps <= steps ? warmupSteps : Math.floor(steps * Math.min(1, warmupSteps / before));
}

/** Learning rate of an update. */
export type ScheduleConfig = Pick<
  TrainingConfig,
  "learningRate" | "schedule" | "warmupSteps" | "finalLearningRate" | "totalSteps"
>;

/**
 * Learning rate of update u, counted from 1: rises linearly over the warm-up, then falls to `finalLearningRate` at
 * `totalSteps`. Without warm-up the polynomial schedule is the released one, lr (1 - (u-1)/total).
 */
export function learningRateAt(update: number, config: ScheduleConfig): number {
  const { learningRate, finalLearningRate, warmupSteps, totalSteps } = config;
  if (update <= warmupSteps) return learningRate * update / warmupSteps;
  const done = Math.min(1, (update - 1 - warmupSteps) / Math.max(1, totalSteps - warmupSteps));
  const remaining = config.schedule === "cosine" ? (1 + Math.cos(Math.PI * done)) / 2 : 1 - done;
  return finalLearningRate + (learningRate - finalLearningRate) * remaining;
}
