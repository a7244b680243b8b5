/**
 * In-context learning (the paper's Table 4): a model reads demonstrations into its memory, sees others before the query,
 * and tells the label of the query. Version 2: errors by the jackknife, over effective items or clusters.
 *
 * - `open-vocabulary`, as the official script scores: the most likely token of the whole vocabulary, decoded and stripped,
 *   is right if it is not empty and the label begins with it, so that " p" counts as "positive".
 * - `label-likelihood`: the label whose tokens are likeliest, summed, after the prompt. `calibration` of the kind
 *   `content-free` divides each likelihood by that after a prompt that says nothing (Zhao et al. 2021).
 *
 * The demonstrations of an episode are read once, and all its queries read the same memory.
 */
import { z } from "zod";
import type { SampleRecord } from "../results/records.ts";
import { stripPython } from "../text/python_space.ts";
import { hashOf, textOf, type Tokenizer } from "../text/tokenizer.ts";
import { join } from "node:path";
import { nonNegativeInteger, oneOf, positiveInteger, seeds, text } from "../declaration/fields.ts";
import type { Accepts, Assert, Declared } from "../declaration/part.ts";
import { type Problem, repetitions, wrong } from "../declaration/problem.ts";
import type { ByProtocol } from "../declaration/protocol.ts";
import { composed } from "../declaration/registry.ts";
import { ifThere, isThere, readTextBytes } from "../files.ts";
import type { MemoryDeclaration } from "../memory/config.ts";
import { type ChronicleConfig, reviewTokens } from "../text/chronicle/config.ts";
import {
  readSentenceTask,
  type SentenceTask,
  sentenceTaskFormats,
  sentenceTasks,
} from "../text/sentence_tasks.ts";
import {
  atMost,
  bankProblems,
  controlProblems,
  type DeclaredEvaluation,
  type EvaluationInputs,
  type EvaluationKind,
  fillModelEvaluation,
  limitItems,
  type ModelEvaluation,
  modelEvaluationFields,
  mostWrittenTokens,
  onceReadMemory,
  onceReadOptions,
  type TokensOf,
} from "./evaluation_kind.ts";
import { modelKindOf } from "./models.ts";
import { bytesPerToken } from "../text/corpora/files.ts";
import { reviewTask, writeReviewEpisode } from "./shared/review_episodes.ts";
import { type DemonstrationDraw, writeSentenceEpisode } from "./shared/sentence_episodes.ts";
import type { Measure } from "./measure.ts";
import { drawSeeds, type Episode, type LabelledEpisode, type Query } from "./shared/few_shot.ts";
import { drawnLabel, drawnMeasures, drawnRecord, totalOfDraws } from "./shared/few_shot_metrics.ts";
import {
  cutLike,
  type PromptedModel,
  type ReadableDocument,
  readableText,
} from "./shared/language_model.ts";
import {
  meanOf,
  meansOf,
  severalOtherTextsWithin,
  type SeveralTexts,
} from "./shared/other_texts.ts";
import {
  askPrompts,
  type Prompt,
  type PromptOptions,
  type PromptScore,
} from "./shared/prompting.ts";
import { InputRangeError, InputTypeError } from "../errors.ts";

/** Version of the accuracies of this file. */
export const inContextLearningVersion = 2;

/** How an answer is read from a model. */
export type LabelScoring = "open-vocabulary" | "label-likelihood";

/** Baseline with which the likelihoods of labels are compared. */
export type LabelCalibration = "none" | "content-free";

/** How episodes are asked. */
export interface AskEpisodesOptions extends Omit<PromptOptions, "memory"> {
  /** Decodes a model's predictions. */
  readonly tokenizer: Tokenizer;
  readonly scoring: LabelScoring;
  /** Of label likelihoods alone. */
  readonly calibration: LabelCalibration;
}

/**
 * Asks all queries of all episodes.
 *
 * @returns A record for each query, episodes and queries in their order: `item`, `task`, `seed`, `label`, `prediction`,
 * whether it is `correct`, and the scores behind it: `nats`, of the label's first token, or `scores` of all labels in their
 * order.
 * @throws {TypeError} If calibration asks for a prompt without content and an episode has none.
 */
export async function askEpisodes(
  model: PromptedModel,
  episodes: readonly LabelledEpisode[],
  options: AskEpisodesOptions,
): Promise<SampleRecord[]> {
  const { tokenizer, scoring, calibration, ...asking } = options;
  const shared = { ...asking, memory: "shared" } as const;
  switch (scoring) {
    case "open-vocabulary": {
      const items = episodes.map(({ memory, queries, labelTokens }) => ({
        reading: memory,
        prompts: queries.map(({ item, prompt, label }) =>
          continued(item, prompt, labelTokens[label].slice(0, 1))
        ),
      }));
      const answers = await askPrompts(model, items, shared);
      return episodes.flatMap((episode, i) =>
        episode.queries.map((query, j) => namedRecord(episode, query, answers[i][j], tokenizer))
      );
    }
    case "label-likelihood": {
      const items = episodes.map(({ memory, queries, labelTokens, contentFreePrompt, task }) => {
        const prompts = queries.map(({ item, prompt }) => ({ item, prompt }));
        if (calibration === "content-free") {
          if (!contentFreePrompt) {
            throw new InputTypeError(
              `Cannot calibrate the labels of "${task}" as it has no prompt without content`,
            );
          }
          prompts.push({ item: `${task} without content`, prompt: contentFreePrompt });
        }
        return {
          reading: memory,
          prompts: prompts.flatMap(({ item, prompt }) =>
            labelTokens.map((label) => continued(item, prompt, label))
          ),
        };
      });
      const answers = await askPrompts(model, items, shared);
      return episodes.flatMap((episode, i) => {
        const L = episode.labels.length;
        const logLikelihoods = (prompt: number) =>
          answers[i].slice(L * prompt, L * (prompt + 1))
            .map(({ nll }) => -nll.reduce((sum, nats) => sum + nats, 0));
        const nothing = calibration === "content-free"
          ? logLikelihoods(episode.queries.length)
          : episode.labels.map(() => 0);
        return episode.queries.map((query, j) =>
          likeliestRecord(episode, query, logLikelihoods(j).map((x, label) => x - nothing[label]))
        );
      });
    }
    default:
      return scoring satisfies never;
  }
}

function continued(name: string, prompt: Int32Array, answer: Int32Array): Prompt {
  return { name, tokens: Int32Array.of(...prompt, ...answer), scored: answer.length };
}

function namedRecord(
  { task, seed, labels }: LabelledEpisode,
  { item, label }: Query,
  { nll, choices: [token] }: PromptScore,
  tokenizer: Tokenizer,
): SampleRecord {
  const prediction = stripPython(textOf(tokenizer, token) ?? "");
  const correct = prediction !== "" && labels[label].startsWith(prediction);
  return { item, task, seed, label: labels[label], prediction, correct, token, nats: nll[0] };
}

function likeliestRecord(
  { task, seed, labels }: LabelledEpisode,
  { item, label }: Query,
  scores: readonly number[],
): SampleRecord {
  const likeliest = scores.indexOf(Math.max(...scores));
  return {
    item,
    task,
    seed,
    label: labels[label],
    prediction: labels[likeliest],
    correct: likeliest === label,
    scores,
  };
}

/** Scores the constant prediction of the training examples' commonest label: a record for each query. */
export function commonestLabelSamples(episodes: readonly LabelledEpisode[]): SampleRecord[] {
  return episodes.flatMap(({ task, seed, labels, commonestLabel, queries }) =>
    queries.map(({ item, label }) => ({
      item,
      task,
      seed,
      label: labels[label],
      prediction: labels[commonestLabel],
      correct: label === commonestLabel,
    }))
  );
}

/** The record of a query that was asked after demonstrations of several other tasks: the share of right answers. */
export function averageAnswers(records: readonly SampleRecord[]): SampleRecord {
  const { item, task, seed, label, nats, scores } = records[0];
  return {
    ...{ item, task, seed, label },
    correct: meanOf(records, "correct"),
    ...(nats !== undefined && { nats: meanOf(records, "nats") }),
    ...(scores !== undefined && { scores: meansOf(records, "scores") }),
  };
}

/** A record as metrics need it. */
export const inContextLearningRecord = drawnRecord.extend({
  correct: z.union([z.boolean(), z.number().min(0).max(1)]),
});

/** Measures of one model; `draw`: whether draws of a task differ by seed or by the task itself. */
export function inContextLearningMeasures(
  records: readonly z.infer<typeof inContextLearningRecord>[],
  draw: "seed" | "task",
): Measure[] {
  return drawnMeasures(records, {
    scores: { accuracy: ({ correct }) => Number(correct) },
    namesTasks: true,
    draw,
  });
}

/** In-context learning from labelled sentences, in the files of the released evaluation (specification section 14). */
export interface SentenceSource {
  /** Distinguishes it from other sources. */
  readonly kind: "sentences";
  /** Folder of the five sets, relative to the folder in which the command runs. */
  readonly folder: string;
  /** Sets to ask; all by default. */
  readonly tasks: readonly SentenceTask[];
  /** Seeds, each of a draw of demonstrations for each task (default 1 to 6). */
  readonly seeds: readonly number[];
  /**
   * How demonstrations are drawn: `released-code`, as the official script does; or `balanced`, as many of each label, none
   * twice and none of the evaluated ones. Follows the protocol.
   */
  readonly draw: DemonstrationDraw;
  /** Demonstrations that are read into the memory (default 2,000). */
  readonly memoryDemonstrations: number;
}

/**
 * In-context learning from reviews of the chronicle, whose goods have other labels in every task; the corpus's
 * `config.reviews` says how many goods and demonstrations there are.
 */
export interface ReviewSource {
  /** Distinguishes it from other sources. */
  readonly kind: "chronicle";
  /** Tasks (default 24). */
  readonly tasks: number;
}

/** Where tasks of in-context learning come from. */
export type DemonstrationSource = SentenceSource | ReviewSource;

/** A source of tasks as declared. */
export type DemonstrationSourceDeclaration =
  | Declared<SentenceSource, "kind" | "folder">
  | Declared<ReviewSource, "kind">;

/** Whether a model learns from demonstrations in its memory how to label another example. */
export interface InContextLearningEvaluation extends ModelEvaluation {
  /** Distinguishes it from other kinds of evaluation. */
  readonly kind: "in-context-learning";
  /** Source of the texts to label. */
  readonly source: DemonstrationSource;
  /** Demonstrations before each query (default 20 sentences, 0 reviews). */
  readonly shots: number;
  /**
   * `open-vocabulary` takes the most likely token of the whole vocabulary, and a label that begins with it as told (default
   * of the released code, and of reviews); `label-likelihood` takes the likeliest label.
   */
  readonly scoring: LabelScoring;
  /** Divisor of label likelihoods: none, or the likelihoods after a content-free prompt (default `none`). */
  readonly calibration: LabelCalibration;
  /** A control: whether demonstrations in memory have their own labels (`true`, default), or one another's (`shuffled`). */
  readonly memoryLabels: "true" | "shuffled";
  /** Asks so many examples of each task at most, evenly spaced (default: all sentences, 16 reviews). */
  readonly maxItems?: number;
}

/** The same as declared. */
export type InContextLearningDeclaration =
  & Omit<DeclaredEvaluation<InContextLearningEvaluation, "kind">, "source">
  & {
    /** Source of the texts to label. */
    readonly source: DemonstrationSourceDeclaration;
  };

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

const inContextLearningSchema = composed(() =>
  z.strictObject({
    kind: z.literal("in-context-learning"),
    ...modelEvaluationFields(),
    source: demonstrationSource,
    shots: nonNegativeInteger.exactOptional(),
    scoring: oneOf("open-vocabulary", "label-likelihood").exactOptional(),
    calibration: oneOf("none", "content-free").exactOptional(),
    memoryLabels: oneOf("true", "shuffled").exactOptional(),
    maxItems: positiveInteger.exactOptional(),
  })
);
type _SchemaAcceptsTheType = Assert<
  Accepts<ReturnType<typeof inContextLearningSchema>, InContextLearningDeclaration>
>;

/** A protocol's choices for labelled sentences; the numbers are rows of specification section 17. */
interface SentenceProtocol
  extends Pick<InContextLearningEvaluation, "scoring">, Pick<SentenceSource, "draw"> {
  readonly memory: Pick<MemoryDeclaration, "chunkTokens">;
}

const strictSentences: SentenceProtocol = {
  scoring: "label-likelihood",
  draw: "balanced",
  memory: {},
};
const sentenceProtocols: ByProtocol<SentenceProtocol> = {
  "released-code": {
    scoring: "open-vocabulary", // 14
    draw: "released-code",
    memory: { chunkTokens: 2 }, // 10
  },
  strict: strictSentences,
  paper: strictSentences,
};

/** Demonstrations before each query, and in memory, of the released evaluation (specification section 14). */
const sentenceShots = 20, sentenceDemonstrations = 2000;

/** As many tasks as there are test books, and half of the goods of each. */
const reviewTasks = 24, reviewItems = 16;

/** Reports settings under which even the shortest reviews exceed a prompt or the memory. */
function reviewProblems(
  { shots, contextTokens }: InContextLearningEvaluation,
  { tasks }: ReviewSource,
  { reviews: { demonstrations } }: Pick<ChronicleConfig, "reviews">,
  path: string,
): Problem[] {
  const mostShots = Math.floor((contextTokens - 1) / reviewTokens);
  const mostTasks = Math.floor(mostWrittenTokens / (reviewTokens * Math.max(1, demonstrations)));
  return [
    ...(shots <= mostShots ? [] : [wrong(
      `${path}.shots`,
      `must leave room for the query within ${path}.contextTokens of ${contextTokens}, ${reviewTokens} tokens a review at least`,
      shots,
      `integers from 0 to ${mostShots}`,
    )]),
    ...(tasks <= mostTasks ? [] : [wrong(
      `${path}.source.tasks`,
      `must write ${mostWrittenTokens} tokens at most, of ${demonstrations} reviews a task`,
      tasks,
      `integers from 1 to ${mostTasks}`,
    )]),
  ];
}

function fillSource(
  source: DemonstrationSourceDeclaration,
  draw: SentenceSource["draw"],
): DemonstrationSource {
  switch (source.kind) {
    case "sentences":
      return {
        tasks: sentenceTasks,
        seeds: drawSeeds,
        memoryDemonstrations: sentenceDemonstrations,
        draw,
        ...source,
      };
    case "chronicle":
      return { tasks: reviewTasks, ...source };
    default:
      return source satisfies never;
  }
}

/** Name under which the baseline without a model is recorded: it always tells the label that is commonest. */
export const commonestLabel = "commonest-label";

/** The kind of evaluation. */
export const inContextLearning: EvaluationKind<
  InContextLearningDeclaration,
  InContextLearningEvaluation,
  z.infer<typeof inContextLearningRecord>
> = {
  get schema() {
    return inContextLearningSchema();
  },
  fill({ memory, ...fields }, from) {
    const reviews = fields.source.kind === "chronicle";
    const { scoring, draw, memory: ofProtocol } = sentenceProtocols[from.protocol];
    return {
      name: fields.kind,
      shots: reviews ? 0 : sentenceShots,
      scoring: reviews ? "open-vocabulary" : scoring,
      calibration: "none",
      memoryLabels: "true",
      ...(reviews && { maxItems: reviewItems }),
      ...fields,
      source: fillSource(fields.source, draw),
      ...fillModelEvaluation({ ...fields, ...(memory && { memory }) }, from, {
        ...(reviews ? {} : ofProtocol),
        ...onceReadMemory,
      }),
    };
  },
  check(evaluation, path, { corpus }) {
    const { source, scoring, calibration, memory } = evaluation;
    const problems: Problem[] = [];
    if ((source.kind === "chronicle") !== (corpus.kind === "chronicle")) {
      problems.push(wrong(
        `${path}.source.kind`,
        `must fit the words of a corpus whose kind is "${corpus.kind}"`,
        source.kind,
        corpus.kind === "chronicle" ? "chronicle" : "sentences",
      ));
    }
    if (source.kind === "sentences") {
      for (const field of ["tasks", "seeds"] as const) {
        problems.push(...repetitions(source[field], `${path}.source.${field}`, field));
      }
    }
    const others = source.kind === "chronicle" ? source.tasks : source.tasks.length;
    if (others < 2) {
      problems.push(...controlProblems(evaluation, path, {
        rule: `reads the demonstrations of another task, of which ${path}.source.tasks has none`,
        allowed: ", or two tasks and more",
      }));
    }
    if (calibration === "content-free" && scoring !== "label-likelihood") {
      problems.push(wrong(
        `${path}.calibration`,
        `must be "none" where ${path}.scoring is "${scoring}", which knows no likelihoods of labels`,
        calibration,
        "none, or label-likelihood as the scoring",
      ));
    } else if (calibration === "content-free" && source.kind === "chronicle") {
      problems.push(wrong(
        `${path}.calibration`,
        `must be "none" where ${path}.source.kind is "chronicle", whose words all say something`,
        calibration,
        "none",
      ));
    }
    if (source.kind === "chronicle" && corpus.kind === "chronicle") {
      problems.push(...reviewProblems(evaluation, source, corpus.config, path));
    }
    problems.push(...bankProblems(memory, path));
    return problems;
  },
  limit: limitItems,
  describe({ source, maxItems }) {
    const items = atMost(maxItems, "examples");
    return source.kind === "chronicle"
      ? `${items} of ${source.tasks} tasks of reviews`
      : `${items} of ${source.tasks.join(", ")}, ${source.seeds.length} seeds`;
  },
  async files({ source }) {
    if (source.kind !== "sentences") return [];
    const { folder, tasks } = source, field = "source.folder";
    if (!await isThere(folder)) return [{ field, path: folder }];
    return tasks.flatMap((task) => {
      const { train, evaluated } = sentenceTaskFormats[task];
      return [train, evaluated].map((file) => ({ field, path: `${folder}/${file}` }));
    });
  },
  cost: async (evaluation) =>
    evaluation.source.kind === "sentences"
      ? await sentenceTokens(evaluation, evaluation.source)
      : undefined,
  withoutModel: [commonestLabel],
  async prepare(evaluation, inputs) {
    const { source, scoring: labelScoring, calibration } = evaluation;
    const { episodes, totals } = source.kind === "sentences"
      ? await writeSentences(evaluation, source, inputs)
      : writeReviews(evaluation, inputs);
    return {
      readsOnce: true,
      score: (model, scoring) =>
        askEpisodes(model, episodes, {
          ...onceReadOptions(evaluation, scoring),
          tokenizer: inputs.texts.tokenizer,
          scoring: labelScoring,
          calibration,
        }),
      others: () => otherTasks(episodes, drawOf(source)),
      severalOthers: (options) => severalOtherTasks(episodes, drawOf(source), options),
      total: (measure) => totalOfDraws(measure, (task) => totals[task]),
      withoutModel: { [commonestLabel]: commonestLabelSamples(firstDraws(episodes)) },
    };
  },
  average: averageAnswers,
  version: () => inContextLearningVersion,
  record: inContextLearningRecord,
  measures: (records, { source }) => inContextLearningMeasures(records, drawOf(source)),
  label: drawnLabel,
};

/** Whether draws of a task differ by seed or by the task itself. */
function drawOf(source: Pick<DemonstrationSource, "kind"> | undefined): "seed" | "task" {
  return source?.kind === "chronicle" ? "task" : "seed";
}

async function sentenceTokens(
  { shots, scoring, maxItems }: InContextLearningEvaluation,
  { folder, tasks, seeds, memoryDemonstrations }: SentenceSource,
): Promise<TokensOf | undefined> {
  let read = 0, asked = 0;
  for (const task of tasks) {
    const sizes = await ifThere(sentenceSizes(folder, task));
    if (sizes === undefined) return undefined;
    const { train, evaluated, labels } = sizes;
    read += seeds.length * memoryDemonstrations * train.tokens;
    const items = Math.min(maxItems ?? Infinity, evaluated.lines);
    const prompts = items * (scoring === "label-likelihood" ? labels : 1);
    asked += seeds.length * prompts * (shots * train.tokens + evaluated.tokens);
  }
  return (model) => (modelKindOf(model).readsMemory ? read : 0) + asked;
}

/** Lines of the files of a task, and tokens of a demonstration. */
async function sentenceSizes(folder: string, task: SentenceTask) {
  const { train, evaluated, before, between, labels } = sentenceTaskFormats[task];
  const sizeOf = async (file: string) => {
    const text = new TextDecoder().decode(await readTextBytes(join(folder, file)));
    const lines = text.trimEnd().split("\n").length;
    const characters = text.length / lines + before.length + between.length;
    return { lines, tokens: characters / bytesPerToken };
  };
  return {
    train: await sizeOf(train),
    evaluated: await sizeOf(evaluated),
    labels: labels.length,
  };
}

/** The episodes of an evaluation. */
interface Written {
  readonly episodes: readonly LabelledEpisode[];
  /** Items of each task, where not all are asked. */
  readonly totals: Readonly<Record<string, number>>;
}

async function writeSentences(
  evaluation: InContextLearningEvaluation,
  { folder, tasks, seeds, draw, memoryDemonstrations }: SentenceSource,
  { texts: { tokenizer }, recordHash }: EvaluationInputs,
): Promise<Written> {
  const { shots, memoryLabels, contextTokens, maxItems } = evaluation;
  const episodes: LabelledEpisode[] = [];
  const totals: Record<string, number> = {};
  for (const task of tasks) {
    const data = await readSentenceTask(folder, task);
    await recordHash(task, hashOf([data.hashes.train, data.hashes.evaluated]));
    if (maxItems !== undefined && maxItems < data.evaluated.length) {
      totals[task] = data.evaluated.length;
    }
    for (const seed of seeds) {
      episodes.push(writeSentenceEpisode(task, data, {
        tokenizer,
        seed,
        draw,
        shots,
        memoryDemonstrations,
        memoryLabels,
        contextTokens,
        ...(maxItems === undefined ? {} : { maxItems }),
      }));
    }
  }
  return { episodes, totals };
}

function writeReviews(
  { source, shots, memoryLabels, contextTokens, maxItems }: InContextLearningEvaluation,
  { corpus }: EvaluationInputs,
): Written {
  if (source.kind !== "chronicle" || corpus.kind !== "chronicle") {
    throw new InputTypeError("Cannot write reviews as they need a corpus whose kind is chronicle");
  }
  const { books, drills, seed } = corpus;
  const config = { ...corpus.config, pretraining: { books: books.train, drills } };
  const episodes = Array.from({ length: source.tasks }, (_, i) =>
    writeReviewEpisode(config, {
      task: i + 1,
      seed,
      shots,
      memoryLabels,
      contextTokens,
      ...(maxItems === undefined ? {} : { maxItems }),
    }));
  const { goods } = config.reviews;
  return { episodes, totals: (maxItems ?? goods) < goods ? { [reviewTask]: goods } : {} };
}

/** Of tasks that are drawn with several seeds, the first draw of each. */
function firstDraws(episodes: readonly LabelledEpisode[]): LabelledEpisode[] {
  const items = new Set<string>();
  return episodes.filter(({ queries }) => {
    const isNew = queries.some(({ item }) => !items.has(item));
    queries.forEach(({ item }) => items.add(item));
    return isNew;
  });
}

/**
 * Demonstrations that the control reads in place of each episode's: as many tokens of another task's.
 *
 * @param draw Difference between draws, as in metrics: `seed`, then the other task is the next one with the same seed; or `task`,
 * each of which is drawn once, then it is the next draw.
 * @throws {RangeError} If there is no other task.
 */
export function otherTasks<Asked>(
  episodes: readonly Episode<Asked>[],
  draw: "seed" | "task",
): ReadableDocument[] {
  const tasks = [...new Set(episodes.map(({ task }) => task))];
  return episodes.map((episode, i) => {
    const next = tasks[(tasks.indexOf(episode.task) + 1) % tasks.length];
    const other = draw === "task"
      ? episodes[(i + 1) % episodes.length]
      : episodes.find(({ task, seed }) => task === next && seed === episode.seed)!;
    if (other === episode) {
      throw new InputRangeError(
        `Cannot read demonstrations of another task as there is only "${episode.task}": allowed are two tasks and more`,
      );
    }
    return readableText(cutLike(episode.memory, other.memory));
  });
}

/**
 * Demonstrations that the control reads where several other tasks replace each: as many tokens of each one's.
 *
 * @param draw Difference between draws: `seed`, then they are other tasks with the same seed; or `task`, then other draws.
 * @returns For each of the texts those of all episodes.
 * @throws {RangeError} If there are too few other tasks.
 */
export function severalOtherTasks<Asked>(
  episodes: readonly Episode<Asked>[],
  draw: "seed" | "task",
  options: SeveralTexts,
): ReadableDocument[][] {
  const named = episodes.map(({ task, seed, memory }) => ({
    ...readableText(memory),
    name: `${task} seed ${seed}`,
    group: draw === "seed" ? seed : undefined,
  }));
  return severalOtherTextsWithin(named, ({ group }) => group, options);
}
