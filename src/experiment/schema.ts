/**
 * The form of a declaration: which fields there are and which values each may take.
 *
 * Every leaf carries the words in which errors name its allowed values. That these schemas and the
 * documented types of `declaration.ts` say the same is checked by the compiler, below.
 */
import { z } from "zod";
import {
  nonNegativeInteger,
  oneOf,
  positiveInteger,
  positiveIntegers,
  seed,
  seeds,
  slug,
  text,
} from "../declaration/fields.ts";
import type { Located } from "../declaration/field_path.ts";
import { unmeasured } from "../declaration/identity.ts";
import type { Accepts, Assert } from "../declaration/part.ts";
import { protocols } from "../declaration/protocol.ts";
import { composed } from "../declaration/registry.ts";
import { sidenetPart } from "../longmem/config.ts";
import { adaptationPart } from "../training/config.ts";
import { backbones } from "./backbones.ts";
import { memoryPart } from "../memory/config.ts";
import { reproductionPart } from "../results/reproduction.ts";
import { mostThreads } from "../runtime/device.ts";
import { corpora } from "../text/corpora/corpora.ts";
import { sentenceTasks } from "../text/sentence_tasks.ts";
import { tokenizerSchema } from "../text/tokenizer_config.ts";
import type { Experiment, Sweep } from "./declaration.ts";

const model = z.union([
  oneOf(
    "backbone",
    "sidenet-without-memory",
    "longmem",
    "longmem-memory-off",
    "longmem-recent-memory",
    "longmem-other-document",
    "untrained-with-memory",
    "memorizing-transformer",
    "backbone-sliding-window",
    "backbone-full-context",
    "infllm",
  ),
  z.discriminatedUnion("model", [
    z.strictObject({
      model: z.literal(["backbone-sliding-window", "backbone-full-context"]),
      windowTokens: positiveInteger.exactOptional(),
    }),
    z.strictObject({
      model: z.literal("infllm"),
      capacityTokens: positiveInteger.exactOptional(),
      chunkTokens: positiveInteger.exactOptional(),
      retrievedTokens: positiveInteger.exactOptional(),
      distanceTokens: nonNegativeInteger.exactOptional(),
    }),
  ]),
]).describe("names of models, or objects of a model and its settings");

const modelEvaluation = () => ({
  name: slug.exactOptional(),
  models: z.array(model).min(1).readonly().describe("lists of models"),
  batchSize: positiveInteger.exactOptional(),
  contextTokens: positiveInteger.exactOptional(),
  memory: memoryPart.schema.exactOptional(),
});

const documentEvaluation = () => ({
  ...modelEvaluation(),
  split: oneOf("valid", "test"),
  maxDocuments: positiveInteger.exactOptional(),
});

const chapterBreakSource = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("chronicle"),
    split: oneOf("valid", "test").exactOptional(),
    firstChapter: positiveInteger.exactOptional(),
    seed: seed.exactOptional(),
  }),
  z.strictObject({
    kind: z.literal("books"),
    split: oneOf("valid", "test").exactOptional(),
    minPrefixTokens: positiveInteger.exactOptional(),
    seed: seed.exactOptional(),
    headings: text.exactOptional(),
  }),
  z.strictObject({ kind: z.literal("file"), path: text, split: slug }),
]);

const demonstrationSource = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("sentences"),
    folder: text,
    tasks: z.array(oneOf(...sentenceTasks)).min(1).readonly()
      .describe(`lists of ${sentenceTasks.join(", ")}`).exactOptional(),
    seeds: seeds.exactOptional(),
    draw: oneOf("released-code", "balanced").exactOptional(),
    memoryDemonstrations: nonNegativeInteger.exactOptional(),
  }),
  z.strictObject({ kind: z.literal("chronicle"), tasks: positiveInteger.exactOptional() }),
]);

const evaluation = composed(() =>
  z.discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("perplexity"), ...documentEvaluation() }),
    z.strictObject({ kind: z.literal("recall"), ...documentEvaluation() }),
    z.strictObject({
      kind: z.literal("chapter-break"),
      ...modelEvaluation(),
      source: chapterBreakSource.exactOptional(),
      prefixTokens: z.union([positiveInteger, z.array(positiveInteger).min(1).readonly()])
        .describe("a positive integer, or a list of them").exactOptional(),
      suffixTokens: positiveInteger.exactOptional(),
      scoring: oneOf("sum", "per-token").exactOptional(),
      ties: oneOf("wrong", "right").exactOptional(),
      maxItems: positiveInteger.exactOptional(),
    }),
    z.strictObject({
      kind: z.literal("efficiency"),
      ...modelEvaluation(),
      totalTokens: positiveIntegers.exactOptional(),
      warmupPasses: nonNegativeInteger.exactOptional(),
      repetitions: positiveInteger.exactOptional(),
    }),
    z.strictObject({
      kind: z.literal("needle"),
      ...modelEvaluation(),
      distances: positiveIntegers.exactOptional(),
      needles: positiveIntegers.exactOptional(),
      instances: positiveInteger.exactOptional(),
      seed: seed.exactOptional(),
    }),
    z.strictObject({
      kind: z.literal("in-context-learning"),
      ...modelEvaluation(),
      source: demonstrationSource,
      shots: nonNegativeInteger.exactOptional(),
      scoring: oneOf("open-vocabulary", "label-likelihood").exactOptional(),
      calibration: oneOf("none", "content-free").exactOptional(),
      memoryLabels: oneOf("true", "shuffled").exactOptional(),
      maxItems: positiveInteger.exactOptional(),
    }),
    z.strictObject({
      kind: z.literal("squad"),
      ...modelEvaluation(),
      folder: text,
      seeds: seeds.exactOptional(),
      shots: nonNegativeInteger.exactOptional(),
      memoryDemonstrations: nonNegativeInteger.exactOptional(),
      maxAnswerTokens: positiveInteger.exactOptional(),
      maxItems: positiveInteger.exactOptional(),
    }),
  ])
);

/** The form of a declaration. */
export const experimentSchema = composed(() =>
  z.strictObject({
    name: unmeasured(slug),
    question: unmeasured(text).exactOptional(),
    reproduces: unmeasured(reproductionPart.schema).optional(),
    scale: unmeasured(oneOf("paper", "scaled-down")).exactOptional(),
    seed: seed.exactOptional(),
    protocol: oneOf(...protocols).exactOptional(),
    corpus: corpora.schema,
    tokenizer: tokenizerSchema,
    backbone: backbones.schema,
    sidenet: sidenetPart.schema.optional(),
    memory: memoryPart.schema.optional(),
    adaptation: adaptationPart.schema.optional(),
    evaluations: z.array(evaluation()).readonly().describe("lists of evaluations"),
    device: unmeasured(oneOf("auto", "webgpu", "cpu", "wasm")).exactOptional(),
    threads: unmeasured(
      z.int().min(1).max(mostThreads).describe(`integers from 1 to ${mostThreads}`),
    ).exactOptional(),
    // Its lists are checked in sweep.ts, and their values as those of the fields they are for.
    sweep: z.custom<Sweep>().optional(),
  })
);

/** Does not compile where the schema refuses what the documented types allow. */
type _SchemaAcceptsTheTypes = Assert<Accepts<ReturnType<typeof experimentSchema>, Experiment>>;

/** A declaration, in which a field is to be found by its path. */
export function inExperiment(value: unknown): Located {
  return { schema: experimentSchema(), value, name: "an experiment" };
}
