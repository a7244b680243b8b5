/**
 * Retrieval against the best possible: how often a memory returns a chunk from which the next token could be copied.
 *
 * Documents are read as for perplexity. At every token, the target follows the last n tokens of the document, its context. A
 * chunk in memory is right if it holds a token equal to the target that follows the same n tokens in the document. Of the targets
 * for which the memory holds a right chunk, counted is how many have one among those that a query retrieves: of one head on
 * average, of the best head (the one that is right most often over all documents), and of any head. Control: as many chunks drawn at
 * random from those in memory, by the probability that one of them is right.
 */
import { z } from "zod";
import { positiveIntegers } from "../declaration/fields.ts";
import type { Accepts, Assert } from "../declaration/part.ts";
import { type Problem, repetitions, wrong } from "../declaration/problem.ts";
import { InputRangeError, InputTypeError } from "../errors.ts";
import type { RetrievedChunks } from "../longmem/longmem_model.ts";
import type { MemoryConfig } from "../memory/config.ts";
import type { MetricKey, MetricLabel } from "../results/metric_catalog.ts";
import type { SampleRecord } from "../results/records.ts";
import { type DeclaredEvaluation, evaluationForm, type EvaluationKind } from "./evaluation_kind.ts";
import { differenceOf, type Measure, sumsOver } from "./measure.ts";
import { modelKindOf, modelName, models } from "./models.ts";
import {
  type DocumentEvaluation,
  documentFields,
  documentItems,
  documentKind,
  type ReadDocument,
} from "./shared/document_evaluation.ts";
import type { PromptedModel } from "./shared/language_model.ts";
import { readDocuments, type ReadOptions } from "./shared/read_documents.ts";

/** A document whose targets are looked for. */
export interface RetrievalDocument extends ReadDocument {
  /** Its tokens, which the segments cut. */
  readonly tokens: Int32Array;
}

/** The chunks of a document that hold the token after each sequence of n tokens, in order. */
class Continuations {
  readonly #chunks = new Map<string, number[]>();

  /**
   * @param chunkAt Number of the chunk that holds a position of the document, from 0 of the first; undefined where none does.
   */
  constructor(
    readonly tokens: Int32Array,
    readonly n: number,
    chunkAt: (position: number) => number | undefined,
  ) {
    for (let p = n; p < tokens.length; p++) {
      const chunk = chunkAt(p);
      if (chunk === undefined) continue;
      const key = this.#key(p), chunks = this.#chunks.get(key);
      if (!chunks) this.#chunks.set(key, [chunk]);
      else if (chunks.at(-1) !== chunk) chunks.push(chunk);
    }
  }

  /** The right chunks for the target at a position among those from `from` up to below `to`. */
  find(position: number, from: number, to: number): number[] {
    if (position < this.n) return [];
    const chunks = this.#chunks.get(this.#key(position)) ?? [];
    return chunks.slice(countBelow(chunks, from), countBelow(chunks, to));
  }

  /** The n tokens before a position and that at it. */
  #key(position: number): string {
    return this.tokens.subarray(position - this.n, position + 1).join();
  }
}

/** How many of sorted numbers are below another. */
function countBelow(sorted: readonly number[], bound: number): number {
  let low = 0, high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The probability that one of `drawn` chunks, drawn from `stored` of which `right` are right, is right. */
export function chanceOfRight(right: number, stored: number, drawn: number): number {
  let allWrong = 1;
  for (let i = 0; i < Math.min(drawn, stored); i++) {
    allWrong *= Math.max(0, stored - right - i) / (stored - i);
  }
  return 1 - allWrong;
}

/** Counts for a document and a context length. */
interface Counts {
  /** Targets for which the memory holds a right chunk. */
  inMemory: number;
  /** Of these, targets for which each head retrieves one. */
  readonly heads: number[];
  /** Targets for which any head does. */
  anyHead: number;
  /** Expected numbers of such targets where chunks are drawn at random, by one head and by all. */
  randomHead: number;
  randomAnyHead: number;
}

/**
 * Reads all documents and asks at every token which chunks are retrieved; the records are in the order of the documents.
 *
 * @throws {TypeError} If the model does not report retrieved chunks.
 * @throws {RangeError} If the score of a chunk is not finite.
 */
export async function scoreRetrieval(
  model: PromptedModel,
  documents: readonly RetrievalDocument[],
  { chunkTokens: c, matchTokens, ...options }:
    & ReadOptions
    & Pick<RetrievalEvaluation, "matchTokens">
    & Pick<MemoryConfig, "chunkTokens">,
): Promise<SampleRecord[]> {
  if (!model.retrieves) {
    throw new InputTypeError(`Cannot ask model "${model.name}" what it retrieves: it does not say`);
  }
  const counts = documents.map(() => matchTokens.map((): Counts | undefined => undefined));
  const continuations = new Map<number, Continuations[]>();
  await readDocuments(model, documents, options, {
    async read(batch) {
      const retrieved = await model.retrieves!(batch);
      await model.read(batch);
      return retrieved;
    },
    take(retrieved, { document, segment, content, offset }) {
      const T = content.tokens.length, chunksOfSegment = Math.floor(T / c);
      const { tokens } = documents[document];
      if (segment === 0) {
        const chunkAt = (position: number) => {
          const inSegment = Math.floor(position % T / c);
          return inSegment < chunksOfSegment
            ? Math.floor(position / T) * chunksOfSegment + inSegment
            : undefined;
        };
        const found = matchTokens.map((n) => new Continuations(tokens, n, chunkAt));
        continuations.set(document, found);
      }
      const row = offset / T, written = segment * chunksOfSegment;
      const stored = retrieved.stored[row];
      checkScores(retrieved, row, content.targetTokens, {
        evaluation: options.evaluation,
        model: model.name,
        document: documents[document].name,
        position: segment * T,
      });
      for (let t = 0; t < content.targetTokens; t++) {
        const position = segment * T + t + 1;
        continuations.get(document)!.forEach((found, i) => {
          const right = found.find(position, written - stored, written);
          const own = counts[document][i] ??= noCounts(retrieved.heads);
          if (right.length > 0) count(own, right, { retrieved, row, t, written, stored });
        });
      }
      if (segment === documents[document].segments.length - 1) continuations.delete(document);
    },
  });
  return documents.map(({ name, targetTokens, cluster }, i) => ({
    item: name,
    ...(cluster !== undefined && { cluster }),
    targets: targetTokens,
    matchTokens,
    ...fieldsOf(counts[i].map((counts) => counts!)),
  }));
}

/**
 * Checks the scores of a segment's retrieved chunks: where one is not finite, chunks are retrieved by no order.
 *
 * @throws {RangeError} If one is NaN or infinite; it names evaluation, model, document and position.
 */
function checkScores(
  { scores, heads: H, positions: T, chunks: n }: RetrievedChunks,
  row: number,
  targetTokens: number,
  { evaluation, model, document, position }: {
    readonly evaluation: string | undefined;
    readonly model: string;
    readonly document: string;
    /** Position in the document at which the segment begins. */
    readonly position: number;
  },
): void {
  for (let h = 0; scores && h < H; h++) {
    const first = (row * H + h) * T * n;
    const i = scores.subarray(first, first + targetTokens * n)
      .findIndex((score) => !Number.isFinite(score));
    if (i < 0) continue;
    throw new InputRangeError(
      `Cannot evaluate model "${model}"${
        evaluation === undefined ? "" : ` in "${evaluation}"`
      } as ` +
        `the scores of chunks for the token at position ${
          position + Math.floor(i / n)
        } of document "${document}" must be ` +
        `finite: current value of head ${h} is ${scores[first + i]}`,
    );
  }
}

function noCounts(heads: number): Counts {
  const ofHeads = new Array<number>(heads).fill(0);
  return { inMemory: 0, heads: ofHeads, anyHead: 0, randomHead: 0, randomAnyHead: 0 };
}

/** Counts a target for which the memory holds right chunks. */
function count(
  counts: Counts,
  right: readonly number[],
  { retrieved, row, t, written, stored }: {
    readonly retrieved: RetrievedChunks;
    readonly row: number;
    /** Position in the segment. */
    readonly t: number;
    /** Chunks that have been written since the document began. */
    readonly written: number;
    readonly stored: number;
  },
): void {
  const { ages, heads: H, positions: T, chunks: n } = retrieved;
  const rightAges = new Set(right.map((chunk) => written - 1 - chunk));
  let isAny = false;
  for (let h = 0; h < H; h++) {
    const first = ((row * H + h) * T + t) * n;
    const isRight = ages.subarray(first, first + n).some((age) => rightAges.has(age));
    if (isRight) counts.heads[h]++;
    isAny ||= isRight;
  }
  const chance = chanceOfRight(right.length, stored, n);
  counts.inMemory++;
  if (isAny) counts.anyHead++;
  counts.randomHead += chance;
  counts.randomAnyHead += 1 - (1 - chance) ** H;
}

/** The counts of several contexts as lists, heads in order for each context after the other. */
function fieldsOf(counts: readonly Counts[]) {
  return {
    inMemory: counts.map(({ inMemory }) => inMemory),
    heads: counts.flatMap(({ heads }) => heads),
    anyHead: counts.map(({ anyHead }) => anyHead),
    randomHead: counts.map(({ randomHead }) => randomHead),
    randomAnyHead: counts.map(({ randomAnyHead }) => randomAnyHead),
  };
}

const numbers = z.array(z.number());

/** A record as metrics need it. */
export const retrievalRecord = z.looseObject({
  item: z.string(),
  cluster: z.string().exactOptional(),
  targets: z.number().positive(),
  matchTokens: numbers.min(1),
  inMemory: numbers,
  heads: numbers,
  anyHead: numbers,
  randomHead: numbers,
  randomAnyHead: numbers,
}).refine(
  ({ matchTokens: { length }, inMemory, heads, anyHead, randomHead, randomAnyHead }) =>
    [inMemory, anyHead, randomHead, randomAnyHead].every((list) => list.length === length) &&
    heads.length % length === 0,
  { path: ["matchTokens"], message: "must be as many as there are counts" },
);
type RetrievalRecord = z.infer<typeof retrievalRecord>;

/**
 * Measures of one model, for each number n of matched tokens: the share of targets with a right chunk "in memory"; and of these
 * targets those with one "retrieved by a head", one of them on average, "retrieved by the best head", "retrieved by any head" and
 * "retrieved by head" h, from 0; with the controls "random chunks, one head" and "random chunks, any head". And how much more
 * often than a baseline, paired by document.
 */
export function retrievalMeasures(records: readonly RetrievalRecord[]): Measure[] {
  const [{ matchTokens, heads }] = records, H = heads.length / matchTokens.length;
  return matchTokens.flatMap((tokens, i) => {
    const asked = records.filter(({ inMemory }) => inMemory[i] > 0);
    const share = (
      measure: string,
      of: (record: RetrievalRecord) => number,
      options: { at?: Measure["at"]; isCompared?: true } = {},
    ): Measure => {
      const items = measure === "in memory" ? records : asked;
      const name = `${measure}${options.at?.head === undefined ? "" : ` ${options.at.head}`} ` +
        `after ${tokens}`;
      return {
        measure,
        at: { tokens, ...options.at },
        name,
        sums: sumsOver(items, {
          unit: "documents",
          numerator: of,
          denominator: ({ targets, inMemory }) => measure === "in memory" ? targets : inMemory[i],
        }),
        ...(options.isCompared && { differences: [differenceOf(name)] }),
      };
    };
    const ofHead = (head: number) => ({ heads }: RetrievalRecord) => heads[i * H + head];
    const sumOf = (head: number) => asked.reduce((sum, record) => sum + ofHead(head)(record), 0);
    const numbered = Array.from({ length: H }, (_, head) => head);
    const best = numbered.reduce((best, head) => sumOf(head) > sumOf(best) ? head : best, 0);
    const inMemory = share("in memory", (record) => record.inMemory[i]);
    if (asked.length === 0) return [inMemory];
    const compared = { isCompared: true } as const;
    return [
      share("retrieved by any head", (record) => record.anyHead[i], compared),
      share("random chunks, any head", (record) => record.randomAnyHead[i]),
      inMemory,
      share(
        "retrieved by a head",
        (record) => numbered.reduce((sum, head) => sum + ofHead(head)(record), 0) / H,
        compared,
      ),
      share("retrieved by the best head", ofHead(best), compared),
      share("random chunks, one head", (record) => record.randomHead[i]),
      ...(H > 1
        ? numbered.map((head) => share("retrieved by head", ofHead(head), { at: { head } }))
        : []),
    ];
  });
}

/** Whether a measure stands in the first table: all heads together, and the chunks in memory that they could find. */
function isOfAllHeads(measure: string): boolean {
  return measure === "in memory" || measure.endsWith("any head");
}

/** The place of a metric of this file in tables. */
function retrievalLabel({ measure, at = {}, over }: MetricKey): MetricLabel {
  const after = `after ${at.tokens} tokens that match`;
  if (over !== undefined) {
    return { part: `how much more often than ${over} ${after}`, header: measure };
  }
  if (at.head !== undefined) {
    return { part: `retrieved by each head ${after}`, header: String(at.head), isProportion: true };
  }
  return isOfAllHeads(measure)
    ? { part: "", header: `${measure} (${at.tokens})`, isProportion: true }
    : { part: `a right chunk ${after}`, header: measure, isProportion: true };
}

/** How often the chunks that hold the right continuation are retrieved. */
export interface RetrievalEvaluation extends DocumentEvaluation {
  /** Distinguishes it from other kinds of evaluation. */
  readonly kind: "retrieval";
  /** Tokens before the target that must match, of each context that is asked (default 2 and 4). */
  readonly matchTokens: readonly number[];
}

/** The same as declared. */
export type RetrievalDeclaration = DeclaredEvaluation<RetrievalEvaluation, "kind" | "split">;

const form = evaluationForm("retrieval", () => ({
  ...documentFields,
  matchTokens: positiveIntegers.exactOptional(),
}));
type _FormAcceptsTheType = Assert<Accepts<ReturnType<typeof form>, RetrievalDeclaration>>;

/** Models whose memory nobody can ask. */
function modelProblems({ models: listed }: RetrievalEvaluation, path: string): Problem[] {
  const asked = models.all.filter(({ hasSideNet, readsMemory, readsOthers }) =>
    hasSideNet && readsMemory && !readsOthers
  );
  return listed.flatMap((model, i) => {
    const kind = modelKindOf(model), hasWindow = kind.windowTokens?.(model) !== undefined;
    return asked.includes(kind) && !hasWindow ? [] : [wrong(
      `${path}.models.${i}`,
      "must have a SideNet that retrieves from the document's own memory, and disjoint segments",
      modelName(model),
      models.names.filter((name) => asked.includes(models.get(name))).join(", "),
    )];
  });
}

export const retrieval: EvaluationKind<RetrievalDeclaration, RetrievalEvaluation, RetrievalRecord> =
  {
    schema: form,
    ...documentKind,
    fill: (declared, from) => ({ matchTokens: [2, 4], ...documentKind.fill(declared, from) }),
    check: (evaluation, path, experiment) => [
      ...documentKind.check(evaluation, path, experiment),
      ...repetitions(evaluation.matchTokens, `${path}.matchTokens`, "numbers"),
      ...modelProblems(evaluation, path),
    ],
    async prepare(evaluation, { texts }) {
      const { split, matchTokens } = evaluation, { chunkTokens } = evaluation.memory!;
      return documentItems(evaluation, await texts.documents(split), {
        tokenizer: texts.tokenizer,
        known: ({ tokens }) => ({ tokens }),
        score: (model, documents, options) =>
          scoreRetrieval(model, documents, { ...options, chunkTokens, matchTokens }),
      });
    },
    // 2: differences are those of the shares, also where models do not have the same targets in memory.
    version: () => 2,
    record: retrievalRecord,
    measures: retrievalMeasures,
    label: retrievalLabel,
  };
