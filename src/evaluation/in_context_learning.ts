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
import { textOf, type Tokenizer } from "../text/tokenizer.ts";
import { nonNegativeInteger, oneOf, positiveInteger } from "../declaration/fields.ts";
import type { Accepts, Assert } from "../declaration/part.ts";
import { type Problem, wrong } from "../declaration/problem.ts";
import { corpora } from "../text/corpora/corpora.ts";
import { answerPrompts, checkChoices, natsOf } from "./answers.ts";
import {
  atMost,
  controlProblems,
  type DeclaredEvaluation,
  evaluationForm,
  type EvaluationKind,
  fillModelEvaluation,
  limitOf,
  onceReadMemory,
  onceReadOptions,
} from "./evaluation_kind.ts";
import type { LabelCalibration, LabelScoring, TaskProtocol } from "./in_context_learning/source.ts";
import {
  type DemonstrationSource,
  type DemonstrationSourceDeclaration,
  demonstrationSources,
} from "./in_context_learning/sources.ts";
import type { Episode, LabelledEpisode, Query } from "./shared/few_shot.ts";
import { drawnLabel, drawnMeasures, drawnRecord, totalOfDraws } from "./shared/few_shot_metrics.ts";
import {
  cutLike,
  otherDocuments,
  type PromptedModel,
  type ReadableDocument,
  readableText,
} from "./shared/language_model.ts";
import { type ItemText, meanOf, meansOf } from "./shared/other_texts.ts";
import { askPrompts, type PromptOptions, type PromptScore } from "./shared/prompting.ts";

export interface AskEpisodesOptions extends Omit<PromptOptions, "memory"> {
  /** Decodes a model's predictions. */
  readonly tokenizer: Tokenizer;
  readonly scoring: LabelScoring;
  /** Of label likelihoods alone; `content-free` is for episodes that have a prompt without content. */
  readonly calibration: LabelCalibration;
}

/**
 * Asks all queries of all episodes.
 *
 * @returns A record for each query, episodes and queries in their order: `item`, `task`, `seed`, `label`, `prediction`,
 * whether it is `correct`, and the scores behind it: `nats`, of the label's first token, or `scores` of all labels in their
 * order.
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
        prompts: queries.flatMap(({ item, prompt, label }) =>
          answerPrompts(item, prompt, [labelTokens[label].slice(0, 1)])
        ),
      }));
      const answers = await askPrompts(model, items, shared);
      return episodes.flatMap((episode, i) =>
        episode.queries.map((query, j) => namedRecord(episode, query, answers[i][j], tokenizer))
      );
    }
    case "label-likelihood": {
      for (const { task, labels, labelTokens } of episodes) {
        checkChoices(`task "${task}"`, labels, labelTokens);
      }
      const items = episodes.map(({ memory, queries, labelTokens, contentFreePrompt, task }) => {
        const prompts = queries.map(({ item, prompt }) => ({ item, prompt }));
        if (calibration === "content-free") {
          prompts.push({ item: `${task} without content`, prompt: contentFreePrompt! });
        }
        return {
          reading: memory,
          prompts: prompts.flatMap(({ item, prompt }) => answerPrompts(item, prompt, labelTokens)),
        };
      });
      const answers = await askPrompts(model, items, shared);
      return episodes.flatMap((episode, i) => {
        const L = episode.labels.length;
        const logLikelihoods = (prompt: number) =>
          natsOf(answers[i].slice(L * prompt, L * (prompt + 1))).map((nats) => -nats);
        const nothing = calibration === "content-free"
          ? logLikelihoods(episode.queries.length)
          : episode.labels.map(() => 0);
        return episode.queries.map((query, j) => {
          const scores = logLikelihoods(j).map((x, label) => x - nothing[label]);
          const likeliest = scores.indexOf(Math.max(...scores));
          return { ...chosenRecord(episode, query, likeliest), scores };
        });
      });
    }
    default:
      return scoring satisfies never;
  }
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

function chosenRecord(
  { task, seed, labels }: LabelledEpisode,
  { item, label }: Query,
  chosen: number,
): SampleRecord {
  const prediction = labels[chosen], correct = chosen === label;
  return { item, task, seed, label: labels[label], prediction, correct };
}

/** Scores the constant prediction of the training examples' commonest label: a record for each query. */
export function commonestLabelSamples(episodes: readonly LabelledEpisode[]): SampleRecord[] {
  return episodes.flatMap((episode) =>
    episode.queries.map((query) => chosenRecord(episode, query, episode.commonestLabel))
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
const inContextLearningRecord = drawnRecord.extend({
  correct: z.union([z.boolean(), z.number().min(0).max(1)]),
});

/** Whether a model learns from demonstrations in its memory how to label another example. */
export interface InContextLearningEvaluation extends TaskProtocol {
  /** Distinguishes it from other kinds of evaluation. */
  readonly kind: "in-context-learning";
  /** Source of the texts to label. */
  readonly source: DemonstrationSource;
}

/** The same as declared. */
export type InContextLearningDeclaration =
  & Omit<DeclaredEvaluation<InContextLearningEvaluation, "kind">, "source">
  & {
    /** Source of the texts to label. */
    readonly source: DemonstrationSourceDeclaration;
  };

const form = evaluationForm("in-context-learning", () => ({
  source: demonstrationSources.schema,
  shots: nonNegativeInteger.exactOptional(),
  scoring: oneOf("open-vocabulary", "label-likelihood").exactOptional(),
  calibration: oneOf("none", "content-free").exactOptional(),
  memoryLabels: oneOf("true", "shuffled").exactOptional(),
  maxItems: positiveInteger.exactOptional(),
}));
type _FormAcceptsTheType = Assert<Accepts<ReturnType<typeof form>, InContextLearningDeclaration>>;

/** Name under which the baseline without a model is recorded: it always tells the label that is commonest. */
export const commonestLabel = "commonest-label";

export const inContextLearning: EvaluationKind<
  InContextLearningDeclaration,
  InContextLearningEvaluation,
  z.infer<typeof inContextLearningRecord>
> = {
  schema: form,
  fill(declared, from) {
    const kind = demonstrationSources.get(declared.source.kind);
    const { memory, shots, scoring, ...limit } = kind.defaults(from.protocol);
    return {
      name: declared.kind,
      shots,
      scoring,
      calibration: "none",
      memoryLabels: "true",
      ...limit,
      ...fillModelEvaluation(declared, from, { ...memory, ...onceReadMemory }),
      source: kind.fill(declared.source, from.protocol),
    };
  },
  check(evaluation, path, { corpus }) {
    const { source, scoring, calibration } = evaluation;
    const problems: Problem[] = [];
    const kind = demonstrationSources.get(source.kind);
    const fits = (name: string) => demonstrationSources.get(name).fits(corpora.get(corpus.kind));
    if (!fits(source.kind)) {
      problems.push(wrong(
        `${path}.source.kind`,
        `must fit the words of a corpus whose kind is "${corpus.kind}"`,
        source.kind,
        demonstrationSources.names.filter(fits).join(", "),
      ));
    } else {
      problems.push(...kind.check(source, path, evaluation, corpus));
    }
    if (kind.taskCount(source) < 2) {
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
    } else if (calibration === "content-free" && !kind.hasContentFreePrompt) {
      problems.push(wrong(
        `${path}.calibration`,
        `must be "none" where ${path}.source.kind is "${source.kind}", whose words all say something`,
        calibration,
        "none",
      ));
    }
    return problems;
  },
  readsOnce: true,
  limit: limitOf("maxItems"),
  describe: ({ source, maxItems }) =>
    `${atMost(maxItems, "examples")} of ${demonstrationSources.get(source.kind).describe(source)}`,
  files: async ({ source }) => await demonstrationSources.get(source.kind).files?.(source) ?? [],
  cost: (evaluation) =>
    demonstrationSources.get(evaluation.source.kind).cost?.(evaluation.source, evaluation),
  withoutModel: [commonestLabel],
  async prepare(evaluation, inputs) {
    const { source, scoring: labelScoring, calibration } = evaluation;
    const kind = demonstrationSources.get(source.kind), { draw } = kind;
    const { episodes, totals } = await kind.write(source, evaluation, inputs);
    const texts = textsOfEpisodes(episodes, draw);
    return {
      score: (model, scoring) =>
        askEpisodes(model, episodes, {
          ...onceReadOptions(evaluation, scoring),
          tokenizer: inputs.texts.tokenizer,
          scoring: labelScoring,
          calibration,
        }),
      texts,
      others: () => otherDemonstrations(texts),
      total: (measure) => totalOfDraws(measure, (task) => totals[task]),
      withoutModel: { [commonestLabel]: commonestLabelSamples(firstDraws(episodes)) },
    };
  },
  average: averageAnswers,
  version: () => 2,
  record: inContextLearningRecord,
  // A damaged record names no source, or one that this code does not have.
  measures: (records, { source }: { source?: { kind: string } }) =>
    drawnMeasures(records, {
      scores: { accuracy: ({ correct }) => Number(correct) },
      namesTasks: true,
      draw: demonstrationSources.find(source?.kind ?? "")?.draw ?? "seed",
    }),
  label: drawnLabel,
};

/** Of tasks that are drawn with several seeds, the first draw of each. */
function firstDraws(episodes: readonly LabelledEpisode[]): LabelledEpisode[] {
  const items = new Set<string>();
  return episodes.filter(({ queries }) => {
    const isNew = queries.some(({ item }) => !items.has(item));
    queries.forEach(({ item }) => items.add(item));
    return isNew;
  });
}

/** Demonstrations that episodes read. Where draws differ by `seed`, others are those of other tasks with the same; else of other draws. */
export function textsOfEpisodes<Asked>(
  episodes: readonly Episode<Asked>[],
  draw: "seed" | "task",
): ItemText[] {
  return episodes.map(({ task, seed, memory }) => ({
    ...readableText(memory),
    name: `${task} seed ${seed}`,
    group: draw === "seed" ? seed : undefined,
  }));
}

/** Demonstrations that a control reads in place of each episode's: as many tokens of the next one's. */
export function otherDemonstrations(texts: readonly ItemText[]): ReadableDocument[] {
  return otherDocuments(texts)
    .map(({ segments }, i) => cutLike(texts[i], segments.map(({ tokens }) => tokens)));
}
