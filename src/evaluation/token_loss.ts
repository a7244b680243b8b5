/**
 * Where a model gains: the loss of whole documents, read as for perplexity, by the context of each token. Every target falls into
 * exactly one bucket of each of these:
 *
 * - `position`: tokens since the start of the document, from 1 of the first target;
 * - `token distance`: tokens since the last occurrence of the target in the document, or never;
 * - `bigram distance`: the same of the target together with the token before it;
 * - `names`, of texts: the first mention of a name, a later one, or something else (`src/text/names.ts` says what a name is).
 *
 * Buckets of tokens are below 16, then powers of two. A record has the sums of a document over each bucket, so that differences
 * between models are paired by document.
 */
import { z } from "zod";
import { trueOrFalse } from "../declaration/fields.ts";
import type { Accepts, Assert } from "../declaration/part.ts";
import { wrong } from "../declaration/problem.ts";
import { corpora } from "../text/corpora/corpora.ts";
import type { MetricKey, MetricLabel } from "../results/metric_catalog.ts";
import type { SampleRecord } from "../results/records.ts";
import { classifyMentions, mentions } from "../text/names.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { type DeclaredEvaluation, evaluationForm, type EvaluationKind } from "./evaluation_kind.ts";
import { type Measure, sumsOver } from "./measure.ts";
import { gain } from "./perplexity.ts";
import {
  type DocumentEvaluation,
  documentFields,
  documentItems,
  documentKind,
  type ReadDocument,
} from "./shared/document_evaluation.ts";
import type { LanguageModel } from "./shared/language_model.ts";
import { meanOf, meansOf } from "./shared/other_texts.ts";
import { readDocuments, type ReadOptions } from "./shared/read_documents.ts";

/** Tokens below which there is one bucket. */
const firstBound = 16;

/** The bucket of a number of tokens from 1: 0 below 16, then one for each power of two. */
export function bucketOf(tokens: number): number {
  return tokens < firstBound ? 0 : 1 + Math.clz32(firstBound) - Math.clz32(tokens);
}

/** Its name: `<16`, `16-32`, `32-64`. */
export function bucketName(bucket: number): string {
  if (bucket === 0) return `<${firstBound}`;
  const from = firstBound * 2 ** (bucket - 1);
  return `${from}-${2 * from}`;
}

/** Name of the bucket of targets that have not occurred before. */
const never = "never";

/** Aspects by which targets are grouped; buckets are in the order of their indices. */
const aspects = {
  "position": {
    field: "position",
    noun: "tokens since the start of the document",
    nameOf: bucketName,
  },
  "token distance": {
    field: "tokenDistance",
    noun: "tokens since the last occurrence of the token",
    nameOf: (bucket: number) => bucket === 0 ? never : bucketName(bucket - 1),
  },
  "bigram distance": {
    field: "bigramDistance",
    noun: "tokens since the last occurrence of the token with the one before it",
    nameOf: (bucket: number) => bucket === 0 ? never : bucketName(bucket - 1),
  },
  "names": {
    field: "names",
    noun: "mention of a name",
    nameOf: (bucket: number) => mentions[bucket],
  },
} as const;
type Aspect = keyof typeof aspects;
const aspectNames = Object.keys(aspects) as Aspect[];

/** The bucket of every target, of each aspect that is told. */
export type TargetBuckets = Readonly<Partial<Record<Aspect, Uint8Array>>>;

/**
 * The buckets of the targets of a document: of all tokens but the first.
 *
 * @param tokens Token ids of the document.
 * @param tokenizer Tells names; absent: they are not told.
 */
export function bucketsOf(
  tokens: Int32Array,
  tokenizer?: Pick<Tokenizer, "decode" | "specialIds">,
): TargetBuckets {
  const targets = tokens.length - 1;
  const position = Uint8Array.from({ length: targets }, (_, i) => bucketOf(i + 1));
  const tokenDistance = new Uint8Array(targets), bigramDistance = new Uint8Array(targets);
  const lastToken = new Map([[tokens[0], 0]]), lastBigram = new Map<string, number>();
  for (let p = 1; p <= targets; p++) {
    const bigram = `${tokens[p - 1]} ${tokens[p]}`;
    const token = lastToken.get(tokens[p]), pair = lastBigram.get(bigram);
    if (token !== undefined) tokenDistance[p - 1] = 1 + bucketOf(p - token);
    if (pair !== undefined) bigramDistance[p - 1] = 1 + bucketOf(p - pair);
    lastToken.set(tokens[p], p);
    lastBigram.set(bigram, p);
  }
  return {
    position,
    "token distance": tokenDistance,
    "bigram distance": bigramDistance,
    ...(tokenizer && { names: classifyMentions(tokens, tokenizer).subarray(1) }),
  };
}

export interface TokenLossDocument extends ReadDocument {
  readonly buckets: TargetBuckets;
}

/** Scores all documents; the records are in their order and do not depend on how they were dealt to rows. */
export async function scoreTokenLoss(
  model: LanguageModel,
  documents: readonly TokenLossDocument[],
  options: ReadOptions,
): Promise<SampleRecord[]> {
  const records = documents.map(({ name, targetTokens, cluster, buckets }) => ({
    item: name,
    ...(cluster !== undefined && { cluster }),
    tokens: targetTokens,
    nats: 0,
    sums: Object.entries(buckets).map(([aspect, ofTargets]) => {
      const size = ofTargets.reduce((most, bucket) => Math.max(most, bucket + 1), 0);
      const zeros = () => new Array<number>(size).fill(0);
      return { field: aspects[aspect as Aspect].field, ofTargets, nats: zeros(), tokens: zeros() };
    }),
  }));
  await readDocuments(model, documents, options, {
    read: (batch) => model.score(batch),
    nll: (nll) => nll,
    take(nll, { document, segment, content, offset }) {
      const record = records[document], first = segment * content.tokens.length;
      for (let i = 0; i < content.targetTokens; i++) {
        record.nats += nll[offset + i];
        for (const { ofTargets, nats, tokens } of record.sums) {
          const bucket = ofTargets[first + i];
          nats[bucket] += nll[offset + i];
          tokens[bucket]++;
        }
      }
    },
  });
  return records.map(({ sums, ...record }) => ({
    ...record,
    ...Object.fromEntries(sums.flatMap(({ field, nats, tokens }) => [
      [`${field}Nats`, nats],
      [`${field}Tokens`, tokens],
    ])),
  }));
}

const sums = z.array(z.number());

/** A record as metrics need it. */
export const tokenLossRecord = z.looseObject({
  item: z.string(),
  tokens: z.number().positive(),
  nats: z.number(),
  cluster: z.string().exactOptional(),
  positionNats: sums,
  positionTokens: sums,
  tokenDistanceNats: sums,
  tokenDistanceTokens: sums,
  bigramDistanceNats: sums,
  bigramDistanceTokens: sums,
  namesNats: sums.exactOptional(),
  namesTokens: sums.exactOptional(),
}).refine(
  (record) =>
    aspectNames.every((aspect) => {
      const [nats, tokens] = sumsOf(record, aspect);
      return nats.length === tokens.length;
    }),
  {
    path: ["positionTokens"],
    message: "must be as many as there are sums of nats, of each aspect",
  },
);
type TokenLossRecord = z.infer<typeof tokenLossRecord>;

/** Sums of nats and numbers of tokens by bucket; none where the aspect is not told. */
function sumsOf(
  record: Readonly<Record<string, unknown>>,
  aspect: Aspect,
): readonly [nats: readonly number[], tokens: readonly number[]] {
  const { field } = aspects[aspect];
  const listOf = (name: string) => record[field + name] as readonly number[] | undefined ?? [];
  return [listOf("Nats"), listOf("Tokens")];
}

/**
 * Measures of one model: "nats" a token over all targets, and at each bucket of each aspect, over the documents that have such;
 * and, paired by document, how many of these it gains over a baseline.
 */
export function tokenLossMeasures(records: readonly TokenLossRecord[]): Measure[] {
  const measureOf = (
    documents: readonly Pick<TokenLossRecord, "item" | "cluster" | "nats" | "tokens">[],
    at?: readonly [aspect: Aspect, bucket: string],
  ): Measure => {
    const where = at ? ` at ${at.join(" ")}` : "";
    return {
      measure: "nats",
      ...(at && { at: Object.fromEntries([at]) }),
      name: `nats${where}`,
      unit: "nats/token",
      higherIsBetter: false,
      sums: sumsOver(documents, {
        unit: "documents",
        numerator: ({ nats }) => nats,
        denominator: ({ tokens }) => tokens,
        perUnit: "tokens",
      }),
      differences: [{ ...gain, name: (baseline) => `gain${where} over ${baseline}` }],
    };
  };
  return [
    measureOf(records),
    ...aspectNames.flatMap((aspect) => {
      const count = Math.max(0, ...records.map((record) => sumsOf(record, aspect)[0].length));
      const buckets = Array.from({ length: count }, (_, bucket) => bucket);
      const { nameOf } = aspects[aspect];
      const isNever = (bucket: number) => nameOf(bucket) === never;
      const ordered = [...buckets.filter((bucket) => !isNever(bucket)), ...buckets.filter(isNever)];
      return ordered.flatMap((bucket) => {
        const documents = records.flatMap((record) => {
          const [nats, tokens] = sumsOf(record, aspect).map((sums) => sums[bucket]);
          return tokens > 0 ? [{ ...record, nats, tokens }] : [];
        });
        return documents.length > 0 ? [measureOf(documents, [aspect, nameOf(bucket)])] : [];
      });
    }),
  ];
}

/** The record of a document that was scored several times: the mean of its nats. */
export function averageTokenLoss(records: readonly SampleRecord[]): SampleRecord {
  const lists = Object.keys(records[0]).filter((name) => /.Nats$/.test(name));
  return {
    ...records[0],
    nats: meanOf(records, "nats"),
    ...Object.fromEntries(lists.map((name) => [name, meansOf(records, name)])),
  };
}

/** The place of a metric of this file in tables. */
function tokenLossLabel({ measure, at = {}, over }: MetricKey): MetricLabel {
  const [point] = Object.entries(at);
  const isGain = over !== undefined;
  if (!point) {
    return isGain
      ? { part: "", header: measure, meaning: `over ${over}`, isGain }
      : { part: "", header: measure };
  }
  const [aspect, bucket] = point;
  const { field, noun } = aspects[aspect as Aspect];
  const what = isGain ? `gain over ${over}` : measure;
  return {
    part: `${what} by ${noun}`,
    header: String(bucket),
    ...(isGain && { isGain }),
    ...(isGain && aspect !== "names" && {
      axis: { figure: `gain-${field}`, label: noun, measure: what },
    }),
  };
}

/** The loss of whole documents by the context of each token. */
export interface TokenLossEvaluation extends DocumentEvaluation {
  /** Distinguishes it from other kinds of evaluation. */
  readonly kind: "token-loss";
  /** Whether mentions of names are told apart (default: of a corpus of files). */
  readonly names: boolean;
}

/** The same as declared. */
export type TokenLossDeclaration = DeclaredEvaluation<TokenLossEvaluation, "kind" | "split">;

const form = evaluationForm("token-loss", () => ({
  ...documentFields,
  names: trueOrFalse.exactOptional(),
}));
type _FormAcceptsTheType = Assert<Accepts<ReturnType<typeof form>, TokenLossDeclaration>>;

export const tokenLoss: EvaluationKind<TokenLossDeclaration, TokenLossEvaluation, TokenLossRecord> =
  {
    schema: form,
    ...documentKind,
    fill: (declared, from) => ({
      names: corpora.get(from.corpus).treatment !== undefined,
      ...documentKind.fill(declared, from),
    }),
    check: (evaluation, path, experiment) => [
      ...documentKind.check(evaluation, path, experiment),
      ...(evaluation.names && !corpora.get(experiment.corpus.kind).treatment
        ? [wrong(
          `${path}.names`,
          'must be false where corpus.kind is not "files", as there is no text with capitals',
          true,
          "false",
        )]
        : []),
    ],
    async prepare(evaluation, { texts }) {
      const { split, names } = evaluation, { tokenizer } = texts;
      return documentItems(evaluation, await texts.documents(split), {
        tokenizer,
        known: ({ tokens }) => ({ buckets: bucketsOf(tokens, names ? tokenizer : undefined) }),
        score: scoreTokenLoss,
      });
    },
    average: averageTokenLoss,
    version: () => 1,
    record: tokenLossRecord,
    measures: tokenLossMeasures,
    label: tokenLossLabel,
  };
