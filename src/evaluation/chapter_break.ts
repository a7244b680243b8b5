/**
 * ChapterBreak (the paper's Table 3): which of six texts begins the next chapter? A model reads what comes before the break and is
 * asked for the likelihood of each candidate, the right one and five others of the same work.
 *
 * Of the text before the break the last `prefixTokens` count. Of these, the last tokens are the local context, which stands
 * before each candidate: as many as leave the longest candidate of the item room in a window of `contextTokens`. What lies
 * before the local context, and only that, is read into memory: in segments of `contextTokens` of which the last ends where the
 * local context begins, so that the oldest tokens, fewer than a segment, are left out. Where the memory holds fewer
 * tokens than are read, the oldest leave it. Memory is empty where an item begins, and read-only while candidates are scored.
 *
 * Candidates are cut on the right to `suffixTokens`; where they are scored by the sum over their tokens, to the shortest of the
 * item's, too, since a longer text is less likely. A candidate's score is the log-likelihood of its tokens, or the mean of
 * a token. An item is correct if no other candidate scores better than the right one; where ties count as wrong, nor as well.
 *
 * Accuracy is correct / items. Items of one work are not independent of each other, so that standard errors are
 * those of a ratio of sums over works. Version 2: errors by the jackknife, over effective items or clusters.
 */
import { z } from "zod";
import type { MetricKey, MetricLabel } from "../results/metric_catalog.ts";
import type { SampleRecord } from "../results/records.ts";
import type { EvaluationKind } from "./evaluation_kind.ts";
import { differenceOfSums, type Measure, sumOver } from "./measure.ts";
import {
  type PromptedModel,
  type ReadableDocument,
  readableText,
} from "./shared/language_model.ts";
import { askPrompts, type PromptedItem, type PromptOptions } from "./shared/prompting.ts";
import { InputRangeError } from "../errors.ts";

/** Version of the metrics of this file. */
export const chapterBreakVersion = 2;

/** How candidates are compared. */
export interface ChapterBreakScoring {
  /** Whether a candidate's score is the log-likelihood of all its tokens, or of a token on average. */
  readonly scoring: "sum" | "per-token";
  /** Whether an item is correct where a wrong candidate scores exactly as the right one. */
  readonly ties: "wrong" | "right";
}

/** How items are asked. */
export interface ChapterBreakProtocol extends ChapterBreakScoring {
  /** Tokens before the break that count; each is a question of its own. */
  readonly prefixTokens: readonly number[];
  /** Tokens of a candidate at most. */
  readonly suffixTokens: number;
  /** Tokens of the window, and of the segments that are read. */
  readonly contextTokens: number;
}

/** An item as token ids. */
export interface ChapterBreakItem {
  /** Name of the item, in all works. */
  readonly name: string;
  /** Name of its work. */
  readonly work: string;
  /** Tokens before the break: at least as many as count, if there are as many. */
  readonly prefix: Int32Array;
  /** The candidates, the right one first. */
  readonly candidates: readonly Int32Array[];
}

/** An item as it is asked with some number of prefix tokens. */
export interface ChapterBreakQuestion extends PromptedItem {
  readonly item: ChapterBreakItem;
  /** Tokens before the break that were to count. */
  readonly prefixTokens: number;
}

/** What a model said of a question. */
export interface ChapterBreakScore {
  readonly question: ChapterBreakQuestion;
  /** Score of each candidate, higher for a more likely one; the right one's first. */
  readonly scores: readonly number[];
  /** Rank of the right candidate, from 1; 1 is correct. */
  readonly rank: number;
}

/**
 * Makes the questions of all items: all with the first number of prefix tokens, then all with the next.
 *
 * @throws {RangeError} If a window has no room for a token before a candidate, or there is none.
 */
export function chapterBreakQuestions(
  items: readonly ChapterBreakItem[],
  protocol: ChapterBreakProtocol,
): ChapterBreakQuestion[] {
  return protocol.prefixTokens.flatMap((prefixTokens) =>
    items.map((item) => questionOf(item, { ...protocol, prefixTokens }))
  );
}

function questionOf(
  item: ChapterBreakItem,
  options: Omit<ChapterBreakProtocol, "prefixTokens"> & { readonly prefixTokens: number },
): ChapterBreakQuestion {
  const { prefixTokens, suffixTokens, contextTokens: T, scoring } = options;
  const lengths = item.candidates.map(({ length }) => length);
  const longest = Math.min(
    suffixTokens,
    scoring === "sum" ? Math.min(...lengths) : Math.max(...lengths),
  );
  const prefix = item.prefix.subarray(-prefixTokens);
  const localStart = Math.max(0, prefix.length - (T - longest));
  const local = prefix.subarray(localStart);
  if (longest >= T || local.length === 0 || Math.min(...lengths) === 0) {
    throw new InputRangeError(
      `Cannot ask item "${item.name}" as a window of ${T} tokens must hold a candidate and a token before it: ` +
        `current numbers are ${prefix.length} tokens before the break and candidates of ${
          lengths.join(", ")
        }`,
    );
  }
  const segments = Math.floor(localStart / T), first = localStart - segments * T;
  return {
    name: item.name,
    item,
    prefixTokens,
    reading: Array.from(
      { length: segments },
      (_, i) => prefix.subarray(first + i * T, first + (i + 1) * T),
    ),
    prompts: item.candidates.map((candidate) => {
      const scored = candidate.subarray(0, longest);
      const tokens = new Int32Array(local.length + scored.length);
      tokens.set(local);
      tokens.set(scored, local.length);
      return { tokens, scored: scored.length };
    }),
  };
}

/**
 * What the control reads in the place of each question: the text of a question with as many prefix tokens, of the next work
 * that has one; of the works' questions the one in the same place, so that about as much was told.
 *
 * @throws {RangeError} If a question has a text to read, but there is no other work's.
 */
export function textsOfOtherWorks(
  questions: readonly ChapterBreakQuestion[],
): ReadableDocument[] {
  const byWork = new Map<string, ChapterBreakQuestion[]>();
  const keyOf = ({ item, prefixTokens }: ChapterBreakQuestion) => `${prefixTokens} ${item.work}`;
  for (const question of questions) {
    if (question.reading.length === 0) continue;
    const key = keyOf(question);
    byWork.set(key, [...byWork.get(key) ?? [], question]);
  }
  const works = [...byWork.values()];
  return questions.map((question) => {
    if (question.reading.length === 0) return { segments: [] };
    const own = byWork.get(keyOf(question))!, place = works.indexOf(own);
    const other = [...works.slice(place + 1), ...works.slice(0, place)]
      .find(([{ prefixTokens }]) => prefixTokens === question.prefixTokens);
    if (!other) {
      throw new InputRangeError(
        `Cannot read another work in the place of "${question.item.work}" as there is none: ` +
          "current number of works with a text to read is 1, allowed are 2 and more",
      );
    }
    return readableText(other[own.indexOf(question) % other.length].reading);
  });
}

/** Asks all questions. */
export async function scoreChapterBreak(
  model: PromptedModel,
  questions: readonly ChapterBreakQuestion[],
  { scoring, ties, ...options }: ChapterBreakScoring & PromptOptions,
): Promise<ChapterBreakScore[]> {
  const answers = await askPrompts(model, questions, options);
  return questions.map((question, i) => {
    const scores = answers[i].map(({ nll }) => {
      const nats = nll.reduce((sum, value) => sum + value, 0);
      return -nats / (scoring === "sum" ? 1 : nll.length);
    });
    return { question, scores, rank: rankOfFirst(scores, ties) };
  });
}

/**
 * Rank of the first of some scores, from 1; those that equal it stand before it if ties are wrong.
 *
 * @throws {RangeError} If a score is not a number.
 */
export function rankOfFirst(
  scores: readonly number[],
  ties: ChapterBreakScoring["ties"],
): number {
  if (scores.some(Number.isNaN)) {
    throw new InputRangeError(
      `Cannot rank candidates as a score is not a number: ${scores.join(", ")}`,
    );
  }
  const [right, ...wrong] = scores;
  return 1 + wrong.filter((score) => score > right || (ties === "wrong" && score === right)).length;
}

/** One line for each question, with the scores of all six candidates, the right one's first. */
export function chapterBreakSamples(scores: readonly ChapterBreakScore[]): SampleRecord[] {
  return scores.map(({ question: { item, prefixTokens, reading, prompts }, scores, rank }) => ({
    item: item.name,
    work: item.work,
    prefixTokens,
    readTokens: reading.reduce((sum, { length }) => sum + length, 0),
    localTokens: prompts[0].tokens.length - prompts[0].scored,
    scoredTokens: prompts.map(({ scored }) => scored),
    scores,
    rank,
    correct: rank === 1,
  }));
}

/** A record as metrics need it. */
export const chapterBreakRecord = z.looseObject({
  item: z.string(),
  work: z.string(),
  prefixTokens: z.number(),
  rank: z.number(),
  correct: z.boolean(),
});

/**
 * Measures of one model, each for every number of prefix tokens: accuracy ("accuracy 4096"), the mean rank of the right candidate
 * ("mean rank 4096"), and how much more accurate it is than a baseline, paired by item ("accuracy 4096 over backbone"). Sums
 * are over works; n counts items.
 *
 * @param records Records of the questions, in one order for all models.
 */
export function chapterBreakMeasures(
  records: readonly z.infer<typeof chapterBreakRecord>[],
): Measure[] {
  const byPrefix = Map.groupBy(records, ({ prefixTokens }) => prefixTokens);
  return [...byPrefix].flatMap(([prefixTokens, own]) => {
    const byWork = (numerator: (record: typeof own[number]) => number) => ({
      ...sumOver(own, { of: ({ work }) => work, numerator }),
      unit: "books",
      exponential: false,
    });
    const common = { at: { prefixTokens }, n: own.length };
    return [
      {
        ...common,
        measure: "accuracy",
        name: `accuracy ${prefixTokens}`,
        higherIsBetter: true,
        sums: byWork(({ correct }) => Number(correct)),
        differences: [{
          name: (baseline: string) => `accuracy ${prefixTokens} over ${baseline}`,
          estimate: differenceOfSums,
        }],
      },
      {
        ...common,
        measure: "mean rank",
        name: `mean rank ${prefixTokens}`,
        higherIsBetter: false,
        sums: byWork(({ rank }) => rank),
      },
    ];
  });
}

/** The place of a metric of this file in tables. */
export function chapterBreakLabel({ measure, at, over }: MetricKey): MetricLabel {
  if (at?.prefixTokens === undefined) return { part: "", header: measure };
  const tokens = Number(at.prefixTokens);
  if (measure === "mean rank") {
    return {
      part: "mean rank of the right text, by tokens before the break",
      header: String(tokens),
      axis: {
        figure: "mean-rank",
        label: "text before the break",
        unit: "tokens",
        measure: "mean rank of the right text",
      },
    };
  }
  return over === undefined
    ? {
      part: "",
      header: `accuracy ${tokens}`,
      noun: `accuracy after ${tokens.toLocaleString("en")} tokens`,
      isProportion: true,
    }
    : {
      part: `accuracy more than that of ${over}, by tokens before the break`,
      header: String(tokens),
    };
}

/** The kind of evaluation. */
export const chapterBreak = {
  version: () => chapterBreakVersion,
  record: chapterBreakRecord,
  measures: chapterBreakMeasures,
  label: chapterBreakLabel,
} satisfies EvaluationKind<unknown, z.infer<typeof chapterBreakRecord>>;
