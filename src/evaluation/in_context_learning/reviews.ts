/**
 * In-context learning from the reviews of the chronicle: which good has which label is drawn for each task,
 * so that no weights can know it.
 */
import { z } from "zod";
import { positiveInteger } from "../../declaration/fields.ts";
import type { Accepts, Assert, Declared } from "../../declaration/part.ts";
import { type Problem, wrong } from "../../declaration/problem.ts";
import { InputRangeError } from "../../errors.ts";
import { Random } from "../../random.ts";
import { type ChronicleConfig, reviewTokens } from "../../text/chronicle/config.ts";
import { writeReviewTask } from "../../text/chronicle/reviews.ts";
import { vocabulary, wordIds } from "../../text/chronicle/vocabulary.ts";
import { chronicleOf, type CorpusConfig } from "../../text/corpora/corpora.ts";
import { cutSegments } from "../../text/segments.ts";
import { writtenTokenProblems } from "../evaluation_kind.ts";
import { type LabelledEpisode, spreadEvenly } from "../shared/few_shot.ts";
import type { DemonstrationSourceKind, TaskProtocol } from "./source.ts";

/** Name of the task in results. */
const reviewTask = "reviews";

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

const schema = z.strictObject({
  kind: z.literal("chronicle"),
  tasks: positiveInteger.exactOptional(),
});
type _SchemaAcceptsTheType = Assert<Accepts<typeof schema, Declared<ReviewSource, "kind">>>;

/** Reviews of the chronicle, as a source of tasks. */
export const reviews: DemonstrationSourceKind<Declared<ReviewSource, "kind">, ReviewSource> = {
  schema,
  draw: "task",
  fits: ({ chronicle }) => chronicle !== undefined,
  // As many tasks as there are test books, and half of the goods of each.
  fill: (source) => ({ tasks: 24, ...source }),
  defaults: () => ({ shots: 0, scoring: "open-vocabulary", maxItems: 16 }),
  taskCount: ({ tasks }) => tasks,
  check: checkReviews,
  describe: ({ tasks }) => `${tasks} tasks of reviews`,
  write(source, asked, { corpus }) {
    const { seed, writing } = chronicleOf(corpus)!;
    const { maxItems } = asked, { goods } = writing.reviews;
    const episodes = Array.from(
      { length: source.tasks },
      (_, i) => writeReviewEpisode(writing, { ...asked, task: i + 1, seed }),
    );
    return Promise.resolve({
      episodes,
      totals: (maxItems ?? goods) < goods ? { [reviewTask]: goods } : {},
    });
  },
};

/** Reports settings under which even the shortest reviews exceed a prompt or the memory. */
function checkReviews(
  { tasks }: ReviewSource,
  path: string,
  { shots, contextTokens }: TaskProtocol,
  corpus: CorpusConfig,
): Problem[] {
  const { demonstrations } = chronicleOf(corpus)!.writing.reviews;
  const mostShots = Math.floor((contextTokens - 1) / reviewTokens);
  return [
    ...(shots <= mostShots ? [] : [wrong(
      `${path}.shots`,
      `must leave room for the query within ${path}.contextTokens of ${contextTokens}, ${reviewTokens} tokens a review at least`,
      shots,
      `integers from 0 to ${mostShots}`,
    )]),
    ...writtenTokenProblems(tasks, `${path}.source.tasks`, {
      tokens: reviewTokens * Math.max(1, demonstrations),
      of: `, of ${demonstrations} reviews a task`,
    }),
  ];
}

export interface ReviewEpisodeOptions
  extends Pick<TaskProtocol, "shots" | "memoryLabels" | "contextTokens" | "maxItems"> {
  /** Number of the task, from 1. */
  readonly task: number;
  /** Seed of all tasks. */
  readonly seed: number;
}

/**
 * Writes a task of the chronicle: its demonstrations, which fill the memory, and its queries.
 *
 * @throws {RangeError} If a prompt is longer than `contextTokens`.
 */
export function writeReviewEpisode(
  config: ChronicleConfig,
  options: ReviewEpisodeOptions,
): LabelledEpisode {
  const { task, seed, shots, contextTokens } = options;
  const taskSeed = `${seed}/review task/${task}`;
  const written = writeReviewTask(config, { seed: taskSeed, localDemonstrations: shots });
  const demonstrations = options.memoryLabels === "shuffled"
    ? withShuffledLabels(written.demonstrations, `${taskSeed}/memory labels`)
    : written.demonstrations;
  const queries = spreadEvenly(written.queries, options.maxItems);
  return {
    task: reviewTask,
    seed: task,
    memory: cutSegments(demonstrations, contextTokens),
    queries: queries.map(({ good, answer, prompt }) => {
      const item = `${reviewTask} ${task} ${vocabulary[good]}`;
      if (prompt.length > contextTokens) {
        throw new InputRangeError(
          `Cannot ask "${item}" with ${shots} demonstrations as the prompt must fit contextTokens: ` +
            `current values are ${prompt.length} and ${contextTokens}; fewer shots need fewer`,
        );
      }
      return { item, prompt, label: wordIds.labels.indexOf(answer) };
    }),
    labels: wordIds.labels.map((id) => vocabulary[id]),
    labelTokens: wordIds.labels.map((id) => Int32Array.of(id)),
    commonestLabel: commonestLabel(written.demonstrations),
  };
}

function withShuffledLabels(tokens: Int32Array, seed: string): Int32Array {
  const isLabel = (token: number) => wordIds.labels.includes(token);
  const labels = new Random(seed).shuffle(tokens.filter(isLabel));
  let next = 0;
  return tokens.map((token) => isLabel(token) ? labels[next++] : token);
}

function commonestLabel(tokens: Int32Array): number {
  const counts = wordIds.labels.map((id) => tokens.filter((token) => token === id).length);
  return counts.indexOf(Math.max(...counts));
}
