/**
 * The models' interface to evaluations: rows that read documents segment by segment. Evaluations do not know which model they score.
 */
import { concatenate, type Segment } from "../../text/segments.ts";
import { InputRangeError } from "../../errors.ts";
import type { Batch, LongMemModel, RetrievedChunks } from "../../longmem/longmem_model.ts";
import { type Network, networks } from "../../longmem/networks.ts";
import type { TokenWindow } from "../../longmem/token_window.ts";

/** The next segment of every row. */
export interface SegmentRows {
  /** Token ids [B, T], row by row. */
  readonly tokens: Int32Array;
  /** The id that follows each [B, T]. */
  readonly targets: Int32Array;
  /** Rows B. */
  readonly rows: number;
  /** Tokens of each row that are not padding, the first so many [B]; absent: all. An id tells nothing: in most vocabularies none is padding. */
  readonly lengths?: readonly number[];
}

/** Token ids of a row, without the padding behind them. */
export function tokensOfRow(
  { tokens, rows, lengths }: Pick<SegmentRows, "tokens" | "rows" | "lengths">,
  row: number,
): Int32Array {
  const T = tokens.length / rows;
  return tokens.subarray(row * T, row * T + (lengths?.[row] ?? T));
}

/** A model that reads documents side by side, each in a row of its own. */
export interface LanguageModel {
  /** Name in results. */
  readonly name: string;
  /**
   * Begins a document in a row: the row's earlier text is forgotten.
   *
   * @param document Number of the document in the evaluation's list.
   */
  startDocument(row: number, document: number): Promise<void>;
  /**
   * Reads the next segment of every row.
   *
   * @returns Negative log-likelihood of each target given everything the row has read, in nats [B, T].
   */
  score(segment: SegmentRows): Promise<Float32Array>;
}

/** A model's scores of the targets of a batch. */
export interface Choices {
  /** Negative log-likelihood of each target, in nats [B, T]. */
  readonly nll: Float32Array;
  /** The most likely token of the whole vocabulary in the place of each target [B, T]. */
  readonly choices: Int32Array;
  /** Rank of each target in the whole vocabulary, from 1: one more than the tokens that are more likely [B, T]. */
  readonly ranks?: Int32Array;
}

/** A model that can also be asked which token it would have named. */
export interface ChoosingModel extends LanguageModel {
  /** Reads the next segment of every row, as `score` does. */
  choose(segment: SegmentRows): Promise<Choices>;
}

/**
 * A model that can be asked about the text it has read: prompts are answered from all the text of a row, one after the
 * other, and do not change it.
 */
export interface PromptedModel extends ChoosingModel {
  /** Whether its answers to prompts do not depend on the text that it has read. */
  readonly remembersNothing?: true;
  /** Reads the next segment of every row without saying anything of it: its `targets` are not looked at. */
  read(segment: Pick<SegmentRows, "tokens" | "rows" | "lengths">): Promise<void>;
  /** Whether prompts may have the targets of the last tokens of each row alone. */
  readonly asksEnds?: true;
  /** Scores the targets of a prompt of every row, as `choose` does, but leaves the text that the rows have read unchanged. */
  ask(prompt: SegmentRows): Promise<Choices>;
  /**
   * Finds the chunks of the rows' text that a memory returns at each position of the prompts; absent where the model has no
   * such memory, or the memory holds other text than the row has read.
   */
  retrieves?(prompt: Pick<SegmentRows, "tokens" | "rows">): Promise<RetrievedChunks>;
  /**
   * Opens a window for a prompt, after the text of the first row, and tokens that continue it one by one; absent where each of
   * them takes a pass over all of the prompt.
   */
  openWindow?(options: { readonly contextTokens: number }): TokenWindow;
}

/** The methods of a LongMem that evaluations use. */
export interface ScoredLongMem extends Pick<LongMemModel, "score" | "remember" | "resetMemory"> {
  /** Scores, and says which token is most likely to follow each. */
  choose(
    tokens: Int32Array,
    targets: Int32Array,
    options?: Batch & { network?: Network },
  ): Promise<Choices>;
  /** Says which chunks of its memory the tokens of a batch would read; absent where that is not asked. */
  retrieved?(tokens: Int32Array, options?: { batch?: number }): Promise<RetrievedChunks>;
  /** Opens a window that caches keys and values; absent where that is not asked. */
  openWindow?(options: { contextTokens: number; network?: Network }): TokenWindow;
}

/**
 * Adapts one network of a LongMem for evaluations; memory is reset where a document begins, and holds no padding.
 *
 * @param name Name in results.
 */
export function languageModel(
  name: string,
  model: ScoredLongMem,
  network: Network,
): PromptedModel {
  const { memory, followsCache } = networks.get(network);
  return {
    name,
    startDocument: (row) => model.resetMemory([row]),
    score: (segment) =>
      model.score(segment.tokens, segment.targets, { ...batchOf(segment), network }),
    choose: (segment) =>
      model.choose(segment.tokens, segment.targets, { ...batchOf(segment), network }),
    read: (segment) =>
      memory ? model.remember(segment.tokens, batchOf(segment)) : Promise.resolve(),
    asksEnds: true,
    ask: ({ tokens, targets, rows }) =>
      model.choose(tokens, targets, { batch: rows, network, readOnly: true }),
    ...(!memory && { remembersNothing: true }),
    ...(followsCache && model.openWindow && {
      openWindow: ({ contextTokens }) => model.openWindow!({ contextTokens, network }),
    }),
    ...(memory?.tells === "chunks" && model.retrieved && {
      retrieves: ({ tokens, rows }) => model.retrieved!(tokens, { batch: rows }),
    }),
  };
}

/** A batch as models take it; where all rows are whole, nothing is said of padding. */
function batchOf(
  { tokens, rows, lengths }: Pick<SegmentRows, "tokens" | "rows" | "lengths">,
): Batch {
  const isWhole = lengths?.every((length) => length === tokens.length / rows) ?? true;
  return isWhole ? { batch: rows } : { batch: rows, lengths: lengths! };
}

/**
 * A model that scores a segment, and is asked prompts, without reading: what it has scored it then reads.
 *
 * @param name Name in results.
 */
export function readingModel(
  name: string,
  { score, ...model }: Pick<PromptedModel, "startDocument" | "score" | "read" | "ask">,
): PromptedModel {
  return {
    name,
    ...model,
    async score(segment) {
      const nll = await score(segment);
      await model.read(segment);
      return nll;
    },
    async choose(segment) {
      const choices = await model.ask(segment);
      await model.read(segment);
      return choices;
    },
  };
}

/** A text that can be read in place of a document. */
export interface ReadableDocument {
  /** Segments [T], of which the first `targetTokens` are not padding. */
  readonly segments: readonly (Pick<Segment, "targetTokens"> & { readonly tokens: Int32Array })[];
}

/** A text of segments without padding. */
export function readableText(segments: readonly Int32Array[]): ReadableDocument {
  return { segments: segments.map((tokens) => ({ tokens, targetTokens: tokens.length })) };
}

/** Another text in segments as long as a document's; a shorter one is read again and again, and one without tokens has none. */
export function cutLike(
  { segments }: ReadableDocument,
  others: readonly Int32Array[],
): ReadableDocument {
  const other = concatenate(others);
  if (other.length === 0) return { segments: [] };
  let read = 0;
  return readableText(
    segments.map(({ tokens }) => tokens.map(() => other[read++ % other.length])),
  );
}

/** A document with the properties that decide which other one takes its place. */
export interface ClusteredDocument extends ReadableDocument {
  /** Its work or author; absent where the corpus does not say. */
  readonly cluster?: string;
  /** Documents of one group alone stand in for each other (default: all do). */
  readonly group?: unknown;
}

/**
 * Documents that a control reads in place of each document of a list: the next other text of its group, after the last the first. Where
 * documents have clusters, it is the next one of another cluster that is at least as long, or else the longest of other clusters,
 * so that no text shares its author or names with the document's own.
 *
 * @param furtherDocuments Documents that are not on the list: one is taken where the list has none.
 * @throws {RangeError} If there is no other document, or none of another cluster.
 */
export function otherDocuments<Document extends ClusteredDocument>(
  documents: readonly Document[],
  furtherDocuments: () => readonly Document[] = () => [],
): Document[] {
  const groups = Map.groupBy(documents.keys(), (i) => documents[i].group);
  let further: readonly Document[] | undefined;
  return documents.map((document, i) => {
    const { group, cluster } = document;
    const own = groups.get(group)!, at = own.indexOf(i);
    const following = [...own.slice(at + 1), ...own.slice(0, at)].map((other) => documents[other]);
    const fits = (other: Document) => cluster === undefined || other.cluster !== cluster;
    let others = following.filter(fits);
    if (others.length === 0) {
      further ??= furtherDocuments();
      others = further.filter((other) => other.group === group && fits(other));
    }
    if (others.length === 0) {
      throw new InputRangeError(
        following.length === 0 && !further?.length
          ? "Cannot read another document as there is none: current number of documents is 1, allowed are 2 and more"
          : `Cannot read a document of another cluster as there is none: current cluster of all documents is "${cluster}"`,
      );
    }
    // Several items may be asked about one text.
    const different = others.filter((other) => !isBeginning(document, other));
    if (different.length > 0) others = different;
    if (cluster === undefined) return others[0];
    const length = lengthOf(document);
    return others.find((other) => lengthOf(other) >= length) ??
      others.reduce((longest, other) => lengthOf(other) > lengthOf(longest) ? other : longest);
  });
}

/**
 * The texts that {@linkcode otherDocuments} chooses, in segments as long as those of the documents in whose place they are read: where
 * all segments are of one length, as they are.
 */
export function otherReadings(
  documents: readonly ClusteredDocument[],
  furtherDocuments?: () => readonly ClusteredDocument[],
): ReadableDocument[] {
  const others = otherDocuments(documents, furtherDocuments);
  const lengths = [...documents, ...others]
    .flatMap(({ segments }) => segments.map(({ tokens }) => tokens.length));
  if (new Set(lengths).size <= 1) return others;
  return others.map(({ segments }, i) =>
    cutLike(
      documents[i],
      segments.map(({ tokens, targetTokens }) => tokens.subarray(0, targetTokens)),
    )
  );
}

/** Whether the shorter of two texts is the beginning of the other. */
export function isBeginning(first: ReadableDocument, second: ReadableDocument): boolean {
  return first.segments.every(({ tokens, targetTokens }, i) => {
    const other = second.segments[i];
    const shared = Math.min(targetTokens, other?.targetTokens ?? 0);
    return tokens.subarray(0, shared).every((id, j) => id === other.tokens[j]);
  });
}

function lengthOf({ segments }: ReadableDocument): number {
  return segments.reduce((sum, { targetTokens }) => sum + targetTokens, 0);
}
