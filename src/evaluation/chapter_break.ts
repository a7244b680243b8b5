/**
 * ChapterBreak (the paper's Table 3): which of six texts begins the next chapter? A model reads the text before the break and
 * computes the likelihood of each candidate, the right one and five others of the same work.
 *
 * Of the text before the break the last `prefixTokens` count. Of these, the last tokens are the local context, which stands
 * before each candidate: as many as leave the longest candidate of the item room in a window of `contextTokens`. The text
 * before the local context, and only that, is read into memory: in segments of `contextTokens` of which the last ends where the
 * local context begins, so that the oldest tokens, fewer than a segment, are left out. Where the memory holds fewer
 * tokens than are read, the oldest leave it. Memory is empty where an item begins, and read-only while candidates are scored.
 *
 * Candidates are cut on the right to `suffixTokens`; where they are scored by the sum over their tokens, to the shortest of the
 * item's, too, since a longer text is less likely. A candidate's score is the log-likelihood of its tokens, or the mean of
 * a token. An item is correct if no other candidate scores better than the right one; where ties count as wrong, nor as well.
 *
 * Accuracy is correct / items. Items of one work are not independent of each other, so that standard errors are
 * those of a ratio of sums over works, or over their clusters where the corpus declares such. Version 2: errors by the jackknife, over effective items or clusters.
 */
import { z } from "zod";
import type { MetricKey, MetricLabel } from "../results/metric_catalog.ts";
import type { SampleRecord } from "../results/records.ts";
import { createHash } from "node:crypto";
import { oneOf, positiveInteger } from "../declaration/fields.ts";
import type { Accepts, Assert } from "../declaration/part.ts";
import { type Problem, repetitions, wrong } from "../declaration/problem.ts";
import type { ByProtocol } from "../declaration/protocol.ts";
import { corpora, type CorpusConfig, treatmentOf } from "../text/corpora/corpora.ts";
import type { Split } from "../text/corpora/corpus_kind.ts";
import { clusterOf } from "../text/corpora/files.ts";
import { joinLines, separatesParagraphs, tokenizeLines } from "../text/document_tokens.ts";
import { concatenate, cutSegments } from "../text/segments.ts";
import {
  type ChapterBreakSource,
  type ChapterBreakSourceDeclaration,
  chapterBreakSources,
  sourceMadeOf,
} from "./chapter_break/sources.ts";
import { natsOf } from "./answers.ts";
import {
  atMost,
  type DeclaredEvaluation,
  evaluationForm,
  type EvaluationInputs,
  type EvaluationKind,
  type EvaluationTexts,
  fillModelEvaluation,
  limitOf,
  type ModelEvaluation,
  promptOptions,
  windowOf,
} from "./evaluation_kind.ts";
import { modelKindOf } from "./models.ts";
import { spreadEvenly } from "./shared/few_shot.ts";
import { differenceOf, type Measure, sumsOver } from "./measure.ts";
import {
  type PromptedModel,
  type ReadableDocument,
  readableText,
} from "./shared/language_model.ts";
import { type ItemText, meanOf, meansOf } from "./shared/other_texts.ts";
import { askPrompts, type PromptedItem, type PromptOptions } from "./shared/prompting.ts";
import { InputRangeError } from "../errors.ts";

/** How items are asked. */
export type ChapterBreakProtocol = Pick<
  ChapterBreakEvaluation,
  "prefixTokens" | "suffixTokens" | "contextTokens" | "scoring" | "ties"
>;

/** An item as token ids. */
export interface ChapterBreakItem {
  /** Name of the item, in all works. */
  readonly name: string;
  readonly work: string;
  /** The cluster of its work, such as the author; absent where the corpus does not say. */
  readonly cluster?: string;
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
  return {
    name: item.name,
    item,
    prefixTokens,
    reading: cutSegments(prefix.subarray(localStart % T, localStart), T),
    prompts: item.candidates.map((candidate) => {
      const scored = candidate.subarray(0, longest);
      return { tokens: concatenate([local, scored]), scored: scored.length };
    }),
  };
}

/**
 * Texts that the control reads in place of each question's: the text of a question with as many prefix tokens, of the next work
 * that has one, of another cluster where works have such; of the works' questions the one in the same place, so that about as
 * much was told.
 *
 * @throws {RangeError} If a question has a text to read, but there is no other work's.
 */
export function textsOfOtherWorks(
  questions: readonly ChapterBreakQuestion[],
): ReadableDocument[] {
  const keyOf = ({ item, prefixTokens }: ChapterBreakQuestion) => `${prefixTokens} ${item.work}`;
  const byWork = Map.groupBy(questions.filter(({ reading }) => reading.length > 0), keyOf);
  const works = [...byWork.values()];
  return questions.map((question) => {
    if (question.reading.length === 0) return { segments: [] };
    const own = byWork.get(keyOf(question))!, place = works.indexOf(own);
    const other = [...works.slice(place + 1), ...works.slice(0, place)]
      .find(([{ prefixTokens, item }]) =>
        prefixTokens === question.prefixTokens &&
        (item.cluster === undefined || item.cluster !== question.item.cluster)
      );
    if (!other) {
      throw new InputRangeError(
        `Cannot read another work in the place of "${question.item.work}" as there is none: ` +
          (question.item.cluster === undefined
            ? "current number of works with a text to read is 1, allowed are 2 and more"
            : `current cluster of all works is "${question.item.cluster}", allowed are 2 clusters and more`),
      );
    }
    return readableText(other[own.indexOf(question) % other.length].reading);
  });
}

/** What questions read: others are those of other works, or of other clusters, with as many prefix tokens. */
export function textsOfQuestions(questions: readonly ChapterBreakQuestion[]): ItemText[] {
  return questions.map(({ item, prefixTokens, reading }) => ({
    ...readableText(reading),
    name: item.name,
    cluster: item.cluster ?? item.work,
    group: prefixTokens,
  }));
}

/**
 * Asks all questions.
 *
 * @returns A record for each, with the scores of all six candidates, higher for a more likely one, the right one's first, and the
 * `rank` of that, from 1.
 */
export async function scoreChapterBreak(
  model: PromptedModel,
  questions: readonly ChapterBreakQuestion[],
  { scoring, ties, ...options }: Pick<ChapterBreakProtocol, "scoring" | "ties"> & PromptOptions,
): Promise<SampleRecord[]> {
  const answers = await askPrompts(model, questions, options);
  return questions.map(({ item, prefixTokens, reading, prompts }, i) => {
    const scores = natsOf(answers[i])
      .map((nats, j) => -nats / (scoring === "sum" ? 1 : prompts[j].scored));
    const rank = rankOfFirst(scores, ties);
    return {
      item: item.name,
      work: item.work,
      ...(item.cluster !== undefined && { cluster: item.cluster }),
      prefixTokens,
      readTokens: reading.reduce((sum, { length }) => sum + length, 0),
      localTokens: prompts[0].tokens.length - prompts[0].scored,
      scoredTokens: prompts.map(({ scored }) => scored),
      scores,
      rank,
      correct: rank === 1,
    };
  });
}

/** Rank of the first of some scores, from 1; those that equal it stand before it if ties are wrong. */
export function rankOfFirst(
  scores: readonly number[],
  ties: ChapterBreakProtocol["ties"],
): number {
  const [right, ...wrong] = scores;
  return 1 + wrong.filter((score) => score > right || (ties === "wrong" && score === right)).length;
}

/** The record of a question that was asked after several other texts: the means of its candidates' scores and of its rank. */
export function averageChapterBreak(records: readonly SampleRecord[]): SampleRecord {
  return {
    ...records[0],
    scores: meansOf(records, "scores"),
    rank: meanOf(records, "rank"),
    correct: meanOf(records, "correct"),
  };
}

/** A record as metrics need it. */
export const chapterBreakRecord = z.looseObject({
  item: z.string(),
  work: z.string(),
  prefixTokens: z.number(),
  rank: z.number(),
  correct: z.union([z.boolean(), z.number().min(0).max(1)]),
  cluster: z.string().exactOptional(),
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
    const byWork = (numerator: (record: typeof own[number]) => number) =>
      sumsOver(own, { of: ({ work }) => work, unit: "books", numerator });
    const common = { at: { prefixTokens }, n: own.length };
    return [
      {
        ...common,
        measure: "accuracy",
        name: `accuracy ${prefixTokens}`,
        sums: byWork(({ correct }) => Number(correct)),
        differences: [differenceOf(`accuracy ${prefixTokens}`)],
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
function chapterBreakLabel({ measure, at, over }: MetricKey): MetricLabel {
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

/** Which of six texts begins the next chapter, with more or less of the work in memory (the paper's Table 3). */
export interface ChapterBreakEvaluation extends ModelEvaluation {
  /** Distinguishes it from other kinds of evaluation. */
  readonly kind: "chapter-break";
  /** Where the items come from. */
  readonly source: ChapterBreakSource;
  /** Tokens before the break that count: in memory, except the last ones, which are the local context. Each has its own metrics. */
  readonly prefixTokens: readonly number[];
  /** Tokens of a candidate at most; longer ones are cut on the right. */
  readonly suffixTokens: number;
  /** A candidate's score: log-likelihood of its tokens, all cut to the shortest's length; or of a token on average. */
  readonly scoring: "sum" | "per-token";
  /** Whether an item is correct where a wrong candidate scores exactly as the right one. */
  readonly ties: "wrong" | "right";
  /** Takes only so many items, spread evenly over the works. */
  readonly maxItems?: number;
}

/** An evaluation of ChapterBreak as declared; without a source its items are those of the corpus. */
export type ChapterBreakDeclaration =
  & Omit<DeclaredEvaluation<ChapterBreakEvaluation, "kind">, "source" | "prefixTokens">
  & {
    /** Where the items come from (default: the test split of the corpus). */
    readonly source?: ChapterBreakSourceDeclaration;
    /** Tokens before the break that count: one number, or several (default 4096, 6144 and 8192; of the chronicle 4096). */
    readonly prefixTokens?: number | readonly number[];
  };

const form = evaluationForm("chapter-break", () => ({
  source: chapterBreakSources.schema.exactOptional(),
  prefixTokens: z.union([positiveInteger, z.array(positiveInteger).min(1).readonly()])
    .describe("a positive integer, or a list of them").exactOptional(),
  suffixTokens: positiveInteger.exactOptional(),
  scoring: oneOf("sum", "per-token").exactOptional(),
  ties: oneOf("wrong", "right").exactOptional(),
  maxItems: positiveInteger.exactOptional(),
}));
type _FormAcceptsTheType = Assert<Accepts<ReturnType<typeof form>, ChapterBreakDeclaration>>;

/** As in ChapterBreak's own evaluator, unless the protocol is strict. */
const defaultTies: ByProtocol<ChapterBreakEvaluation["ties"]> = {
  "released-code": "right",
  strict: "wrong",
  paper: "right",
};

/** The paper's numbers of tokens before a break. */
const paperPrefixes = [4096, 6144, 8192];

export const chapterBreak: EvaluationKind<
  ChapterBreakDeclaration,
  ChapterBreakEvaluation,
  z.infer<typeof chapterBreakRecord>
> = {
  schema: form,
  fill(declaration, from) {
    const own = sourceMadeOf(corpora.get(from.corpus));
    const prefixTokens = [
      declaration.prefixTokens ?? chapterBreakSources.get(own).prefixTokens ?? paperPrefixes,
    ].flat();
    const declared = declaration.source ?? { kind: own } as ChapterBreakSourceDeclaration;
    const source = chapterBreakSources.get(declared.kind).fill(declared, { prefixTokens });
    const filled = fillModelEvaluation(declaration, from);
    return {
      name: `${declaration.kind}-${source.split}`,
      // A window that is not much longer than the paper's suffixes has room for a local context, too.
      suffixTokens: Math.min(128, Math.ceil(filled.contextTokens / 2)),
      scoring: "sum",
      ties: defaultTies[from.protocol],
      ...filled,
      source,
      prefixTokens,
    };
  },
  // A window must have room for a candidate and a token before it, and items are made of the corpus that is declared.
  check({ source, prefixTokens, suffixTokens, contextTokens }, path, { corpus }) {
    const problems: Problem[] = [];
    if (suffixTokens >= contextTokens) {
      problems.push(wrong(
        `${path}.suffixTokens`,
        "must be below contextTokens, so that a token of the prefix stands before a candidate",
        suffixTokens,
        `integers from 1 to ${contextTokens - 1}`,
      ));
    }
    problems.push(...repetitions(prefixTokens, `${path}.prefixTokens`, "numbers"));
    const kind = corpora.get(corpus.kind);
    const fits = (name: string) => chapterBreakSources.get(name).isMadeOf?.(kind) ?? true;
    if (fits(source.kind)) {
      problems.push(...chapterBreakSources.get(source.kind).check?.(source, path, corpus) ?? []);
    } else {
      problems.push(wrong(
        `${path}.source.kind`,
        `must not be "${source.kind}" where corpus.kind is "${corpus.kind}"`,
        source.kind,
        chapterBreakSources.names.filter(fits).join(", "),
      ));
    }
    return problems;
  },
  limit: limitOf("maxItems"),
  describe: ({ source, prefixTokens, maxItems }) =>
    `${atMost(maxItems, "chapter breaks")} of ${source.split}, after ${
      prefixTokens.join(", ")
    } tokens`,
  files: ({ source }) => chapterBreakSources.get(source.kind).files?.(source) ?? [],
  splits: ({ source }) =>
    chapterBreakSources.get(source.kind).isMadeOf ? [source.split as Split] : [],
  // Of items made from texts the number shows when they are made, unless it is limited.
  cost({ source, prefixTokens, suffixTokens, contextTokens, maxItems }, corpus) {
    const all = chapterBreakSources.get(source.kind).itemCount?.(source, corpus) ?? Infinity;
    const items = Math.min(all, maxItems ?? Infinity);
    const candidates = 6;
    if (!Number.isFinite(items)) return undefined;
    return (model) =>
      items * prefixTokens.reduce((sum, prefix) => {
        const read = Math.max(0, prefix - (contextTokens - suffixTokens));
        const prompt = Math.min(windowOf(model, contextTokens), prefix + suffixTokens);
        return sum + (modelKindOf(model).readsMemory ? read : 0) + candidates * prompt;
      }, 0);
  },
  async prepare(evaluation, { corpus, texts, recordHash }) {
    const { maxItems, scoring: comparison, ties } = evaluation;
    const all = await chapterBreakItems(evaluation, corpus, texts, recordHash);
    const items = spreadEvenly(all, maxItems);
    const questions = chapterBreakQuestions(items, evaluation);
    return {
      score: (model, scoring) =>
        scoreChapterBreak(model, questions, {
          ...promptOptions(evaluation, questions, scoring),
          scoring: comparison,
          ties,
        }),
      others: () => textsOfOtherWorks(questions),
      texts: textsOfQuestions(questions),
      ...(items.length < all.length && { total: () => all.length }),
    };
  },
  average: averageChapterBreak,
  version: () => 2,
  record: chapterBreakRecord,
  measures: chapterBreakMeasures,
  label: chapterBreakLabel,
};

/**
 * The items of an evaluation, work by work. Texts become tokens as those of the corpus do, without `<s>` and `</s>` around
 * the whole. Items made of books whose prefix is too short are left out.
 *
 * @throws {RangeError} If there are none.
 */
export async function chapterBreakItems(
  evaluation: ChapterBreakEvaluation,
  corpus: CorpusConfig,
  text: EvaluationTexts,
  recordHash: EvaluationInputs["recordHash"],
): Promise<ChapterBreakItem[]> {
  const { name, source, prefixTokens } = evaluation;
  const kind = chapterBreakSources.get(source.kind);
  const needed = kind.minPrefixTokens?.(source) ?? 1;
  const most = Math.max(needed, ...prefixTokens);
  const treatment = treatmentOf(corpus);
  const clusters = kind.isMadeOf && treatment.clusters;
  const items: ChapterBreakItem[] = [];
  for (const [work, instances] of Object.entries(await kind.works(source, corpus, text))) {
    for (const [i, { ctx, pos, negs }] of instances.entries()) {
      // A candidate is too short to tell whether blank lines separate the paragraphs of its work.
      const joins = treatment.unwrap && separatesParagraphs(ctx);
      const encode = (part: string) =>
        tokenizeLines(joins ? joinLines(part) : part, text.tokenizer, treatment.lines);
      const prefix = lastTokens(ctx, most, encode);
      if (prefix.length < needed) continue;
      const candidates = [pos, ...negs].map((candidate) => Int32Array.from(encode(candidate)));
      items.push({
        name: `${work}/${i}`,
        work,
        ...(clusters && { cluster: clusterOf(work, clusters) }),
        prefix,
        candidates,
      });
    }
  }
  if (items.length === 0) {
    throw new InputRangeError(
      `Cannot evaluate "${name}" as no work has a chapter break with six candidates` +
        (needed > 1 ? ` and ${needed} tokens before it` : ""),
    );
  }
  await recordHash(`items ${name}`, hashItems(items));
  return items;
}

function hashItems(items: readonly ChapterBreakItem[]): string {
  const hash = createHash("sha256");
  for (const { name, prefix, candidates } of items) {
    hash.update(`${name} ${prefix.length} ${candidates.map(({ length }) => length)}\n`);
    for (const tokens of [prefix, ...candidates]) hash.update(new Uint8Array(tokens.buffer));
  }
  return hash.digest("hex");
}

/** The last tokens of a text, at most so many, without encoding much more of it than they take. */
function lastTokens(
  text: string,
  count: number,
  encode: (part: string) => number[],
): Int32Array<ArrayBuffer> {
  for (let characters = 6 * count;; characters *= 2) {
    let start = Math.max(0, text.length - characters);
    // A part that begins within a word would begin with another token than the text has there.
    while (start > 0 && /\S/.test(text[start])) start--;
    const tokens = encode(text.slice(start));
    if (start === 0 || tokens.length >= count) return Int32Array.from(tokens.slice(-count));
  }
}
