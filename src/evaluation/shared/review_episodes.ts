/**
 * Episodes of in-context learning from the reviews of the chronicle: which good has which label is drawn for each task,
 * so that no weights can know it.
 */
import type { ChronicleConfig } from "../../text/chronicle/config.ts";
import { writeReviewTask } from "../../text/chronicle/reviews.ts";
import { vocabulary, wordIds } from "../../text/chronicle/vocabulary.ts";
import { Random } from "../../random.ts";
import { cutDemonstrations, type LabelledEpisode, spreadEvenly } from "./few_shot.ts";
import { InputRangeError } from "../../errors.ts";

/** Name of the task in results. */
export const reviewTask = "reviews";

/** Options of an episode of reviews. */
export interface ReviewEpisodeOptions {
  /** Number of the task, from 1. */
  readonly task: number;
  /** Seed of all tasks. */
  readonly seed: number;
  /** Reviews of other goods before each query. */
  readonly shots: number;
  /** Whether reviews in memory have their own labels, or one another's. */
  readonly memoryLabels: "true" | "shuffled";
  /** Tokens of a segment, and of a prompt at most. */
  readonly contextTokens: number;
  /** Asks for so many goods at most. */
  readonly maxItems?: number;
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
    memory: cutDemonstrations([[...demonstrations]], { contextTokens, remainder: "kept" }),
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
