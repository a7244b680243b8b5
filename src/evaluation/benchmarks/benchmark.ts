/**
 * Questions of long-context benchmarks: a model reads a text into its memory, is asked one question about it, and its answer is scored
 * as the official script scores it.
 *
 * A prompt is `<s>`, as much of the end of the text as has room in the window, and the question, tokenised apart. Answers are
 * written greedily until the text ends (`<s>` or `</s>`), the tokens are used up, or nothing more could change the score, and where
 * that was declared until the line ends; of choices the likeliest is taken. Beside the score the likelihood of a right answer is measured, which tells small models apart long
 * before they write one.
 */
import { z } from "zod";
import { defined } from "../../defined.ts";
import { InputRangeError } from "../../errors.ts";
import type { MetricKey, MetricLabel } from "../../results/metric_catalog.ts";
import type { SampleRecord } from "../../results/records.ts";
import { TokenTexts } from "../../text/token_texts.ts";
import { encodeFollowing, type Tokenizer } from "../../text/tokenizer.ts";
import { answerPrompts, chooseLikeliest, longestAnswer, natsOf } from "../answers.ts";
import { type ModelEvaluation, onceReadOptions, type PromptedItems } from "../evaluation_kind.ts";
import { differenceOf, type Measure, sumsOver } from "../measure.ts";
import { cutText } from "../questions.ts";
import { type PromptedModel, readableText } from "../shared/language_model.ts";
import { askAndContinue } from "../shared/prompting.ts";

/** Name in results of answers drawn at random. */
const chance = "chance";

/** A question of a benchmark about a text of its own. */
export interface BenchmarkItem {
  /** Names it in records. */
  readonly name: string;
  /** The benchmark's task, whose scores are averaged. */
  readonly task: string;
  /** Length of the text: in tokens, or a class of lengths such as "8k+"; absent where the benchmark does not tell lengths apart. */
  readonly length?: number | string;
  /** Text that is read first. */
  readonly context: string;
  /** Text behind it, up to where the answer begins. */
  readonly question: string;
  /** Right answers; of choices the right one. */
  readonly answers: readonly string[];
  /** Text whose likelihood is measured (default: the first of the answers). */
  readonly reference?: string;
  /** Answers to choose from, of which the likeliest counts; absent: an answer is written. */
  readonly choices?: readonly string[];
  /** Tokens of a written answer at most, and of the reference as far as its likelihood is measured. */
  readonly maxAnswerTokens: number;
  /** Items of one cluster are not independent. */
  readonly cluster?: string;
  /**
   * Who officially scores a written answer: a script (default), as `score` does; or a judge, of which `words` may be a substitute.
   * Where nothing is, the answer is written and neither it nor the right one is measured.
   */
  readonly scoredBy?: "script" | "judge or words" | "judge";
  /** The score of a written answer, from 0 to 1. */
  readonly score: (prediction: string) => number;
  /** Another score beside it. */
  readonly f1?: (prediction: string) => number;
  /** Further fields of the record of a written answer, by which official programs know it. */
  readonly submitted?: (prediction: string) => Readonly<Record<string, string>>;
  /** Whether nothing that follows an answer could change its score. */
  readonly isDone: (prediction: string) => boolean;
  /** Expected score of an answer drawn at random; absent where answers are free. */
  readonly chance?: number;
}

/** The end of an answer: that of the official script, or also the end of its first line. */
export type AnswerEnd = "official" | "line";

/** All of these. */
export const answerEnds = ["official", "line"] as const satisfies readonly AnswerEnd[];

/** An item in token ids. */
export interface WrittenItem {
  readonly item: BenchmarkItem;
  /** Segments that are read into memory. */
  readonly reading: readonly Int32Array[];
  /** The end of the text, and the question. */
  readonly prompt: readonly number[];
  /** The reference, or the choices. */
  readonly answers: readonly (readonly number[])[];
}

/**
 * Writes items as tokens.
 *
 * @param options `chunkTokens`: tokens of a chunk of the memory (1 without one).
 * @throws {RangeError} If an answer has no room in the window, or no token, or two choices have the same tokens.
 */
export function writeItems(
  items: readonly BenchmarkItem[],
  { tokenizer, contextTokens, chunkTokens }: {
    readonly tokenizer: Tokenizer;
    readonly contextTokens: number;
    readonly chunkTokens: number;
  },
): WrittenItem[] {
  const { bos } = tokenizer.specialIds;
  return items.map((item) => {
    const { name, context, question, choices, maxAnswerTokens } = item;
    const ids = context === "" ? tokenizer.encode(question) : encodeFollowing(tokenizer, question);
    const answers = choices
      ? choices.map((choice) => encodeFollowing(tokenizer, ` ${choice}`))
      : item.scoredBy === "judge"
      ? []
      : [
        encodeFollowing(tokenizer, ` ${item.reference ?? item.answers[0]}`)
          .slice(0, maxAnswerTokens),
      ];
    const longest = longestAnswer(`"${name}"`, answers, { choices, maxAnswerTokens });
    // The last token of an answer is not read; <s> is.
    const window = contextTokens - (longest - 1) - 1;
    if (window < 1) {
      throw new InputRangeError(
        `Cannot ask "${name}" as contextTokens must be more than its answer: current values are ${contextTokens} and ` +
          `${longest}; maxAnswerTokens shortens answers`,
      );
    }
    const cut = { bos, contextTokens, chunkTokens }, tokens = tokenizer.encode(context);
    // Of a question that is longer than the window the beginning is read, too.
    const { reading, rest } = ids.length <= window
      ? cutText(tokens, { ...cut, room: window - ids.length })
      : cutText([...tokens, ...ids], { ...cut, room: window });
    const end = ids.length <= window ? ids : [];
    return { item, reading, prompt: [bos, ...rest, ...end], answers };
  });
}

/**
 * Asks all items of a model.
 *
 * @returns A record for each, in their order: `item`, `task`, `tasks` (how many there are), `score` or
 * `containment`, `nats` of the reference or of the right choice and its `tokens`, and either `prediction` or `choice` and
 * `choiceNats`. Of what only a judge could score it has the prediction alone.
 */
export async function askItems(
  model: PromptedModel,
  written: readonly WrittenItem[],
  { tokenizer, stop, ...asking }:
    & { tokenizer: Tokenizer; stop: AnswerEnd }
    & Parameters<typeof askAndContinue>[2],
): Promise<SampleRecord[]> {
  const { bos, eos } = tokenizer.specialIds, texts = new TokenTexts(tokenizer);
  const answered = await askAndContinue(
    model,
    written.map(({ item, reading, prompt, answers }) => ({
      name: item.name,
      reading,
      prompts: answerPrompts(item.name, prompt, answers),
      continued: item.choices ? [] : [{
        tokens: Int32Array.from(prompt),
        maxTokens: item.maxAnswerTokens,
        ends(tokens) {
          const last = tokens.at(-1);
          if (last === bos || last === eos) return true;
          const text = texts.decode(tokens);
          return item.isDone(text) || (stop === "line" && lineEnd.test(text));
        },
      }],
    })),
    asking,
  );
  const tasks = countTasks(written.map(({ item }) => item));
  return written.map(({ item, answers }, i): SampleRecord => {
    const { scores, continued } = answered[i], nats = natsOf(scores);
    const common = { ...namesOf(item), tasks, answers: item.answers.join(" | ") };
    if (item.choices) {
      const { choice, right, isRight } = chooseLikeliest(item.choices, item.answers[0], nats);
      return {
        ...common,
        choice,
        score: Number(isRight),
        choiceNats: nats,
        nats: nats[right],
        tokens: answers[right].length,
      };
    }
    const text = texts.decode(continued[0]);
    const prediction = stop === "line" ? text.split(lineEnd)[0] : text;
    const written = { ...common, prediction, ...item.submitted?.(prediction) };
    if (item.scoredBy === "judge") return written;
    return {
      ...written,
      [item.scoredBy === "judge or words" ? "containment" : "score"]: item.score(prediction),
      ...(item.f1 && { f1: item.f1(prediction) }),
      nats: nats[0],
      tokens: answers[0].length,
    };
  });
}

/** A line break behind something that is not white space. */
const lineEnd = /(?<=\S[^\r\n]*)[\r\n]/;

/** Records of answers drawn at random, of the items whose scores are known. */
export function chanceRecords(items: readonly BenchmarkItem[]): SampleRecord[] {
  const tasks = countTasks(items);
  return items.flatMap((item) =>
    item.chance === undefined ? [] : [{ ...namesOf(item), tasks, score: item.chance }]
  );
}

function namesOf({ name, task, length, cluster }: BenchmarkItem) {
  return defined({ item: name, cluster, task, length });
}

/** Number of the tasks that are scored here. */
function countTasks(items: readonly Pick<BenchmarkItem, "task" | "scoredBy">[]): number {
  return new Set(items.filter(({ scoredBy }) => scoredBy !== "judge").map(({ task }) => task)).size;
}

/** The items of an evaluation, as its models are asked them. */
export function benchmarkItems(
  evaluation: Pick<ModelEvaluation, "name" | "batchSize" | "contextTokens" | "memory"> & {
    readonly stop: AnswerEnd;
  },
  items: readonly BenchmarkItem[],
  { tokenizer, total }: {
    readonly tokenizer: Tokenizer;
    /** Items there are; absent: these. */
    readonly total?: number;
  },
): PromptedItems {
  const written = writeItems(items, {
    ...evaluation,
    tokenizer,
    chunkTokens: evaluation.memory?.chunkTokens ?? 1,
  });
  const random = chanceRecords(items);
  return {
    score: (model, scoring) =>
      askItems(model, written, {
        ...onceReadOptions(evaluation, scoring),
        tokenizer,
        stop: evaluation.stop,
      }),
    texts: written.map(({ item: { name }, reading }) => ({ name, ...readableText(reading) })),
    ...(random.length > 0 && { withoutModel: { [chance]: random } }),
    ...(total !== undefined && total > items.length && { total: () => total }),
  };
}

/** A record as metrics need it. */
export const benchmarkRecord = z.looseObject({
  item: z.string(),
  task: z.string(),
  tasks: z.number(),
  length: z.union([z.number(), z.string()]).exactOptional(),
  cluster: z.string().exactOptional(),
  score: z.number().exactOptional(),
  containment: z.number().exactOptional(),
  f1: z.number().exactOptional(),
  nats: z.number().exactOptional(),
  tokens: z.number().exactOptional(),
});
export type BenchmarkRecord = z.infer<typeof benchmarkRecord>;

type Point = { readonly task?: string; readonly length?: number | string };

/** The measures: a numerator and a denominator of each record that has it. */
const measured: Readonly<
  Record<string, (record: BenchmarkRecord) => readonly [number, number] | undefined>
> = {
  "score": ({ score }) => score === undefined ? undefined : [score, 1],
  "containment": ({ containment }) => containment === undefined ? undefined : [containment, 1],
  "F1": ({ f1 }) => f1 === undefined ? undefined : [f1, 1],
  "log-likelihood": ({ nats, tokens }) =>
    nats === undefined || tokens === undefined ? undefined : [-nats, tokens],
};

/**
 * Measures of one model: "score", the official one, or where there is none "containment"; where there is one "F1"; and the
 * "log-likelihood" of a token of a right answer;
 * of each length ("score at 4096"), the mean over tasks of equal weight, and of each task ("score of vt at 4096"), as far as
 * there are several. n counts items.
 */
export function benchmarkMeasures(records: readonly BenchmarkRecord[]): Measure[] {
  const points = pointsOf(records);
  return Object.entries(measured).flatMap(([measure, sumsOf]) =>
    points.flatMap(({ task, length }): Measure[] => {
      const scored = records.flatMap((record) => {
        const sums = sumsOf(record);
        const counts = [undefined, record.task].includes(task) &&
          [undefined, record.length].includes(length);
        return sums && counts ? [{ ...record, sums }] : [];
      });
      const byTask = Map.groupBy(scored, ({ task }) => task);
      const tasks = Math.max(0, ...scored.map(({ tasks }) => tasks));
      // A mean over some of the tasks would stand beside means over all.
      if (scored.length === 0 || (task === undefined && byTask.size < tasks)) return [];
      const ofTask = new Map(
        [...byTask].map(([task, all]) => [task, all.reduce((sum, { sums }) => sum + sums[1], 0)]),
      );
      const weigh = (task: string, sum: number) =>
        sum * (byTask.size === 1 ? 1 : 1 / ofTask.get(task)!);
      const at = defined({ task, length });
      const name = measure + (task === undefined ? "" : ` of ${task}`) +
        (length === undefined ? "" : ` at ${length}`);
      return [{
        measure,
        ...(Object.keys(at).length > 0 && { at }),
        name,
        ...(measure === "log-likelihood" && { unit: "nats/token" }),
        sums: sumsOver(scored, {
          unit: "questions",
          numerator: ({ task, sums }) => weigh(task, sums[0]),
          denominator: ({ task, sums }) => weigh(task, sums[1]),
          clusters: "texts",
        }),
        // Of tasks tables compare models without.
        ...(task === undefined && { differences: [differenceOf(name)] }),
      }];
    })
  );
}

/** Points of the metrics: all tasks of each length, and each task of it; where there are several lengths, all tasks of all. */
function pointsOf(records: readonly BenchmarkRecord[]): Point[] {
  const tasks = [...new Set(records.map(({ task }) => task))];
  const lengths = [...new Set(records.flatMap(({ length }) => length ?? []))];
  if (lengths.every((length) => typeof length === "number")) lengths.sort((a, b) => a - b);
  const ofTasks = (at: Point) => [
    at,
    ...(records.some(({ tasks }) => tasks > 1) ? tasks.map((task) => ({ task, ...at })) : []),
  ];
  return lengths.length === 0
    ? ofTasks({})
    : [...lengths.flatMap((length) => ofTasks({ length })), ...(lengths.length > 1 ? [{}] : [])];
}

/** The place of a metric of this file in tables: one of means by length, and for each length one by task. */
function benchmarkLabel({ measure, at = {}, over }: MetricKey): MetricLabel {
  const { task, length } = at;
  const quantity = measure === "log-likelihood" ? "log-likelihood of right answers" : measure;
  const what = over === undefined ? quantity : `gain in ${quantity} over ${over}`;
  const common = over !== undefined
    ? { isGain: true as const }
    : measure === "log-likelihood"
    ? {}
    : { isProportion: true as const };
  if (task !== undefined) {
    const where = length === undefined ? "" : ` at length ${length}`;
    return { part: `${what} by task${where}`, header: String(task), ...common };
  }
  return {
    part: `${what} by length`,
    header: length === undefined ? "all" : String(length),
    noun: length === undefined ? what : `${what} at length ${length}`,
    ...common,
    ...(typeof length === "number" && over === undefined && {
      axis: {
        figure: `${measure}-length`,
        label: "length",
        unit: "tokens",
        measure,
      },
    }),
  };
}

/** What kinds of evaluations of benchmarks have in common. */
export const benchmarkKind = {
  readsOnce: true as const,
  withoutModel: [chance],
  version: () => 1,
  record: benchmarkRecord,
  measures: benchmarkMeasures,
  label: benchmarkLabel,
};
