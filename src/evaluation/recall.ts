/**
 * Recall: does a model name the fact that it read long ago? Books are read as for perplexity, segment by segment with
 * memory, which is empty where a book begins. In the place of each recall, a token that follows from what the book said
 * before and from nothing else, the model names the most likely token of its whole vocabulary; it is correct if that is the
 * answer. A recall is `near` if the same fact was last told in the segment that the model sees without memory, `far`
 * otherwise. Version 1.
 *
 * Accuracy is correct / recalls over all books. The recalls of a book are not independent of each other, so that its
 * standard error is that of a ratio of sums over books.
 */
import type { ItemSums } from "../results/paired_comparison.ts";
import type { Metric, SampleRecord } from "../results/records.ts";
import { perplexity, ratio } from "../statistics/estimates.ts";
import { isFar, type Recall, type RecallKind } from "../text/chronicle/recall.ts";
import type { DocumentSegments } from "../text/segments.ts";
import type { ChoosingModel } from "./shared/language_model.ts";
import { gain, perplexityVersion } from "./perplexity.ts";
import { readDocuments, type ReadOptions } from "./shared/read_documents.ts";

/** Version of the accuracies of this file. */
export const recallVersion = 1;

/** A book cut into segments, and its recalls by position. */
export interface RecallDocument extends DocumentSegments {
  readonly recalls: readonly Recall[];
}

/** What a model said of a book. */
export interface RecallScore {
  readonly document: RecallDocument;
  /** Sum of the negative log-likelihoods of all targets, in nats. */
  readonly nats: number;
  /** The most likely token in the place of each recall. */
  readonly choices: readonly number[];
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
 * Reads all books and asks for every recall; the result is in the order of the books and does not depend on how they
 * were dealt to rows.
 */
export async function scoreRecalls(
  model: ChoosingModel,
  documents: readonly RecallDocument[],
  options: ReadOptions,
): Promise<RecallScore[]> {
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
  return documents.map((document, i) => ({ document, nats: nats[i], choices: chosen[i] }));
}

/** One line for each book: with `answers` and `choices` of its recalls, all that the metrics are computed from. */
export function recallSamples(scores: readonly RecallScore[]): SampleRecord[] {
  return scores.map(({ document, nats, choices }) => {
    const { name, segments, targetTokens, words, recalls } = document;
    return {
      item: name,
      contextTokens: segments[0].tokens.length,
      tokens: targetTokens,
      words,
      nats,
      perplexity: Math.exp(nats / targetTokens),
      kinds: recalls.map(({ kind }) => kind).join(" "),
      positions: recalls.map(({ position }) => position),
      distances: recalls.map(({ distance }) => distance),
      answers: recalls.map(({ answer }) => answer),
      choices,
    };
  });
}

/** What decides which accuracies a recall counts for. */
interface Asked {
  readonly kind: string;
  readonly distance: number;
  readonly reach: "near" | "far";
}

/** Accuracies by name, in the order of tables. */
const accuracies: readonly { name: string; includes: (recall: Asked) => boolean }[] = [
  ...(["far", "near"] as const).flatMap((reach) => [
    { name: `recall all ${reach}`, includes: (recall: Asked) => recall.reach === reach },
    ...kinds.map((kind) => ({
      name: `recall ${kind} ${reach}`,
      includes: (recall: Asked) => recall.kind === kind && recall.reach === reach,
    })),
  ]),
  ...distanceBuckets.map(({ name, from, to }) => ({
    name: `recall far ${name}`,
    includes: ({ distance, reach }: Asked) => reach === "far" && from <= distance && distance < to,
  })),
];

/** Names of all accuracies. */
export const accuracyNames: readonly string[] = accuracies.map(({ name }) => name);

/**
 * Metrics of one model: accuracy by kind and reach ("recall person far"), over all kinds ("recall all near") and of far
 * recalls by distance ("recall far 256-512"), each with the number of recalls asked for and left out where there are
 * none; perplexity of all tokens from the same pass; and, paired by book, how many nats a token it gains over a baseline.
 *
 * @param samples Records of the books that were read, in one order for all models.
 * @param options all: every book of the split, where not all were read.
 */
export function recallMetrics(
  labels: { evaluation: string; model: string },
  samples: readonly SampleRecord[],
  options: {
    all?: readonly { readonly recalls: readonly Recall[] }[];
    baseline?: { model: string; samples: readonly SampleRecord[] };
  } = {},
): Metric[] {
  const { all, baseline } = options;
  const books = samples.map(scoredRecalls);
  const contextTokens = Number(samples[0].contextTokens);
  const existing = all?.flatMap(({ recalls }) =>
    recalls.map((recall): Asked => ({ ...recall, reach: reachOf(recall, contextTokens) }))
  );
  const metrics: Metric[] = [];
  for (const { name, includes } of accuracies) {
    const asked = books.map((recalls) => recalls.filter(includes));
    const counts = asked.map((recalls) => recalls.length);
    const n = counts.reduce((sum, count) => sum + count, 0);
    if (n === 0) continue;
    const correct = asked.map((recalls) => recalls.filter((recall) => recall.correct).length);
    metrics.push({
      ...labels,
      name,
      ...ratio(correct, counts),
      n,
      ...(existing ? { total: existing.filter(includes).length } : {}),
      unit: "",
      higherIsBetter: true,
      metricVersion: recallVersion,
    });
  }
  const ofBooks = { ...labels, ...(all ? { total: all.length } : {}) };
  metrics.push({
    ...ofBooks,
    name: "perplexity",
    ...perplexity(
      samples.map(({ nats }) => Number(nats)),
      samples.map(({ tokens }) => Number(tokens)),
    ),
    unit: "",
    higherIsBetter: false,
    metricVersion: perplexityVersion,
  });
  if (baseline) metrics.push(gain(ofBooks, samples, baseline));
  return metrics;
}

/** The sums of an accuracy over the books that ask for such recalls; undefined for other metrics. */
export function recallSums(name: string, samples: readonly SampleRecord[]): ItemSums | undefined {
  const includes = accuracies.find((accuracy) => accuracy.name === name)?.includes;
  if (!includes) return undefined;
  const books = samples.map((sample) => {
    const recalls = scoredRecalls(sample).filter(includes);
    const correct = recalls.filter((recall) => recall.correct).length;
    return { item: sample.item, correct, asked: recalls.length };
  }).filter(({ asked }) => asked > 0);
  return {
    items: books.map(({ item }) => item),
    unit: "documents",
    numerators: books.map(({ correct }) => correct),
    denominators: books.map(({ asked }) => asked),
    exponential: false,
  };
}

function reachOf(
  recall: Pick<Recall, "position" | "lastMention">,
  contextTokens: number,
): Asked["reach"] {
  return isFar(recall, contextTokens) ? "far" : "near";
}

/** The recalls of a book's record. */
function scoredRecalls(sample: SampleRecord): (Asked & { correct: boolean })[] {
  const column = (name: string) => sample[name] as readonly number[];
  const distances = column("distances"), answers = column("answers"), choices = column("choices");
  const kinds = String(sample.kinds).split(" ");
  return column("positions").map((position, i) => {
    const distance = distances[i], lastMention = position - distance;
    return {
      kind: kinds[i],
      distance,
      reach: reachOf({ position, lastMention }, Number(sample.contextTokens)),
      correct: choices[i] === answers[i],
    };
  });
}
