/**
 * SQuAD as open-ended generation (the paper's Table 5): a model reads questions with their answers into its memory, sees
 * others before a question, and writes the answer. Version 3: errors by the jackknife, over effective items or clusters
 * (2: white space as Python defines it).
 *
 * The official script was not released; what follows is ours, in the manner of the one for labelled sentences. An example
 * is `Context: CONTEXT Question: QUESTION Answer: ANSWER`, white space made single spaces, tokenised alone between `<s>` and
 * `</s>`; the question that is asked ends at `Answer:`. Demonstrations are drawn from other articles than the questions, one
 * question of a paragraph at most, and none is both in memory and before the question. Where a prompt has no room in the
 * window, the first demonstrations before it are left out; records say how many are left. The answer is continued greedily
 * until a line ends, `<s>` or `</s>`, and is scored by exact match and F1 as the official evaluation of SQuAD 1.1 does.
 */
import { z } from "zod";
import type { SampleRecord } from "../results/records.ts";
import { Random } from "../random.ts";
import { splitPython } from "../text/python_space.ts";
import { cutSegments } from "../text/segments.ts";
import {
  readSquad,
  type SquadData,
  squadFiles,
  type SquadParagraph,
  type SquadQuestion,
} from "../text/squad.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { nonNegativeInteger, oneOf, positiveInteger, seeds, text } from "../declaration/fields.ts";
import type { Accepts, Assert } from "../declaration/part.ts";
import { repetitions, wrong } from "../declaration/problem.ts";
import { isThere } from "../files.ts";
import { chronicleOf } from "../text/corpora/corpora.ts";
import { endsLine, lineOf } from "./answers.ts";
import {
  answerRoomProblems,
  atMost,
  controlProblems,
  type DeclaredEvaluation,
  evaluationForm,
  type EvaluationKind,
  fillModelEvaluation,
  limitOf,
  type ModelEvaluation,
  onceReadMemory,
  onceReadOptions,
} from "./evaluation_kind.ts";
import type { Measure } from "./measure.ts";
import { drawnLabel, drawnMeasures, drawnRecord, totalOfDraws } from "./shared/few_shot_metrics.ts";
import { drawSeeds, type Episode, spreadEvenly } from "./shared/few_shot.ts";
import type { PromptedModel } from "./shared/language_model.ts";
import { askAndContinue, type PromptOptions } from "./shared/prompting.ts";
import { InputRangeError } from "../errors.ts";

/** Name of the task in records. */
const squadTask = "squad";

/** A question that is asked. */
export interface SquadQuery {
  /** Id of the question. */
  readonly item: string;
  readonly article: string;
  /** Token ids: demonstrations, and the question up to "Answer:". */
  readonly prompt: Int32Array;
  /** Demonstrations before the question, as many as have room. */
  readonly shots: number;
  readonly answers: readonly string[];
}

export interface SquadEpisodeOptions extends
  Pick<
    SquadEvaluation,
    "shots" | "memoryDemonstrations" | "contextTokens" | "maxAnswerTokens" | "maxItems"
  > {
  readonly tokenizer: Tokenizer;
  readonly seed: number;
}

/**
 * Draws demonstrations and writes the memory and the prompts.
 *
 * @throws {RangeError} If there are too few paragraphs to draw from, or a question alone is too long for the window.
 */
export function writeSquadEpisode(
  data: Pick<SquadData, "demonstrations" | "evaluated">,
  options: SquadEpisodeOptions,
): Episode<SquadQuery> {
  const { tokenizer, seed, contextTokens, maxAnswerTokens } = options;
  const { bos, eos } = tokenizer.specialIds;
  const { context, memory } = drawDemonstrations(data.demonstrations, options);
  const demonstrationTokens = ({ paragraph, question }: Shown) => {
    const text = `${formatQuestion(paragraph, question)} ${oneLine(question.answers[0])}`;
    return [bos, ...tokenizer.encode(text), eos];
  };
  const before = context.map(demonstrationTokens);
  const asked = data.evaluated.flatMap((paragraph) =>
    paragraph.questions.map((question) => ({ paragraph, question }))
  );
  const queries = spreadEvenly(asked, options.maxItems).map(({ paragraph, question }) => {
    const query = [bos, ...tokenizer.encode(formatQuestion(paragraph, question))];
    // The last token of an answer is not read.
    const room = contextTokens - (maxAnswerTokens - 1);
    if (query.length > room) {
      throw new InputRangeError(
        `Cannot ask question "${question.id}" as it must fit contextTokens with its answer: current values are ` +
          `${query.length} tokens, ${maxAnswerTokens} of the answer, and ${contextTokens}`,
      );
    }
    const fitting = [...before];
    while (fitting.flat().length + query.length > room) fitting.shift();
    return {
      item: question.id,
      article: paragraph.title,
      prompt: Int32Array.from([...fitting.flat(), ...query]),
      shots: fitting.length,
      answers: question.answers,
    };
  });
  return {
    task: squadTask,
    seed,
    memory: cutSegments(memory.flatMap(demonstrationTokens), contextTokens),
    queries,
  };
}

/** A question that is shown with its answer. */
interface Shown {
  readonly paragraph: SquadParagraph;
  readonly question: SquadQuestion;
}

function drawDemonstrations(
  paragraphs: readonly SquadParagraph[],
  { seed, shots, memoryDemonstrations }: SquadEpisodeOptions,
): { context: Shown[]; memory: Shown[] } {
  if (shots + memoryDemonstrations > paragraphs.length) {
    throw new InputRangeError(
      `Cannot draw demonstrations of SQuAD as shots and memoryDemonstrations must not exceed the ${paragraphs.length} ` +
        `paragraphs that there are: current values are ${shots} and ${memoryDemonstrations}`,
    );
  }
  const random = new Random(`${seed}/squad/demonstrations`);
  const order = random.shuffle(paragraphs.map((paragraph): Shown => ({
    paragraph,
    question: paragraph.questions[random.below(paragraph.questions.length)],
  })));
  // From both ends, so that neither part depends on the size of the other.
  return {
    context: order.slice(order.length - shots),
    memory: order.slice(0, memoryDemonstrations),
  };
}

function formatQuestion({ context }: SquadParagraph, { question }: SquadQuestion): string {
  return `Context: ${oneLine(context)} Question: ${oneLine(question)} Answer:`;
}

function oneLine(text: string): string {
  return splitPython(text).join(" ");
}

export interface AskQuestionsOptions
  extends Omit<PromptOptions, "memory">, Pick<SquadEvaluation, "maxAnswerTokens" | "clusters"> {
  readonly tokenizer: Tokenizer;
}

/**
 * Asks all questions of all episodes.
 *
 * @returns A record for each question, episodes and questions in their order: `item`, `task`, `seed`, `answers`,
 * `prediction`, `exactMatch`, `f1`, and the `shots` before it; where articles are clusters, `cluster`, too.
 */
export async function askQuestions(
  model: PromptedModel,
  episodes: readonly Episode<SquadQuery>[],
  options: AskQuestionsOptions,
): Promise<SampleRecord[]> {
  const { tokenizer, maxAnswerTokens, clusters, ...asking } = options;
  const ends = endsLine(tokenizer);
  const answers = await askAndContinue(
    model,
    episodes.map(({ task, seed, memory, queries }) => ({
      name: `${task} seed ${seed}`,
      reading: memory,
      prompts: [],
      continued: queries.map(({ prompt }) => ({
        tokens: prompt,
        maxTokens: maxAnswerTokens,
        ends,
      })),
    })),
    asking,
  );
  return episodes.flatMap(({ task, seed, queries }, i) =>
    queries.map(({ item, article, answers: gold, shots }, j) => {
      const prediction = lineOf(tokenizer, answers[i].continued[j]);
      return {
        item,
        ...(clusters && { cluster: article }),
        task,
        seed,
        ...writtenFields(prediction, gold),
        shots,
      };
    })
  );
}

/** Fields of the record of a written answer. */
export function writtenFields(prediction: string, gold: readonly string[]) {
  return {
    answers: gold.join(" | "),
    prediction,
    exactMatch: exactMatch(prediction, gold),
    f1: f1(prediction, gold),
  };
}

/** ASCII punctuation, as Python's `string.punctuation`. */
const punctuation = /[!-/:-@[-`{-~]/g;
/** Articles between Python's word boundaries, which know letters and digits of all scripts. */
const articles = /(?<![\p{L}\p{N}_])(?:a|an|the)(?![\p{L}\p{N}_])/gu;

/** An answer as the official evaluation compares it: lower case, without punctuation, articles and surplus white space. */
export function normalizeAnswer(answer: string): string {
  return splitPython(answer.toLowerCase().replace(punctuation, "").replace(articles, " "))
    .join(" ");
}

/** Whether an answer is one of the right ones, normalised. */
export function exactMatch(answer: string, gold: readonly string[]): boolean {
  const normalized = normalizeAnswer(answer);
  return gold.some((right) => normalizeAnswer(right) === normalized);
}

/** The best harmonic mean of precision and recall of an answer's words, of those with each right answer. */
export function f1(answer: string, gold: readonly string[]): number {
  return Math.max(...gold.map((right) => wordOverlap(wordsOf(answer), wordsOf(right))));
}

function wordsOf(answer: string): string[] {
  return normalizeAnswer(answer).split(" ").filter((word) => word !== "");
}

function wordOverlap(words: readonly string[], right: readonly string[]): number {
  const left = [...right];
  let common = 0;
  for (const word of words) {
    const i = left.indexOf(word);
    if (i < 0) continue;
    left.splice(i, 1);
    common++;
  }
  return common === 0 ? 0 : 2 * common / (words.length + right.length);
}

/** A record as metrics need it. */
export const squadRecord = drawnRecord.extend({ exactMatch: z.boolean(), f1: z.number() });

/** Measures of one model: exact match and F1, over draws of demonstrations. */
export function squadMeasures(records: readonly z.infer<typeof squadRecord>[]): Measure[] {
  return drawnMeasures(records, {
    scores: { "exact match": ({ exactMatch }) => Number(exactMatch), F1: ({ f1 }) => f1 },
    namesTasks: false,
    draw: "seed",
  });
}

/**
 * Whether a model answers questions of SQuAD 1.1 in its own words, having read others with their answers into its memory.
 * Demonstrations and evaluated questions come from different articles.
 */
export interface SquadEvaluation extends ModelEvaluation {
  /** Distinguishes it from other kinds of evaluation. */
  readonly kind: "squad";
  /**
   * Folder of `dev-v1.1.json` or `dev-v1.1.json.gz`, and of `dev-article-split.json` where the parts are not to be drawn;
   * relative to the folder in which the command runs.
   */
  readonly folder: string;
  /** Seeds, each of a draw of demonstrations (default 1 to 6). */
  readonly seeds: readonly number[];
  /** Questions with answers before each question (default 3); the first are left out where they have no room. */
  readonly shots: number;
  /** Questions with answers that are read into the memory (default 200). */
  readonly memoryDemonstrations: number;
  /** Tokens of an answer at most (default 16); every one takes a pass over the whole prompt. */
  readonly maxAnswerTokens: number;
  /** Asks so many questions at most, evenly spaced. */
  readonly maxItems?: number;
  /**
   * Takes the questions about one article for a cluster, which records name, and over which errors over questions are computed. Absent,
   * as it was: questions count as independent.
   */
  readonly clusters?: "articles";
}

/** The same as declared. */
export type SquadDeclaration = DeclaredEvaluation<SquadEvaluation, "kind" | "folder">;

const form = evaluationForm("squad", () => ({
  folder: text,
  seeds: seeds.exactOptional(),
  shots: nonNegativeInteger.exactOptional(),
  memoryDemonstrations: nonNegativeInteger.exactOptional(),
  maxAnswerTokens: positiveInteger.exactOptional(),
  maxItems: positiveInteger.exactOptional(),
  clusters: oneOf("articles").exactOptional(),
}));
type _FormAcceptsTheType = Assert<Accepts<ReturnType<typeof form>, SquadDeclaration>>;

export const squad: EvaluationKind<SquadDeclaration, SquadEvaluation, z.infer<typeof squadRecord>> =
  {
    schema: form,
    fill: (declared, from) => ({
      name: declared.kind,
      seeds: drawSeeds,
      // As many demonstrations as the paper has.
      shots: 3,
      memoryDemonstrations: 200,
      maxAnswerTokens: 16,
      ...fillModelEvaluation(declared, from, onceReadMemory),
    }),
    check(evaluation, path, { corpus }) {
      return [
        ...repetitions(evaluation.seeds, `${path}.seeds`, "seeds"),
        ...(chronicleOf(corpus)
          ? [wrong(
            `${path}.kind`,
            `must not be "squad" where corpus.kind is "${corpus.kind}", which has other words`,
            "squad",
            "other evaluations, or a corpus whose kind is files or none",
          )]
          : []),
        ...controlProblems(evaluation, path, {
          rule: "reads the demonstrations of another task, and SQuAD is a single one",
          allowed: "",
        }),
        ...answerRoomProblems(evaluation, path),
      ];
    },
    readsOnce: true,
    limit: limitOf("maxItems"),
    describe: ({ maxItems, seeds }) => `${atMost(maxItems, "questions")}, ${seeds.length} seeds`,
    async files({ folder }) {
      const path = `${folder}/${squadFiles.questions}`;
      const wanted = !await isThere(folder)
        ? folder
        : await isThere(`${path}.gz`)
        ? `${path}.gz`
        : path;
      const field = "folder";
      return [
        { field, path: wanted },
        { field, path: `${folder}/${squadFiles.split}`, optional: true },
      ];
    },
    async prepare(evaluation, { texts: { tokenizer }, recordHash }) {
      const { folder, seeds, maxItems, maxAnswerTokens, clusters } = evaluation;
      const data = await readSquad(folder);
      await recordHash("squad", data.hash);
      const episodes = seeds.map((seed) =>
        writeSquadEpisode(data, { ...evaluation, tokenizer, seed })
      );
      const questions = data.evaluated.reduce((sum, { questions }) => sum + questions.length, 0);
      return {
        score: (model, scoring) =>
          askQuestions(model, episodes, {
            ...onceReadOptions(evaluation, scoring),
            tokenizer,
            maxAnswerTokens,
            ...(clusters && { clusters }),
          }),
        ...((maxItems ?? questions) < questions && {
          total: (measure) => totalOfDraws(measure, () => questions),
        }),
      };
    },
    version: () => 3,
    record: squadRecord,
    measures: squadMeasures,
    label: drawnLabel,
  };
