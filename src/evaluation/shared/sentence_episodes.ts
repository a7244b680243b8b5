/**
 * Episodes of in-context learning from labelled sentences: which demonstrations are drawn, and how they become tokens.
 *
 * Every demonstration is tokenised alone, between `<s>` and `</s>`, and so is the query, without the last `</s>`.
 *
 * - `released-code` draws as the official script does (specification section 14), with Python's generator: first the
 *   demonstrations before the query, then, from all training examples again, those in memory, which are cut into
 *   segments of which a last, shorter one is dropped.
 * - `balanced` draws as many of each label as of another, or one more, and no text twice: none is both in memory and
 *   before the query, and none is an evaluated one. Demonstrations in memory do not depend on the number before the
 *   query, and fewer before the query are among more. A last, shorter segment is read, too.
 */
import { PythonRandom } from "../../text/python_random.ts";
import { Random } from "../../random.ts";
import {
  formatDemonstration,
  formatQuery,
  type LabelledSentence,
  type SentenceTask,
  type SentenceTaskData,
  type SentenceTaskFormat,
  sentenceTaskFormats,
} from "../../text/sentence_tasks.ts";
import type { Tokenizer } from "../../text/tokenizer.ts";
import { cutDemonstrations, type LabelledEpisode, spreadEvenly } from "./few_shot.ts";
import { InputRangeError } from "../../errors.ts";

/** How demonstrations are drawn. */
export type DemonstrationDraw = "released-code" | "balanced";

/** Options of an episode of sentences. */
export interface SentenceEpisodeOptions {
  readonly tokenizer: Tokenizer;
  readonly seed: number;
  readonly draw: DemonstrationDraw;
  /** Demonstrations before each query. */
  readonly shots: number;
  /** Demonstrations in memory. */
  readonly memoryDemonstrations: number;
  /** Whether demonstrations in memory have their own labels, or one another's. */
  readonly memoryLabels: "true" | "shuffled";
  /** Tokens of a segment, and of a prompt at most. */
  readonly contextTokens: number;
  /** Evaluates so many examples at most, evenly spaced. */
  readonly maxItems?: number;
}

/**
 * Draws the demonstrations of a task and writes its memory and its prompts.
 *
 * @throws {RangeError} If there are too few examples to draw from, those for the memory fill no segment and a shorter one is
 * dropped, or a prompt is longer than `contextTokens`.
 */
export function writeSentenceEpisode(
  task: SentenceTask,
  data: SentenceTaskData,
  options: SentenceEpisodeOptions,
): LabelledEpisode {
  const { tokenizer, seed, draw, contextTokens } = options;
  const format = sentenceTaskFormats[task];
  const { bos, eos } = tokenizer.specialIds;
  const tokensOf = (
    sentence: LabelledSentence,
  ) => [bos, ...tokenizer.encode(formatDemonstration(format, sentence)), eos];
  const drawn = drawDemonstrations(task, data, options);
  const shown = options.memoryLabels === "shuffled"
    ? withShuffledLabels(drawn.memory, `${seed}/${task}/memory labels`)
    : drawn.memory;
  const context = drawn.context.flatMap(tokensOf);
  const prompt = (text: string) =>
    Int32Array.from([...context, bos, ...tokenizer.encode(formatQuery(format, text))]);

  const evaluated = data.evaluated.map((sentence, i) => ({ ...sentence, item: `${task} ${i}` }));
  const queries = spreadEvenly(evaluated, options.maxItems).map(({ item, text, label }) => {
    const tokens = prompt(text);
    if (tokens.length > contextTokens) {
      throw new InputRangeError(
        `Cannot ask "${item}" with ${drawn.context.length} demonstrations, seed ${seed}, as the prompt must fit ` +
          `contextTokens: current values are ${tokens.length} and ${contextTokens}; fewer shots need fewer`,
      );
    }
    return { item, prompt: tokens, label };
  });
  const shownTokens = shown.map(tokensOf);
  const memory = cutDemonstrations(shownTokens, {
    contextTokens,
    remainder: draw === "released-code" ? "dropped" : "kept",
  });
  if (shown.length > 0 && memory.length === 0) {
    throw new InputRangeError(
      `Cannot show a memory ${shown.length} demonstrations of "${task}", seed ${seed}, as they must fill a segment of ` +
        `contextTokens, of which the released code drops a shorter one: current values are ` +
        `${shownTokens.flat().length} tokens and ${contextTokens}`,
    );
  }
  return {
    task,
    seed,
    memory,
    queries,
    labels: format.labels,
    labelTokens: format.labels.map((word) => Int32Array.from(tokenizer.encode(` ${word}`))),
    commonestLabel: commonestLabel(format, data.train),
    contentFreePrompt: prompt(contentFreeText),
  };
}

/** An example that says nothing (Zhao et al. 2021, "Calibrate Before Use"). */
const contentFreeText = "N/A";

/** Demonstrations before the query and in memory. */
interface Demonstrations {
  readonly context: readonly LabelledSentence[];
  readonly memory: readonly LabelledSentence[];
}

/**
 * Draws demonstrations of a task.
 *
 * @throws {RangeError} If there are too few examples.
 */
export function drawDemonstrations(
  task: SentenceTask,
  data: Pick<SentenceTaskData, "train" | "evaluated">,
  options: Pick<SentenceEpisodeOptions, "seed" | "draw" | "shots" | "memoryDemonstrations">,
): Demonstrations {
  const { seed, draw, shots, memoryDemonstrations } = options;
  switch (draw) {
    case "released-code": {
      const { train } = data;
      for (const [name, count] of Object.entries({ shots, memoryDemonstrations })) {
        if (count <= train.length) continue;
        throw new InputRangeError(
          `Cannot draw demonstrations of "${task}" as ${name} must not exceed its ${train.length} ` +
            `training examples: current value is ${count}`,
        );
      }
      const random = new PythonRandom(seed);
      const sample = (count: number) => random.sample(train.length, count).map((i) => train[i]);
      const context = sample(shots);
      return { context, memory: sample(memoryDemonstrations) };
    }
    case "balanced":
      return drawBalanced(task, data, options);
    default:
      return draw satisfies never;
  }
}

function drawBalanced(
  task: SentenceTask,
  { train, evaluated }: Pick<SentenceTaskData, "train" | "evaluated">,
  { seed, shots, memoryDemonstrations }: Pick<
    SentenceEpisodeOptions,
    "seed" | "shots" | "memoryDemonstrations"
  >,
): Demonstrations {
  // An example without a text shows nothing.
  const taken = new Set(["", ...evaluated.map(({ text }) => text.trim())]);
  const pools: LabelledSentence[][] = sentenceTaskFormats[task].labels.map(() => []);
  for (const sentence of train) {
    const text = sentence.text.trim();
    if (taken.has(text)) continue;
    taken.add(text);
    pools[sentence.label].push(sentence);
  }
  const random = new Random(`${seed}/${task}/demonstrations`);
  for (const pool of pools) random.shuffle(pool);
  // Labels that come first have the odd demonstrations.
  const order = random.shuffle([...pools.keys()]);
  const share = (count: number, label: number) =>
    Math.floor(count / pools.length) + (order[label] < count % pools.length ? 1 : 0);
  const context: LabelledSentence[] = [], memory: LabelledSentence[] = [];
  pools.forEach((pool, label) => {
    const before = share(shots, label), inMemory = share(memoryDemonstrations, label);
    if (before + inMemory > pool.length) {
      throw new InputRangeError(
        `Cannot draw demonstrations of "${task}" as shots and memoryDemonstrations ask for more of label ` +
          `"${sentenceTaskFormats[task].labels[label]}" than there are, without those evaluated: ` +
          `current values ask for ${before} and ${inMemory} of ${pool.length}`,
      );
    }
    // From both ends, so that neither part depends on the size of the other.
    memory.push(...pool.slice(0, inMemory));
    context.push(...pool.slice(pool.length - before));
  });
  return {
    context: new Random(`${seed}/${task}/context order`).shuffle(context),
    memory: new Random(`${seed}/${task}/memory order`).shuffle(memory),
  };
}

function withShuffledLabels(
  sentences: readonly LabelledSentence[],
  seed: string,
): LabelledSentence[] {
  const labels = new Random(seed).shuffle(sentences.map(({ label }) => label));
  return sentences.map(({ text }, i) => ({ text, label: labels[i] }));
}

function commonestLabel(
  { labels }: SentenceTaskFormat,
  sentences: readonly LabelledSentence[],
): number {
  const counts = labels.map((_, label) => sentences.filter((s) => s.label === label).length);
  return counts.indexOf(Math.max(...counts));
}
