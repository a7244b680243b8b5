/**
 * Perplexity on whole documents (the paper's Table 2): each document is read from its beginning in segments that do not overlap;
 * every segment is scored with the memory of the segments before it, then written to the memory, which is empty where
 * a document begins. Every token but the first `<s>` is a target once. Version 1.
 */
import type { ItemSums } from "../results/paired_comparison.ts";
import type { Metric, SampleRecord } from "../results/records.ts";
import { pairedDifference, perplexity } from "../statistics/estimates.ts";
import type { DocumentSegments } from "../text/segments.ts";
import type { LanguageModel } from "./shared/language_model.ts";
import { readDocuments, type ReadOptions } from "./shared/read_documents.ts";

/** Version of the metrics of this file. */
export const perplexityVersion = 1;

/** A document to score. */
export interface PerplexityDocument extends DocumentSegments {
  /** Length in GPT-2 tokens, by which documents fall into buckets. */
  readonly gpt2Tokens: number;
}

/** Scores of one document. */
export interface DocumentScore {
  readonly document: PerplexityDocument;
  /** Sum of the negative log-likelihoods, in nats. */
  readonly nats: number;
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

/** The bucket of a document. */
export function bucketOf(gpt2Tokens: number): string {
  return lengthBuckets.find(({ to }) => gpt2Tokens < to)!.name;
}

/**
 * Scores all documents; the result is in the order of the documents and does not depend on how they were dealt to rows.
 */
export async function scoreDocuments(
  model: LanguageModel,
  documents: readonly PerplexityDocument[],
  options: ReadOptions,
): Promise<DocumentScore[]> {
  const nats = new Float64Array(documents.length);
  await readDocuments(model, documents, options, {
    read: (batch) => model.score(batch),
    nll: (nll) => nll,
    take: (nll, { document, content, offset }) => {
      for (let i = 0; i < content.targetTokens; i++) nats[document] += nll[offset + i];
    },
  });
  return documents.map((document, i) => ({ document, nats: nats[i] }));
}

/** One line for each document. */
export function perplexitySamples(scores: readonly DocumentScore[]): SampleRecord[] {
  return scores.map(({ document: { name, targetTokens, words, gpt2Tokens }, nats }) => ({
    item: name,
    bucket: bucketOf(gpt2Tokens),
    gpt2Tokens,
    tokens: targetTokens,
    words,
    nats,
    perplexity: Math.exp(nats / targetTokens),
  }));
}

/**
 * Metrics of one model: perplexity of a token (in all and by bucket) and of a word, with the standard error over documents;
 * and, paired by document, how many nats a token it gains over a baseline.
 */
export function perplexityMetrics(
  labels: { evaluation: string; model: string; total?: number },
  samples: readonly SampleRecord[],
  baseline?: { model: string; samples: readonly SampleRecord[] },
): Metric[] {
  const common = { ...labels, unit: "", higherIsBetter: false, metricVersion: perplexityVersion };
  const over = (records: readonly SampleRecord[], denominator: "tokens" | "words") =>
    perplexity(column(records, "nats"), column(records, denominator));
  const metrics: Metric[] = [{ ...common, name: "perplexity", ...over(samples, "tokens") }];
  for (const { name } of lengthBuckets) {
    const inBucket = samples.filter(({ bucket }) => bucket === name);
    if (inBucket.length > 0) {
      metrics.push({ ...common, name: `perplexity ${name}`, ...over(inBucket, "tokens") });
    }
  }
  // Perplexity of a word: an average over words of many tokens, or its interval, may not fit a number; its logarithm always does.
  const word = over(samples, "words");
  if ([word.value, ...word.ci95 ?? []].every(Number.isFinite)) {
    metrics.push({ ...common, name: "word perplexity", ...word });
  }
  if (baseline) metrics.push(gain(labels, samples, baseline));
  return metrics;
}

/** The sums of a perplexity over documents; undefined for other metrics, and for records of something else. */
export function perplexitySums(
  name: string,
  samples: readonly SampleRecord[],
): ItemSums | undefined {
  const [matched, perWord, bucket] = /^(word )?perplexity(?: (.+))?$/.exec(name) ?? [];
  const denominator = perWord === undefined ? "tokens" : "words";
  const isPerplexity = matched !== undefined &&
    samples.every((sample) => Number(sample[denominator]) > 0 && "nats" in sample);
  if (!isPerplexity) return undefined;
  const records = samples.filter((sample) => bucket === undefined || sample.bucket === bucket);
  return {
    items: records.map(({ item }) => item),
    unit: "documents",
    numerators: column(records, "nats"),
    denominators: column(records, denominator),
    exponential: true,
  };
}

/**
 * How many nats a token a model gains over a baseline, paired by document.
 *
 * @param samples Records with `tokens` and `nats`, of the same documents as the baseline's.
 */
export function gain(
  labels: { evaluation: string; model: string; total?: number },
  samples: readonly SampleRecord[],
  baseline: { model: string; samples: readonly SampleRecord[] },
): Metric {
  const tokens = column(samples, "tokens");
  const perToken = (records: readonly SampleRecord[]) =>
    column(records, "nats").map((nats, i) => nats / tokens[i]);
  return {
    ...labels,
    name: `gain over ${baseline.model}`,
    ...pairedDifference(perToken(baseline.samples), perToken(samples), { weights: tokens }),
    unit: "nats/token",
    higherIsBetter: true,
    metricVersion: perplexityVersion,
  };
}

function column(records: readonly SampleRecord[], name: string): number[] {
  return records.map((record) => Number(record[name]));
}
