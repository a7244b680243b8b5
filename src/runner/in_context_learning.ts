import { totalOfDraws } from "../evaluation/shared/few_shot_metrics.ts";
import type { Episode, LabelledEpisode } from "../evaluation/shared/few_shot.ts";
import { askEpisodes, commonestLabelSamples } from "../evaluation/in_context_learning.ts";
import { type ReadableDocument, readableText } from "../evaluation/shared/language_model.ts";
import { reviewTask, writeReviewEpisode } from "../evaluation/shared/review_episodes.ts";
import { writeSentenceEpisode } from "../evaluation/shared/sentence_episodes.ts";
import type {
  InContextLearningEvaluation,
  ResolvedExperiment,
  SentenceSource,
} from "../experiment/declaration.ts";
import { commonestLabel } from "../experiment/model_name.ts";
import { readSentenceTask } from "../text/sentence_tasks.ts";
import { hashOf } from "../text/tokenizer.ts";
import { type EvaluationSteps, onceReadOptions } from "./evaluation_steps.ts";
import type { RunContext } from "./run_context.ts";
import type { RunText } from "./corpus.ts";
import { InputRangeError, InputTypeError } from "../errors.ts";

/** The episodes of an evaluation. */
interface Written {
  readonly episodes: readonly LabelledEpisode[];
  /** Items of each task, where not all are asked. */
  readonly totals: Readonly<Record<string, number>>;
}

/** Writes the episodes of an evaluation, and says how models are asked and measured. */
export async function inContextLearningSteps(
  evaluation: InContextLearningEvaluation,
  experiment: ResolvedExperiment,
  text: RunText,
  context: RunContext,
): Promise<EvaluationSteps> {
  const { source, scoring: labelScoring, calibration } = evaluation;
  const { episodes, totals } = source.kind === "sentences"
    ? await writeSentences(evaluation, source, text, context)
    : writeReviews(evaluation, experiment);
  return {
    readsOnce: true,
    score: (model, scoring) =>
      askEpisodes(model, episodes, {
        ...onceReadOptions(evaluation, scoring),
        tokenizer: text.tokenizer,
        scoring: labelScoring,
        calibration,
      }),
    others: () => otherTasks(episodes, source.kind === "sentences" ? "seed" : "task"),
    total: (measure) => totalOfDraws(measure, (task) => totals[task]),
    withoutModel: { [commonestLabel]: commonestLabelSamples(firstDraws(episodes)) },
  };
}

async function writeSentences(
  evaluation: InContextLearningEvaluation,
  { folder, tasks, seeds, draw, memoryDemonstrations }: SentenceSource,
  { tokenizer }: RunText,
  context: RunContext,
): Promise<Written> {
  const { shots, memoryLabels, contextTokens, maxItems } = evaluation;
  const episodes: LabelledEpisode[] = [];
  const totals: Record<string, number> = {};
  for (const task of tasks) {
    const data = await readSentenceTask(folder, task);
    await context.results.recordHash(task, hashOf([data.hashes.train, data.hashes.evaluated]));
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
  { corpus }: ResolvedExperiment,
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
 * What the control reads in the place of each episode's demonstrations: as many tokens of those of another task.
 *
 * @param draw What tells draws apart, as metrics have it: `seed`, then it is the next task with the same seed; or `task`, each
 * of which is drawn once, then it is the next draw.
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

/** Another text in segments of the same lengths; a shorter one is read again and again, and one without tokens has none. */
function cutLike(
  segments: readonly Int32Array[],
  others: readonly Int32Array[],
): Int32Array[] {
  const other = Int32Array.from(others.flatMap((segment) => [...segment]));
  if (other.length === 0) return [];
  let read = 0;
  return segments.map(({ length }) =>
    Int32Array.from({ length }, () => other[read++ % other.length])
  );
}
