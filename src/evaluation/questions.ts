/**
 * Questions of one's own about texts, from a file of JSON lines: a model reads a text into its memory, and answers. Where a line
 * has choices, the likeliest must be the right one (accuracy); else the answer is written greedily until the line ends, and scored by
 * exact match and F1 as SQuAD's are. For both, the log-likelihood of the right answer is measured.
 *
 * A prompt is `<s>`, the question in its form, and a space with the answer, tokenised apart. As much of the text as has room in
 * the window stands before the question, all that is before is in memory; where a memory holds chunks, the boundary is one of
 * theirs. Texts that are the same are read once.
 */
import { z } from "zod";
import { positiveInteger, text } from "../declaration/fields.ts";
import type { Accepts, Assert } from "../declaration/part.ts";
import { wrong } from "../declaration/problem.ts";
import { InputRangeError } from "../errors.ts";
import type { MetricKey, MetricLabel } from "../results/metric_catalog.ts";
import type { SampleRecord } from "../results/records.ts";
import { type Question, readQuestions } from "../text/questions.ts";
import { cutSegments } from "../text/segments.ts";
import { encodeFollowing, type Tokenizer } from "../text/tokenizer.ts";
import {
  answerPrompts,
  chooseLikeliest,
  endsLine,
  lineOf,
  longestAnswer,
  natsOf,
} from "./answers.ts";
import {
  answerRoomProblems,
  atMost,
  type DeclaredEvaluation,
  evaluationForm,
  type EvaluationKind,
  fillModelEvaluation,
  limitOf,
  type ModelEvaluation,
  onceReadMemory,
  onceReadOptions,
} from "./evaluation_kind.ts";
import { differenceOf, type Measure, sumsOver } from "./measure.ts";
import { spreadEvenly } from "./shared/few_shot.ts";
import { type PromptedModel, readableText } from "./shared/language_model.ts";
import { askAndContinue } from "./shared/prompting.ts";
import { writtenFields } from "./squad.ts";

/** Where a question stands in the form of prompts. */
const place = "{question}";

/** Answers to questions of one's own about texts that are read into memory. */
export interface QuestionsEvaluation extends ModelEvaluation {
  /** Distinguishes it from other kinds of evaluation. */
  readonly kind: "questions";
  /**
   * File of JSON lines, each with `context`, `question`, and `answers`, or `choices` and `answer`; relative to the folder in which the
   * command runs.
   */
  readonly path: string;
  /** Text before the answer, with `{question}` for the question (default "Question: {question}\nAnswer:"). */
  readonly prompt: string;
  /** Tokens of a written answer at most (default 16); every one takes a pass over the whole prompt. */
  readonly maxAnswerTokens: number;
  /** Asks so many questions at most, evenly spaced. */
  readonly maxItems?: number;
}

/** The same as declared. */
export type QuestionsDeclaration = DeclaredEvaluation<QuestionsEvaluation, "kind" | "path">;

const form = evaluationForm("questions", () => ({
  path: text,
  prompt: text.exactOptional(),
  maxAnswerTokens: positiveInteger.exactOptional(),
  maxItems: positiveInteger.exactOptional(),
}));
type _FormAcceptsTheType = Assert<Accepts<ReturnType<typeof form>, QuestionsDeclaration>>;

/** A question as token ids. */
export interface AskedQuestion {
  readonly question: Question;
  /** The end of its text, and the question. */
  readonly prompt: readonly number[];
  /** The right answer; or the choices, in their order. */
  readonly answers: readonly (readonly number[])[];
}

export interface QuestionText {
  /** Segments that are read into memory. */
  readonly reading: readonly Int32Array[];
  readonly asked: readonly AskedQuestion[];
}

/**
 * Cuts a text into its beginning, which is read into memory in segments of T tokens of which the last may be shorter, and the rest,
 * which stands in the window: as much as has room behind `<s>`, from a boundary of the memory's chunks on. `<s>` begins the text.
 *
 * @param options `room`: tokens of the text that a window has room for.
 */
export function cutText(
  tokens: readonly number[],
  { room, bos, contextTokens, chunkTokens }: {
    readonly room: number;
    readonly bos: number;
    readonly contextTokens: number;
    readonly chunkTokens: number;
  },
): { readonly reading: Int32Array[]; readonly rest: readonly number[] } {
  const whole = [bos, ...tokens];
  const overflow = tokens.length > room ? whole.length - room : 0;
  const boundary = Math.min(whole.length, Math.ceil(overflow / chunkTokens) * chunkTokens);
  return {
    reading: cutSegments(whole.slice(0, boundary), contextTokens),
    rest: boundary === 0 ? tokens : whole.slice(boundary),
  };
}

/**
 * Writes the texts and the prompts as tokens.
 *
 * @param options `chunkTokens`: tokens of a chunk of the memory (1 without one).
 * @throws {RangeError} If a question has no room in the window with its answer, or two of its choices have the same tokens.
 */
export function writeQuestions(
  questions: readonly Question[],
  { tokenizer, prompt: form, contextTokens: T, maxAnswerTokens, chunkTokens }: {
    tokenizer: Tokenizer;
    prompt: string;
    contextTokens: number;
    maxAnswerTokens: number;
    chunkTokens: number;
  },
): QuestionText[] {
  const { bos } = tokenizer.specialIds;
  return [...Map.groupBy(questions, ({ context }) => context)].map(([context, ofText]) => {
    const encode = (text: string) =>
      context === "" ? tokenizer.encode(text) : encodeFollowing(tokenizer, text);
    const prepared = ofText.map((question) => ({
      question,
      ids: encode(form.replaceAll(place, () => question.question)),
      answers: (question.choices ?? question.answers.slice(0, 1)).map((answer) =>
        encodeFollowing(tokenizer, ` ${answer}`)
      ),
    }));
    const rooms = prepared.map(({ question, ids, answers }) => {
      const { id, choices } = question;
      const longest = longestAnswer(`question "${id}"`, answers, { choices, maxAnswerTokens });
      // The last token of an answer is not read; <s> is.
      const room = T - (longest - 1) - ids.length - 1;
      if (room < 0) {
        throw new InputRangeError(
          `Cannot ask question "${id}" as it must fit contextTokens with its answer: current values are ` +
            `${ids.length + 1} tokens, ${longest} of the answer, and ${T}`,
        );
      }
      return room;
    });
    const { reading, rest } = cutText(tokenizer.encode(context), {
      room: Math.min(...rooms),
      bos,
      contextTokens: T,
      chunkTokens,
    });
    return {
      reading,
      asked: prepared.map(({ question, ids, answers }) => ({
        question,
        prompt: [bos, ...rest, ...ids],
        answers,
      })),
    };
  });
}

/**
 * Asks all questions of a model.
 *
 * @returns A record for each, texts and questions in their order: `item`, `cluster`, `nats` of the right answer, and
 * either `prediction`, `exactMatch` and `f1`, or `choice`, `correct` and the `choiceNats` of all.
 */
export async function askOwnQuestions(
  model: PromptedModel,
  texts: readonly QuestionText[],
  { tokenizer, maxAnswerTokens, ...asking }:
    & { tokenizer: Tokenizer; maxAnswerTokens: number }
    & Parameters<typeof askAndContinue>[2],
): Promise<SampleRecord[]> {
  const answered = await askAndContinue(
    model,
    texts.map(({ reading, asked }) => ({
      reading,
      prompts: asked.flatMap(({ question, prompt, answers }) =>
        answerPrompts(question.id, prompt, answers)
      ),
      continued: asked.filter(({ question }) => !question.choices).map(({ prompt }) => ({
        tokens: Int32Array.from(prompt),
        maxTokens: maxAnswerTokens,
        ends: endsLine(tokenizer),
      })),
    })),
    asking,
  );
  return texts.flatMap(({ asked }, i) => {
    const { scores, continued } = answered[i];
    let first = 0, written = 0;
    return asked.map(({ question, answers }) => {
      const nats = natsOf(scores.slice(first, first += answers.length));
      const { id: item, cluster = `text ${i + 1}`, answers: gold, choices } = question;
      if (!choices) {
        const prediction = lineOf(tokenizer, continued[written++]);
        return { item, cluster, ...writtenFields(prediction, gold), nats: nats[0] };
      }
      const { choice, right, isRight } = chooseLikeliest(choices, gold[0], nats);
      return {
        item,
        cluster,
        answers: gold[0],
        choice,
        correct: isRight,
        choiceNats: nats,
        nats: nats[right],
      };
    });
  });
}

/** A record as metrics need it. */
export const questionRecord = z.looseObject({
  item: z.string(),
  cluster: z.string(),
  nats: z.number(),
  exactMatch: z.boolean().exactOptional(),
  f1: z.number().exactOptional(),
  correct: z.boolean().exactOptional(),
});

type QuestionRecord = z.infer<typeof questionRecord>;

/** The measures, each with the records it applies to. */
const scoresOf: Readonly<Record<string, (record: QuestionRecord) => number | undefined>> = {
  "exact match": ({ exactMatch }) => exactMatch === undefined ? undefined : Number(exactMatch),
  "F1": ({ f1 }) => f1,
  "accuracy": ({ correct }) => correct === undefined ? undefined : Number(correct),
  "log-likelihood": ({ nats }) => -nats,
};

/** Measures of one model: of written answers exact match and F1, of choices accuracy, of all log-likelihood. */
export function questionMeasures(records: readonly QuestionRecord[]): Measure[] {
  return Object.entries(scoresOf).flatMap(([measure, scoreOf]): Measure[] => {
    const scored = records.filter((record) => scoreOf(record) !== undefined);
    if (scored.length === 0) return [];
    return [{
      measure,
      name: measure,
      ...(measure === "log-likelihood" && { unit: "nats" }),
      sums: sumsOver(scored, {
        unit: "questions",
        numerator: (record) => scoreOf(record)!,
        clusters: "texts",
      }),
      differences: [differenceOf(measure)],
    }];
  });
}

function questionLabel({ measure, over }: MetricKey): MetricLabel {
  const isLikelihood = measure === "log-likelihood";
  return over === undefined
    ? {
      part: "",
      header: measure,
      ...(isLikelihood ? { meaning: "of the right answer, in nats" } : { isProportion: true }),
    }
    : { part: "", header: `gain in ${measure}`, meaning: `over ${over}`, isGain: true };
}

export const questions: EvaluationKind<QuestionsDeclaration, QuestionsEvaluation, QuestionRecord> =
  {
    schema: form,
    fill: (declared, from) => ({
      name: declared.kind,
      prompt: `Question: ${place}\nAnswer:`,
      maxAnswerTokens: 16,
      ...fillModelEvaluation(declared, from, onceReadMemory),
    }),
    check(evaluation, path) {
      const { prompt } = evaluation;
      return [
        ...(prompt.includes(place)
          ? []
          : [wrong(`${path}.prompt`, `must contain ${place}`, prompt, `texts with ${place}`)]),
        ...answerRoomProblems(evaluation, path),
      ];
    },
    readsOnce: true,
    limit: limitOf("maxItems"),
    describe: ({ maxItems, path }) => `${atMost(maxItems, "questions")} of ${path}`,
    files: ({ path }) => [{ field: "path", path }],
    async prepare(evaluation, { texts: { tokenizer }, recordHash }) {
      const { path, maxItems, memory } = evaluation;
      const data = await readQuestions(path);
      await recordHash("questions", data.hash);
      const chunkTokens = memory?.chunkTokens ?? 1;
      const asked = spreadEvenly(data.questions, maxItems);
      const texts = writeQuestions(asked, { ...evaluation, tokenizer, chunkTokens });
      const { maxAnswerTokens } = evaluation;
      return {
        score: (model, scoring) =>
          askOwnQuestions(model, texts, {
            ...onceReadOptions(evaluation, scoring),
            tokenizer,
            maxAnswerTokens,
          }),
        texts: texts.map(({ reading }, i) => ({ name: `text ${i + 1}`, ...readableText(reading) })),
        ...(asked.length < data.questions.length && { total: () => data.questions.length }),
      };
    },
    version: () => 1,
    record: questionRecord,
    measures: questionMeasures,
    label: questionLabel,
  };
