/**
 * A kind of evaluation: its declaration, items and measures.
 */
import type { NamedPath } from "../declaration/part.ts";
import { z } from "zod";
import { padId } from "../backbone/shape.ts";
import { positiveInteger, slug } from "../declaration/fields.ts";
import { type Problem, wrong } from "../declaration/problem.ts";
import type { Protocol } from "../declaration/protocol.ts";
import { composed } from "../declaration/registry.ts";
import {
  type MemoryConfig,
  type MemoryDeclaration,
  memoryPart,
  updateProblems,
} from "../memory/config.ts";
import type { MetricKey, MetricLabel } from "../results/metric_catalog.ts";
import type { SampleRecord } from "../results/records.ts";
import type { Device } from "../runtime/device.ts";
import type { CorpusConfig } from "../text/corpora/corpora.ts";
import type { RunText, Split } from "../text/corpora/corpus_kind.ts";
import type { Measure } from "./measure.ts";
import type { TrainedModels } from "./model_kind.ts";
import {
  type EvaluatedModel,
  fillModel,
  type ModelDeclaration,
  modelKindOf,
  type ModelParts,
  modelSchema,
  otherTextsOf,
} from "./models.ts";
import type { PromptedModel, ReadableDocument } from "./shared/language_model.ts";
import type { PromptOptions } from "./shared/prompting.ts";
import type { ItemText } from "./shared/other_texts.ts";
import type { ReadOptions } from "./shared/read_documents.ts";

/** Fields that all evaluations have in common. */
export interface ModelEvaluation {
  /** Names the evaluation's results; unique in the experiment. */
  readonly name: string;
  /** Models to compare, all on the same items; the first is the baseline of the others. */
  readonly models: readonly EvaluatedModel[];
  /**
   * Items (documents, or prompted texts) evaluated side by side. Where rows share a bank, texts are read one at a time, and
   * it is prompts that are asked side by side.
   */
  readonly batchSize: number;
  /** Tokens T of a segment, and of a model's context without memory. */
  readonly contextTokens: number;
  /** The memory of the evaluation: the experiment's, with its own overrides; absent without one. */
  readonly memory?: MemoryConfig;
}

/** The same as declared; `memory` overrides fields of the experiment's memory. */
export interface ModelEvaluationDeclaration {
  /** Names the evaluation's results (default: its kind, and its split where it has one). */
  readonly name?: string;
  /** Models to compare; the first is the baseline of the others. */
  readonly models: readonly ModelDeclaration[];
  /** Items evaluated side by side (default 1). */
  readonly batchSize?: number;
  /** Tokens T of a segment (default: those of the training). */
  readonly contextTokens?: number;
  /** Fields of the memory that differ from the experiment's. */
  readonly memory?: MemoryDeclaration;
}

/** The fields of every kind as an author writes them: those of a configuration, with `Required` to be given. */
export type DeclaredEvaluation<Config extends ModelEvaluation, Required extends keyof Config> =
  & Pick<Config, Required>
  & Partial<Omit<Config, Required | keyof ModelEvaluation>>
  & ModelEvaluationDeclaration;

/** Parts of the experiment that an evaluation depends on. */
export interface EvaluationSurroundings {
  readonly corpus: CorpusConfig["kind"];
  readonly memory: MemoryConfig | undefined;
  /** Tokens of a segment of the training; undefined without one: then the evaluation declares them. */
  readonly contextTokens: number | undefined;
  readonly protocol: Protocol;
}

/** The parts of an experiment that an evaluation must fit. */
export interface ExperimentParts extends ModelParts {
  readonly corpus: CorpusConfig;
  readonly memory?: MemoryConfig;
}

/** Tokens that a model passes. */
export type TokensOf = (model: EvaluatedModel) => number;

/** The texts of a run. */
export type EvaluationTexts = Pick<RunText, "tokenizer" | "documents" | "texts" | "books">;

export interface EvaluationInputs {
  readonly corpus: CorpusConfig;
  readonly texts: EvaluationTexts;
  /** Threads of the CPU engines; absent: their own choice. */
  readonly threads?: number | undefined;
  /** Records the SHA-256 of something that was read. */
  recordHash(name: string, sha256: string): Promise<void>;
}

/** Unit of an evaluation's work: tokens read or predicted, prompts asked, lengths measured. */
export type EvaluationUnit = "tokens" | "prompts" | "lengths";

/** While a model is scored. */
export interface Scoring {
  readonly signal: AbortSignal;
  /** Told how much is done, of how much, and of what. */
  readonly report: (done: number, total: number, unit: EvaluationUnit) => void;
}

/** Measures over all items, independent of how their models are run. */
interface ScoredItems {
  /** Items there are for a measure; undefined where all are scored. */
  readonly total?: (measure: Measure) => number | undefined;
  /** Records of baselines that take no model, measured with the first one. */
  readonly withoutModel?: Readonly<Record<string, readonly SampleRecord[]>>;
}

/** Items that a model reads and answers. */
export interface PromptedItems extends ScoredItems {
  /** Has a model read and answer all items: a record for each. */
  readonly score: (model: PromptedModel, scoring: Scoring) => Promise<SampleRecord[]>;
  /** The text of each item: a control reads another one in its place. Without it and `others`, controls are refused. */
  readonly texts?: readonly ItemText[];
  /** Texts of items that are not scored: a control reads one where none of `texts` will do. */
  readonly unscoredTexts?: () => readonly ItemText[];
  /**
   * Texts that a control reads in place of each item's, if it reads one (default: `otherDocuments` chooses among `texts`).
   *
   * @throws {RangeError} If there is no other text.
   */
  readonly others?: () => readonly ReadableDocument[];
}

/** Items for which models are run elsewhere, as in processes of their own. */
export interface UnopenedItems extends ScoredItems {
  /** Has a model run and measures it: a record for each item. */
  readonly scoreUnopened: (
    model: EvaluatedModel,
    trained: TrainedModels & { readonly device: Pick<Device, "kind"> },
    scoring: Scoring,
  ) => Promise<SampleRecord[]>;
}

export type EvaluationItems = PromptedItems | UnopenedItems;

/** A kind of evaluation. */
export interface EvaluationKind<Declaration, Config, Item> {
  /** Composes the form of the object that declares it: {@linkcode evaluationForm} does. */
  readonly schema: () => z.ZodType<Declaration>;
  fill(declaration: Declaration, from: EvaluationSurroundings): Config;
  /** Values that are allowed alone, but not together; `path` is where the evaluation stands. */
  check?(config: Config, path: string, experiment: ExperimentParts): Problem[];
  /** The same evaluation of fewer items; the limit is part of its identity, as its numbers are others. */
  limit(config: Config, items: number): Config;
  /** Which items it asks for, in words: `at most 3 documents of test`. */
  describe(config: Config): string;
  /** Files and folders that it reads. */
  files?(config: Config): NamedPath[] | Promise<NamedPath[]>;
  /** Splits of the corpus that it reads. */
  splits?(config: Config): readonly Split[];
  /** Tokens that pass through each model, about; undefined where only the texts themselves would say. */
  cost?(config: Config, corpus: CorpusConfig): TokensOf | undefined | Promise<TokensOf | undefined>;
  /** Whether it starts processes of its own, which needs more permissions. */
  readonly startsProcesses?: true;
  /** Whether texts are read once, about which all rows are asked: the bank must be shared. Absent: each row reads for itself. */
  readonly readsOnce?: true;
  /** Whether it sizes the memory itself, so that the declared one need not hold the tokens written at once. */
  readonly sizesMemory?: true;
  /** Baselines that take no model, by their names in results. */
  readonly withoutModel?: readonly string[];
  prepare(config: Config, inputs: EvaluationInputs): EvaluationItems | Promise<EvaluationItems>;
  /** The record of an item that was scored after several other texts, of the record after each: the means of its scores. */
  average?(records: readonly SampleRecord[]): SampleRecord;
  /** Version of a measure's definition: it changes whenever the same model would get another number. */
  version(measure: string): number;
  /** Form of a record of a scored item, as far as measures need it. */
  readonly record: z.ZodType<Item>;
  /** Measures of one model, from its records, in one order for all models. */
  measures(records: readonly Item[], config: Config): Measure[];
  /** Where a metric stands in tables, and its words. */
  label(metric: MetricKey): MetricLabel;
}

/**
 * Measures of one model from its records.
 *
 * @throws {ZodError} If one is not a record of the kind.
 */
export function measuresOf<Config, Item>(
  { record, measures }: Pick<EvaluationKind<never, Config, Item>, "record" | "measures">,
  samples: readonly SampleRecord[],
  config: Config,
): Measure[] {
  return measures(samples.map((sample) => record.parse(sample)), config);
}

/** Most tokens of one text that an evaluation writes, and of all of them: a machine holds as much beside a model. */
const mostTextTokens = 2 ** 24, mostWrittenTokens = 2 ** 28;

/** A count that makes an evaluation write more tokens than a machine holds, `tokens` for each; `of` says what they are. */
export function writtenTokenProblems(
  count: number,
  path: string,
  { tokens, of = "" }: { readonly tokens: number; readonly of?: string },
): Problem[] {
  const most = Math.floor(mostWrittenTokens / tokens);
  return count <= most ? [] : [wrong(
    path,
    `must write ${mostWrittenTokens} tokens at most${of}`,
    count,
    `integers from 1 to ${most}`,
  )];
}

/** Lengths of texts that are longer than a machine holds; `path` is where they are listed. */
export function textLengthProblems(lengths: readonly number[], path: string): Problem[] {
  return lengths.flatMap((length, i) =>
    length <= mostTextTokens ? [] : [wrong(
      `${path}.${i}`,
      "must fit a text",
      length,
      `integers from 1 to ${mostTextTokens}`,
    )]
  );
}

/** The form of a kind of some fields and those that all evaluations have; composed again where models are registered. */
export function evaluationForm<const Kind extends string, Fields extends z.ZodRawShape>(
  kind: Kind,
  fields: () => Fields,
) {
  return composed(() =>
    z.strictObject({
      kind: z.literal(kind),
      name: slug.exactOptional(),
      models: z.array(modelSchema()).min(1).readonly().describe("lists of one model or more"),
      batchSize: positiveInteger.exactOptional(),
      contextTokens: positiveInteger.exactOptional(),
      memory: memoryPart.schema.exactOptional(),
      ...fields(),
    })
  );
}

/**
 * A declaration in which the fields that all evaluations have are filled in.
 *
 * @param ownMemory The kind's memory in place of the experiment's, unless the evaluation declares one.
 */
export function fillModelEvaluation<Declaration extends ModelEvaluationDeclaration>(
  { memory: override, ...fields }: Declaration,
  experiment: EvaluationSurroundings,
  ownMemory: MemoryDeclaration = {},
): Omit<Declaration, FilledField> & Pick<ModelEvaluation, FilledField> {
  const { batchSize = 1, contextTokens = experiment.contextTokens! } = fields;
  const memory = override || experiment.memory
    ? memoryPart.fill({ ...ownMemory, ...override }, {
      protocol: experiment.protocol,
      base: experiment.memory,
    })
    : undefined;
  return {
    ...fields as Omit<Declaration, FilledField>,
    models: fields.models.map((model) => fillModel(model, { contextTokens, memory })),
    batchSize,
    contextTokens,
    ...(memory && { memory }),
  };
}

/** Fields that all evaluations have and that have a default. */
type FilledField = "models" | "batchSize" | "contextTokens" | "memory";

/** Reports fields of an evaluation's memory that do not fit; `isMemoryWrong`: whether the experiment's own is reported already. */
export function evaluationMemoryProblems(
  evaluation: ModelEvaluation,
  { memory, isMemoryWrong, readsOnce, sizesMemory }: {
    readonly memory: MemoryConfig | undefined;
    readonly isMemoryWrong: boolean;
    readonly readsOnce?: boolean | undefined;
    readonly sizesMemory?: boolean | undefined;
  },
  path: string,
): Problem[] {
  const own = evaluation.memory;
  if (own === undefined) return [];
  if (memory === undefined) {
    return [{
      path: `${path}.memory`,
      message: "overrides a memory that is not declared: allowed is none, or declare memory",
    }];
  }
  const ofBank = !readsOnce || own.bank === "shared" ? [] : [wrong(
    `${path}.memory.bank`,
    'must be "shared", as all queries read what was read once',
    own.bank,
    "shared",
  )];
  const isAnother = JSON.stringify(own) !== JSON.stringify(memory);
  if (isMemoryWrong && !isAnother) return ofBank;
  const { contextTokens } = evaluation;
  return [
    ...ofBank,
    ...(isAnother ? memoryPart.check(own, `${path}.memory`) : []),
    // Where rows share a bank, texts are read into it one at a time.
    ...(sizesMemory ? [] : updateProblems(own, { batchSize: 1, contextTokens }, `${path}.memory`)),
  ];
}

/** The problem of the first control among the models that would have too few other texts to read; none where there is no control. */
export function controlProblems(
  { models }: Pick<ModelEvaluation, "models">,
  path: string,
  { rule, allowed, others = 0 }: {
    readonly rule: string;
    readonly allowed: string;
    /** Other texts that there are. */
    readonly others?: number;
  },
): Problem[] {
  const control = models.findIndex((model) =>
    modelKindOf(model).readsOthers && otherTextsOf(model) > others
  );
  return control < 0 ? [] : [wrong(
    `${path}.models.${control}`,
    rule,
    modelKindOf(models[control]).nameOf(models[control]),
    `other models${allowed}`,
  )];
}

/** The room of a question in a window, beside its answer, where the evaluation limits that. */
export function answerRoomProblems(
  { maxAnswerTokens = 0, contextTokens }: {
    readonly maxAnswerTokens?: number;
    readonly contextTokens: number;
  },
  path: string,
): Problem[] {
  return maxAnswerTokens < contextTokens ? [] : [wrong(
    `${path}.maxAnswerTokens`,
    "must leave room for a question within contextTokens",
    maxAnswerTokens,
    `integers from 1 to ${contextTokens - 1}`,
  )];
}

/** A shared bank: one row reads the text for all rows. */
export const onceReadMemory = { bank: "shared", reset: "epoch" } as const;

/** Tokens that a model passes for each segment. */
export function windowOf(model: EvaluatedModel, contextTokens: number): number {
  return modelKindOf(model).windowTokens?.(model) ?? contextTokens;
}

/** The `limit` of a kind whose items a field counts, such as `maxItems`. */
export function limitOf<const Field extends string>(field: Field) {
  return <Config extends { readonly [field in Field]?: number }>(
    config: Config,
    items: number,
  ): Config => ({ ...config, [field]: Math.min(items, config[field] ?? items) });
}

/** A count of things in words: `at most 3 documents`. */
export function atMost(count: number | undefined, things: string): string {
  return count === undefined ? `all ${things}` : `at most ${count} ${things}`;
}

/** How an evaluation reads whole documents. */
export function readOptions(
  { name, batchSize, memory }: Pick<ModelEvaluation, "name" | "batchSize" | "memory">,
  documents: readonly unknown[],
  { signal, report }: Scoring,
): ReadOptions {
  const rows = memory?.bank === "shared" ? 1 : Math.min(batchSize, documents.length);
  const onTargets = (read: number, total: number) => report(read, total, "tokens");
  return { evaluation: name, rows, pad: padId, signal, onTargets };
}

/** How an evaluation asks prompts of texts that are read once, for all rows. */
export function onceReadOptions(
  { name, batchSize }: Pick<ModelEvaluation, "name" | "batchSize">,
  { signal, report }: Scoring,
): Omit<PromptOptions, "memory"> {
  const onPrompts = (asked: number, total: number) => report(asked, total, "prompts");
  return { evaluation: name, rows: batchSize, pad: padId, signal, onPrompts };
}

/** How an evaluation asks prompts of texts that are read into a memory each. */
export function promptOptions(
  evaluation: Pick<ModelEvaluation, "name" | "batchSize" | "memory">,
  items: readonly unknown[],
  scoring: Scoring,
): PromptOptions {
  const options = onceReadOptions(evaluation, scoring);
  return evaluation.memory?.bank === "shared"
    ? { ...options, memory: "shared" }
    : { ...options, memory: "per-row", rows: Math.min(options.rows, items.length) };
}
