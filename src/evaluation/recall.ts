/**
 * Recall: does a model name the fact that it read long ago? Books are read as for perplexity, segment by segment with
 * memory, which is empty where a book begins. In the place of each recall, a token that only the earlier text of the
 * book determines, the model names the most likely token of its whole vocabulary; it is correct if that is the
 * answer. A recall is `near` if the same fact was last told in the segment that the model sees without memory, `far`
 * otherwise. Version 2: errors by the jackknife, over effective items or clusters.
 *
 * Accuracy is correct / recalls over all books. The recalls of a book are not independent of each other, so that its
 * standard error is that of a ratio of sums over books.
 */
import { z } from "zod";
import type { MetricKey, MetricLabel } from "../results/metric_catalog.ts";
import type { SampleRecord } from "../results/records.ts";
import { isFar, type Recall, type RecallKind } from "../text/chronicle/recall.ts";
import type { ChoosingModel } from "./shared/language_model.ts";
import type { Accepts, Assert } from "../declaration/part.ts";
import { wrong } from "../declaration/problem.ts";
import { chronicleOf, corpora } from "../text/corpora/corpora.ts";
import { type DeclaredEvaluation, evaluationForm, type EvaluationKind } from "./evaluation_kind.ts";
import {
  type DocumentEvaluation,
  documentFields,
  documentItems,
  documentKind,
  type ReadDocument,
} from "./shared/document_evaluation.ts";
import { type Measure, sumsOver } from "./measure.ts";
import {
  averagePerplexity,
  gain,
  natsAndPerplexity,
  perplexityLabel,
  perplexityMeasure,
  perplexityVersion,
} from "./perplexity.ts";
import { meansOf } from "./shared/other_texts.ts";
import { readDocuments, type ReadOptions } from "./shared/read_documents.ts";

/** A book cut into segments, and its recalls by position. */
export interface RecallDocument extends ReadDocument {
  readonly recalls: readonly Recall[];
}

/** Distances in tokens to the last mention, from `from` up to below `to`. */
export const distanceBuckets = [
  { name: "<128", from: 0, to: 128 },
  { name: "128-256", from: 128, to: 256 },
  { name: "256-512", from: 256, to: 512 },
  { name: "512-1024", from: 512, to: 1024 },
  { name: "1024-2048", from: 1024, to: 2048 },
  { name: "2048-4096", from: 2048, to: 4096 },
  { name: ">4096", from: 4096, to: Infinity },
] as const;

const kinds = Object.keys(
  {
    person: true,
    ship: true,
    label: true,
    opening: true,
    pair: true,
  } satisfies Record<RecallKind, true>,
);

/**
 * Reads all books and asks for every recall.
 *
 * @returns A record for each book, in order, with `answers` and `choices` of its recalls, all that the metrics are computed from; it
 * does not depend on how books were dealt to rows.
 */
export async function scoreRecalls(
  model: ChoosingModel,
  documents: readonly RecallDocument[],
  options: ReadOptions,
): Promise<SampleRecord[]> {
  const nats = new Float64Array(documents.length);
  const chosen: number[][] = documents.map(() => []);
  await readDocuments(model, documents, options, {
    read: (batch) => model.choose(batch),
    nll: ({ nll }) => nll,
    take: ({ nll, choices }, { document, segment, content, offset }) => {
      for (let i = 0; i < content.targetTokens; i++) nats[document] += nll[offset + i];
      const { recalls } = documents[document], answered = chosen[document];
      // The token at position p is the target of the token before it.
      const first = segment * content.tokens.length + 1;
      while (
        answered.length < recalls.length &&
        recalls[answered.length].position < first + content.targetTokens
      ) {
        answered.push(choices[offset + recalls[answered.length].position - first]);
      }
    },
  });
  return documents.map(({ name, segments, targetTokens, words, recalls, cluster }, i) => ({
    item: name,
    ...(cluster !== undefined && { cluster }),
    contextTokens: segments[0].tokens.length,
    tokens: targetTokens,
    words,
    ...natsAndPerplexity(nats[i], targetTokens),
    kinds: recalls.map(({ kind }) => kind).join(" "),
    positions: recalls.map(({ position }) => position),
    distances: recalls.map(({ distance }) => distance),
    answers: recalls.map(({ answer }) => answer),
    choices: chosen[i],
  }));
}

/** The record of a book that was read several times: the mean of its nats, and the share of right choices for each recall. */
export function averageRecall(records: readonly SampleRecord[]): SampleRecord {
  const { choices: _choices, ...averaged } = averagePerplexity(records);
  const answers = averaged.answers as readonly number[];
  const right = records.map(({ choices }) => ({
    correct: answers.map((answer, i) => Number((choices as readonly number[])[i] === answer)),
  }));
  return { ...averaged, correct: meansOf(right, "correct") };
}

/** Properties that decide which accuracies a recall counts for. */
interface Asked {
  readonly kind: string;
  readonly distance: number;
  readonly reach: "near" | "far";
}

/** Accuracies in the order of tables. */
const accuracies: readonly (Pick<Measure, "name" | "at"> & {
  readonly includes: (recall: Asked) => boolean;
})[] = [
  ...(["far", "near"] as const).flatMap((reach) => [
    {
      name: `recall all ${reach}`,
      at: { reach },
      includes: (recall: Asked) => recall.reach === reach,
    },
    ...kinds.map((kind) => ({
      name: `recall ${kind} ${reach}`,
      at: { reach, kind },
      includes: (recall: Asked) => recall.kind === kind && recall.reach === reach,
    })),
  ]),
  ...distanceBuckets.map(({ name, from, to }) => ({
    name: `recall far ${name}`,
    at: { reach: "far", distance: name },
    includes: ({ distance, reach }: Asked) => reach === "far" && from <= distance && distance < to,
  })),
];

/** A record as metrics need it. */
export const recallRecord = z.looseObject({
  item: z.string(),
  contextTokens: z.number().positive(),
  tokens: z.number().positive(),
  nats: z.number(),
  kinds: z.string(),
  positions: z.array(z.number()),
  distances: z.array(z.number()),
  answers: z.array(z.number()),
  choices: z.array(z.number()).exactOptional(),
  correct: z.array(z.number()).exactOptional(),
  cluster: z.string().exactOptional(),
}).refine(
  ({ kinds, positions, distances, answers, choices, correct }) =>
    [kinds === "" ? [] : kinds.split(" "), distances, answers, choices ?? correct]
      .every((values) => values?.length === positions.length),
  { path: ["positions"], message: "must be as many as kinds, distances, answers and choices" },
);
type RecallRecord = z.infer<typeof recallRecord>;

/**
 * Measures of one model: accuracy by kind and reach ("recall person far"), over all kinds ("recall all near") and of far
 * recalls by distance ("recall far 256-512"), each with the number of recalls asked for and left out where there are
 * none; perplexity of all tokens from the same pass; and, paired by book, how many nats a token it gains over a baseline.
 *
 * @param records Records of the books that were read, in one order for all models.
 */
export function recallMeasures(records: readonly RecallRecord[]): Measure[] {
  const books = records.map((record) => ({ ...record, recalls: scoredRecalls(record) }));
  return [
    ...accuracies.flatMap(({ name, at, includes }) => {
      const asked = books.map((book) => ({ ...book, recalls: book.recalls.filter(includes) }))
        .filter(({ recalls }) => recalls.length > 0);
      return asked.length === 0 ? [] : [{
        measure: "recall",
        at: at!,
        name,
        sums: sumsOver(asked, {
          unit: "documents",
          numerator: ({ recalls }) => recalls.reduce((sum, { correct }) => sum + correct, 0),
          denominator: ({ recalls }) => recalls.length,
        }),
        n: asked.reduce((sum, { recalls }) => sum + recalls.length, 0),
      }];
    }),
    { ...perplexityMeasure(records, "tokens"), differences: [gain] },
  ];
}

/** Recalls of some books that a measure counts; undefined for measures of all tokens. */
export function countRecalls(
  { name }: Pick<Measure, "name">,
  books: readonly { readonly recalls: readonly Recall[] }[],
  contextTokens: number,
): number | undefined {
  const includes = accuracies.find((accuracy) => accuracy.name === name)?.includes;
  return includes &&
    books.flatMap(({ recalls }) => recalls)
      .filter((recall) => includes({ ...recall, reach: reachOf(recall, contextTokens) })).length;
}

/** The place of a metric of this file in tables. */
function recallLabel(metric: MetricKey): MetricLabel {
  const { measure, at = {} } = metric;
  if (measure !== "recall") return perplexityLabel(metric);
  const { reach, kind, distance } = at;
  if (distance !== undefined) {
    return {
      part: "far facts by distance in tokens",
      header: String(distance),
      isProportion: true,
      axis: {
        figure: "distance",
        label: "distance",
        unit: "tokens",
        measure: "recall of far facts",
      },
    };
  }
  return kind === undefined
    ? {
      part: "",
      header: `${reach} facts`,
      isProportion: true,
      ...(reach === "far" && { noun: "recall of far facts" }),
    }
    : { part: `${reach} facts by kind`, header: String(kind), isProportion: true };
}

function reachOf(
  recall: Pick<Recall, "position" | "lastMention">,
  contextTokens: number,
): Asked["reach"] {
  return isFar(recall, contextTokens) ? "far" : "near";
}

/** The recalls of a book's record. */
function scoredRecalls(
  { positions, distances, answers, choices, correct, kinds, contextTokens }: RecallRecord,
): (Asked & { correct: number })[] {
  const kindOf = kinds.split(" ");
  return positions.map((position, i) => {
    const distance = distances[i], lastMention = position - distance;
    return {
      kind: kindOf[i],
      distance,
      reach: reachOf({ position, lastMention }, contextTokens),
      correct: correct?.[i] ?? Number(choices?.[i] === answers[i]),
    };
  });
}

/** Accuracy on facts that a book of the chronicle has told before, near and far; and perplexity. */
export interface RecallEvaluation extends Omit<DocumentEvaluation, "firstTokens"> {
  /** Distinguishes it from other kinds of evaluation. */
  readonly kind: "recall";
}

/** The same as declared. */
export type RecallDeclaration = DeclaredEvaluation<RecallEvaluation, "kind" | "split">;

const { firstTokens: _whole, ...wholeDocuments } = documentFields;
const form = evaluationForm("recall", () => wholeDocuments);
type _FormAcceptsTheType = Assert<Accepts<ReturnType<typeof form>, RecallDeclaration>>;

export const recall: EvaluationKind<RecallDeclaration, RecallEvaluation, RecallRecord> = {
  schema: form,
  ...documentKind,
  check(evaluation, path, experiment) {
    const { corpus } = experiment;
    return [
      ...documentKind.check(evaluation, path, experiment),
      ...(corpora.get(corpus.kind).treatment && !chronicleOf(corpus)
        ? [wrong(
          `${path}.kind`,
          `must not be "recall" where corpus.kind is "${corpus.kind}", whose recalls are not known`,
          "recall",
          "perplexity, or a corpus whose kind is chronicle",
        )]
        : []),
    ];
  },
  async prepare(evaluation, { texts }) {
    const { contextTokens, split } = evaluation;
    const books = await texts.books(split);
    return documentItems(evaluation, books, {
      tokenizer: texts.tokenizer,
      known: ({ recalls }) => ({ recalls }),
      score: scoreRecalls,
      total: (measure) => countRecalls(measure, books, contextTokens) ?? books.length,
    });
  },
  average: averageRecall,
  version: (measure) => measure === "recall" ? 2 : perplexityVersion,
  record: recallRecord,
  measures: recallMeasures,
  label: recallLabel,
};
