/**
 * Perplexity on whole documents (the paper's Table 2): each document is read from its beginning in segments that do not overlap;
 * every segment is scored with the memory of the segments before it, then written to the memory, which is empty where
 * a document begins. Every token but the first `<s>` is a target once. Version 2: errors by the jackknife, over effective items or clusters.
 */
import { z } from "zod";
import type { MetricKey, MetricLabel } from "../results/metric_catalog.ts";
import { estimateOfSums, type ItemSums } from "../results/paired_comparison.ts";
import type { SampleRecord } from "../results/records.ts";
import {
  type Estimate,
  pairedDifference,
  proportionInterval,
  type SignTest,
  signTest,
} from "../statistics/estimates.ts";
import type { Accepts, Assert } from "../declaration/part.ts";
import { type DeclaredEvaluation, evaluationForm, type EvaluationKind } from "./evaluation_kind.ts";
import {
  type DocumentEvaluation,
  documentFields,
  documentItems,
  documentKind,
  type ReadDocument,
} from "./shared/document_evaluation.ts";
import { type Measure, type MeasuredDifference, sumsOver } from "./measure.ts";
import type { DocumentSegments } from "../text/segments.ts";
import type { LanguageModel } from "./shared/language_model.ts";
import { meanOf } from "./shared/other_texts.ts";
import { readDocuments, type ReadOptions } from "./shared/read_documents.ts";

/** Version of the metrics of this file. */
export const perplexityVersion = 2;

export interface PerplexityDocument extends ReadDocument {
  /** Length in GPT-2 tokens, by which documents fall into buckets; a quarter of the characters where the corpus does not say it. */
  readonly gpt2Tokens: number;
}

/** The paper's buckets: lengths in GPT-2 tokens from `from` up to below `to`. */
export const lengthBuckets = [
  { name: "<5K", from: 0, to: 5_000 },
  { name: "5K-10K", from: 5_000, to: 10_000 },
  { name: "10K-100K", from: 10_000, to: 100_000 },
  { name: "100K-500K", from: 100_000, to: 500_000 },
  { name: "500K-1M", from: 500_000, to: 1_000_000 },
  { name: ">1M", from: 1_000_000, to: Infinity },
] as const;

export function bucketOf(gpt2Tokens: number): string {
  return lengthBuckets.find(({ to }) => gpt2Tokens < to)!.name;
}

/**
 * Scores all documents.
 *
 * @returns For each, in order, the sum of its negative log-likelihoods, in nats; it does not depend on how they were dealt to rows.
 */
export async function scoreDocuments(
  model: LanguageModel,
  documents: readonly DocumentSegments[],
  options: ReadOptions,
): Promise<number[]> {
  const nats = new Array<number>(documents.length).fill(0);
  await readDocuments(model, documents, options, {
    read: (batch) => model.score(batch),
    nll: (nll) => nll,
    take: (nll, { document, content, offset }) => {
      for (let i = 0; i < content.targetTokens; i++) nats[document] += nll[offset + i];
    },
  });
  return nats;
}

/** One line for each document, of its nats. */
export function perplexitySamples(
  documents: readonly PerplexityDocument[],
  nats: readonly number[],
): SampleRecord[] {
  return documents.map(({ name, targetTokens, words, gpt2Tokens, cluster }, i) => ({
    item: name,
    ...(cluster !== undefined && { cluster }),
    bucket: bucketOf(gpt2Tokens),
    gpt2Tokens,
    tokens: targetTokens,
    words,
    ...natsAndPerplexity(nats[i], targetTokens),
  }));
}

/** Nats of a document and, where a number holds it, its perplexity, for readers of the record. */
export function natsAndPerplexity(nats: number, tokens: number) {
  const perplexity = Math.exp(nats / tokens);
  return { nats, ...(Number.isFinite(perplexity) && { perplexity }) };
}

/** The record of a document that was scored several times: the mean of its nats, and their perplexity. */
export function averagePerplexity(records: readonly SampleRecord[]): SampleRecord {
  const { perplexity: _perplexity, ...first } = records[0];
  const mean = natsAndPerplexity(meanOf(records, "nats"), Number(first.tokens));
  return { ...(mean.perplexity === undefined ? first : records[0]), ...mean };
}

/** A record as metrics need it. */
export const perplexityRecord = z.looseObject({
  item: z.string(),
  bucket: z.string(),
  tokens: z.number().positive(),
  words: z.number().min(0),
  nats: z.number(),
  cluster: z.string().exactOptional(),
});

/**
 * Measures of one model: perplexity of a token (in all and by bucket) and of a word, over documents; and, paired by document,
 * how many nats a token it gains over a baseline: over all tokens, and document by document.
 */
export function perplexityMeasures(
  records: readonly z.infer<typeof perplexityRecord>[],
): Measure[] {
  const buckets = lengthBuckets.flatMap(({ name }) => {
    const inBucket = records.filter(({ bucket }) => bucket === name);
    return inBucket.length === 0 ? [] : [{
      ...perplexityMeasure(inBucket, "tokens"),
      at: { length: name },
      name: `perplexity ${name}`,
    }];
  });
  const perWord = {
    ...perplexityMeasure(records, "words"),
    measure: "word perplexity",
  };
  return [
    {
      ...perplexityMeasure(records, "tokens"),
      differences: [gain, ...gainsOfDocuments],
    },
    ...buckets,
    // An average over words of many tokens, or its interval, may not fit a number; its logarithm always does.
    ...(records.some(({ words }) => words > 0) && isHeld(estimateOfSums(perWord.sums))
      ? [{ ...perWord, name: "word perplexity" }]
      : []),
  ];
}

/** Perplexity of a unit of documents. */
export function perplexityMeasure<
  Unit extends "tokens" | "words",
  Record extends
    & { item: string; nats: number; cluster?: string | undefined }
    & { readonly [Name in Unit]: number },
>(records: readonly Record[], perUnit: Unit) {
  return {
    measure: "perplexity",
    name: "perplexity",
    higherIsBetter: false,
    sums: sumsOver(records, {
      unit: "documents",
      numerator: ({ nats }) => nats,
      denominator: (record) => record[perUnit],
      exponential: true,
      perUnit,
    }),
  } satisfies Measure;
}

/** Whether numbers hold an estimate and, where there are several documents, its interval. */
function isHeld({ value, ci95, stderr }: Estimate): boolean {
  return Number.isFinite(value) && (ci95 !== undefined || stderr === undefined);
}

/** How many nats a token a model gains over a baseline, paired by document. */
export const gain: MeasuredDifference = {
  measure: "gain",
  name: (baseline) => `gain over ${baseline}`,
  unit: "nats/token",
  higherIsBetter: true,
  estimate: ({ sums: own }, { sums: baseline }) =>
    pairedDifference(natsPerToken(baseline!, own!), natsPerToken(own!, own!), {
      weights: own!.denominators,
      clusters: own!.clusters?.names,
    }),
  sums: (own, baseline) => ({
    ...own,
    numerators: own.numerators.map((nats, i) => baseline.numerators[i] - nats),
    exponential: false,
  }),
};

/** Nats a token that a model gains over a baseline, of each document. */
function gainsOf(own: ItemSums, baseline: ItemSums): number[] {
  const before = natsPerToken(baseline, own);
  return natsPerToken(own, own).map((nats, i) => before[i] - nats);
}

/** The same by documents of equal weight: their mean, the share of them (or of their clusters) that gain, and the sign test. */
const gainsOfDocuments: readonly MeasuredDifference[] = [
  {
    measure: "mean gain",
    name: (baseline) => `mean gain over ${baseline}`,
    unit: "nats/token",
    higherIsBetter: true,
    sums: (own, baseline) => {
      const gains = gainsOf(own, baseline);
      return {
        ...own,
        numerators: gains,
        denominators: gains.map(() => 1),
        exponential: false,
      };
    },
  },
  {
    measure: "share gained",
    name: (baseline) => `share gained over ${baseline}`,
    higherIsBetter: true,
    estimate: (own, baseline) => {
      const { positive, n } = signsOf(own, baseline);
      return { value: positive / n, ci95: proportionInterval(positive, n), n };
    },
  },
  {
    measure: "sign test",
    name: (baseline) => `sign test over ${baseline}`,
    higherIsBetter: false,
    estimate: (own, baseline) => {
      const { p, n } = signsOf(own, baseline);
      return { value: p, n };
    },
  },
];

function signsOf({ sums: own }: Measure, { sums: baseline }: Measure): SignTest {
  return signTest(gainsOf(own!, baseline!), { clusters: own!.clusters?.names });
}

function natsPerToken({ numerators }: ItemSums, { denominators }: ItemSums): number[] {
  return numerators.map((nats, i) => nats / denominators[i]);
}

/** The place of a metric of this file in tables. */
export function perplexityLabel({ measure, at, over }: MetricKey): MetricLabel {
  if (measure === "gain") {
    return { part: "", header: "gain", meaning: `over ${over}`, isGain: true };
  }
  if (over !== undefined) {
    const header = measure === "sign test" ? "sign test p" : measure;
    return { part: `gain over ${over}, document by document`, header };
  }
  return at?.length === undefined
    ? { part: "", header: measure }
    : { part: "perplexity by length in GPT-2 tokens", header: String(at.length) };
}

/** Perplexity over whole documents. */
export interface PerplexityEvaluation extends DocumentEvaluation {
  /** Distinguishes it from other kinds of evaluation. */
  readonly kind: "perplexity";
}

/** The same as declared. */
export type PerplexityDeclaration = DeclaredEvaluation<PerplexityEvaluation, "kind" | "split">;

const form = evaluationForm("perplexity", () => documentFields);
type _FormAcceptsTheType = Assert<Accepts<ReturnType<typeof form>, PerplexityDeclaration>>;

export const perplexity: EvaluationKind<
  PerplexityDeclaration,
  PerplexityEvaluation,
  z.infer<typeof perplexityRecord>
> = {
  schema: form,
  ...documentKind,
  async prepare(evaluation, { texts }) {
    return documentItems(evaluation, await texts.documents(evaluation.split), {
      tokenizer: texts.tokenizer,
      known: ({ gpt2Tokens }) => ({ gpt2Tokens }),
      score: async (model, documents, options) =>
        perplexitySamples(documents, await scoreDocuments(model, documents, options)),
    });
  },
  average: averagePerplexity,
  version: () => perplexityVersion,
  record: perplexityRecord,
  measures: perplexityMeasures,
  label: perplexityLabel,
};
