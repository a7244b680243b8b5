/**
 * In-context learning from labelled sentences: which demonstrations are drawn, and how they become tokens.
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
import { join } from "node:path";
import { z } from "zod";
import { nonNegativeInteger, oneOf, seeds, text } from "../../declaration/fields.ts";
import type { Accepts, Assert, Declared } from "../../declaration/part.ts";
import { repetitions } from "../../declaration/problem.ts";
import type { ByProtocol } from "../../declaration/protocol.ts";
import { InputRangeError } from "../../errors.ts";
import { ifThere, isThere, readTextBytes } from "../../files.ts";
import type { MemoryDeclaration } from "../../memory/config.ts";
import { Random } from "../../random.ts";
import { bytesPerToken } from "../../text/corpora/files.ts";
import { PythonRandom } from "../../text/python_random.ts";
import { cutSegments } from "../../text/segments.ts";
import {
  formatDemonstration,
  formatQuery,
  type LabelledSentence,
  readSentenceTask,
  type SentenceTask,
  type SentenceTaskData,
  type SentenceTaskFormat,
  sentenceTaskFormats,
  sentenceTasks,
} from "../../text/sentence_tasks.ts";
import { encodeFollowing, hashOf, type Tokenizer } from "../../text/tokenizer.ts";
import type { EvaluationInputs, TokensOf } from "../evaluation_kind.ts";
import { modelKindOf } from "../models.ts";
import { drawSeeds, type LabelledEpisode, spreadEvenly } from "../shared/few_shot.ts";
import type { DemonstrationSourceKind, TaskProtocol, WrittenTasks } from "./source.ts";

/** How demonstrations are drawn. */
export type DemonstrationDraw = "released-code" | "balanced";

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

/** Fields that must be declared. */
type SentenceDeclaration = Declared<SentenceSource, "kind" | "folder">;

const schema = z.strictObject({
  kind: z.literal("sentences"),
  folder: text,
  tasks: z.array(oneOf(...sentenceTasks)).min(1).readonly()
    .describe(`lists of ${sentenceTasks.join(", ")}`).exactOptional(),
  seeds: seeds.exactOptional(),
  draw: oneOf("released-code", "balanced").exactOptional(),
  memoryDemonstrations: nonNegativeInteger.exactOptional(),
});
type _SchemaAcceptsTheType = Assert<Accepts<typeof schema, SentenceDeclaration>>;

/** A protocol's choices for labelled sentences; the numbers are rows of specification section 17. */
interface SentenceProtocol extends Pick<TaskProtocol, "scoring">, Pick<SentenceSource, "draw"> {
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

/** Labelled sentences in files, as a source of tasks. */
export const sentences: DemonstrationSourceKind<SentenceDeclaration, SentenceSource> = {
  schema,
  draw: "seed",
  hasContentFreePrompt: true,
  fits: ({ chronicle }) => chronicle === undefined,
  fill: (source, protocol) => ({
    tasks: sentenceTasks,
    seeds: drawSeeds,
    memoryDemonstrations: 2000, // specification section 14
    draw: sentenceProtocols[protocol].draw,
    ...source,
  }),
  defaults(protocol) {
    const { scoring, memory } = sentenceProtocols[protocol];
    return { shots: 20, scoring, memory }; // specification section 14
  },
  taskCount: ({ tasks }) => tasks.length,
  check: (source, path) =>
    (["tasks", "seeds"] as const).flatMap((field) =>
      repetitions(source[field], `${path}.source.${field}`, field)
    ),
  describe: ({ tasks, seeds }) => `${tasks.join(", ")}, ${seeds.length} seeds`,
  async files({ folder, tasks }) {
    const field = "source.folder";
    if (!await isThere(folder)) return [{ field, path: folder }];
    return tasks.flatMap((task) => {
      const { train, evaluated } = sentenceTaskFormats[task];
      return [train, evaluated].map((file) => ({ field, path: `${folder}/${file}` }));
    });
  },
  cost: sentenceTokens,
  write: writeSentences,
};

async function sentenceTokens(
  { folder, tasks, seeds, memoryDemonstrations }: SentenceSource,
  { shots, scoring, maxItems }: TaskProtocol,
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

async function writeSentences(
  source: SentenceSource,
  asked: TaskProtocol,
  { texts: { tokenizer }, recordHash }: EvaluationInputs,
): Promise<WrittenTasks> {
  const { maxItems = Infinity } = asked;
  const episodes: LabelledEpisode[] = [];
  const totals: Record<string, number> = {};
  for (const task of source.tasks) {
    const data = await readSentenceTask(source.folder, task);
    await recordHash(task, hashOf([data.hashes.train, data.hashes.evaluated]));
    if (maxItems < data.evaluated.length) totals[task] = data.evaluated.length;
    for (const seed of source.seeds) {
      episodes.push(writeSentenceEpisode(task, data, { ...source, ...asked, tokenizer, seed }));
    }
  }
  return { episodes, totals };
}

export interface SentenceEpisodeOptions
  extends
    Pick<SentenceSource, "draw" | "memoryDemonstrations">,
    Pick<TaskProtocol, "shots" | "memoryLabels" | "contextTokens" | "maxItems"> {
  readonly tokenizer: Tokenizer;
  readonly seed: number;
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
  const shownTokens = shown.flatMap(tokensOf);
  const memory = cutSegments(shownTokens, contextTokens)
    .filter(({ length }) => draw !== "released-code" || length === contextTokens);
  if (shown.length > 0 && memory.length === 0) {
    throw new InputRangeError(
      `Cannot show a memory ${shown.length} demonstrations of "${task}", seed ${seed}, as they must fill a segment of ` +
        `contextTokens, of which the released code drops a shorter one: current values are ` +
        `${shownTokens.length} tokens and ${contextTokens}`,
    );
  }
  return {
    task,
    seed,
    memory,
    queries,
    labels: format.labels,
    labelTokens: format.labels.map((word) =>
      Int32Array.from(encodeFollowing(tokenizer, ` ${word}`))
    ),
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
