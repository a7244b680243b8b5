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
import type { EvaluationKind } from "./evaluation_kind.ts";
import type { Measure } from "./measure.ts";
import type { LabelledEpisode, Query } from "./shared/few_shot.ts";
import { drawnLabel, drawnMeasures, drawnRecord } from "./shared/few_shot_metrics.ts";
import type { PromptedModel } from "./shared/language_model.ts";
import {
  askPrompts,
  type Prompt,
  type PromptOptions,
  type PromptScore,
} from "./shared/prompting.ts";
import { InputTypeError } from "../errors.ts";

/** Version of the accuracies of this file. */
export const inContextLearningVersion = 2;

/** How an answer is read from a model. */
export type LabelScoring = "open-vocabulary" | "label-likelihood";

/** What the likelihoods of labels are compared with. */
export type LabelCalibration = "none" | "content-free";

/** How episodes are asked. */
export interface AskEpisodesOptions extends Omit<PromptOptions, "memory"> {
  /** Decodes what a model names. */
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

/** What always telling the commonest label of the training examples scores: a record for each query. */
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

/** A record as metrics need it. */
export const inContextLearningRecord = drawnRecord.extend({ correct: z.boolean() });

/** Measures of one model; `draw`: what distinguishes draws of a task, a seed or the task itself. */
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

/** The kind of evaluation. */
export const inContextLearning = {
  version: () => inContextLearningVersion,
  record: inContextLearningRecord,
  measures: (records, { source }) =>
    inContextLearningMeasures(records, source?.kind === "chronicle" ? "task" : "seed"),
  label: drawnLabel,
} satisfies EvaluationKind<
  { readonly source?: { readonly kind: string } },
  z.infer<typeof inContextLearningRecord>
>;
