/**
 * Several texts of other works that a control reads in the place of each document, one after the other: a single one
 * may fit the document well or badly by chance.
 */
import { InputRangeError } from "../../errors.ts";
import { Random } from "../../random.ts";
import { mean } from "../../statistics/estimates.ts";
import { concatenate } from "../../text/segments.ts";
import {
  type ClusteredDocument,
  cutLike,
  isBeginning,
  type ReadableDocument,
} from "./language_model.ts";

/** Version of how several texts are chosen and scored: it changes whenever the same model would get another number. */
export const severalTextsVersion = 1;

/** How many texts are read in the place of each, and how they are chosen. */
export interface SeveralTexts {
  /** Texts k in the place of each document. */
  readonly texts: number;
  /** Tokens that a memory holds: of a longer document no more are asked for. */
  readonly capacityTokens: number;
  /** Seed of the choice. */
  readonly seed: number;
  /** Texts that are not on the list: they are chosen, too, where it has too few other clusters. */
  readonly unscoredTexts?: (() => readonly ItemText[]) | undefined;
}

/** The text that is read before an item's questions; a control reads another one in its place. */
export interface ItemText extends ClusteredDocument {
  readonly name: string;
}

/**
 * Texts that a control reads in place of each document of a list: k texts, each of another cluster. A document without a cluster is
 * one of its own, and clusters with the same text are taken only where there are too few others. A text is as long as the part of
 * the document that a memory of `capacityTokens` tokens holds, where there is one: a document of the cluster, or several, joined
 * where none is long enough. Which clusters and documents is drawn by the seed and the document's name. Clusters that are too short
 * come last, the longest first; they are read again.
 *
 * @returns For each of the k texts those of all documents, in segments as long as the document's own.
 * @throws {RangeError} If there are fewer than k other clusters with a text.
 */
export function severalOtherTexts(
  documents: readonly ItemText[],
  options: SeveralTexts,
): ReadableDocument[][] {
  const groups = [...Map.groupBy(documents, ({ group }) => group).values()];
  const chosen = new Map(groups.flatMap((group) => chooseTexts(group, options)));
  return Array.from(
    { length: options.texts },
    (_, k) => documents.map((document) => cutLike(document, [chosen.get(document)![k]])),
  );
}

/** Chooses among documents of one group: of each the tokens of the k texts in its place. */
function chooseTexts(
  documents: readonly ItemText[],
  { texts, capacityTokens, seed, unscoredTexts }: SeveralTexts,
): (readonly [ItemText, readonly Int32Array[]])[] {
  const candidates = documents.map(candidateOf), listed = byCluster(candidates);
  let all: Clusters | undefined;
  return documents.map((document, i) => {
    const { cluster: own, tokens } = candidates[i];
    if (tokens.length === 0) return [document, Array.from({ length: texts }, () => tokens)];
    const othersIn = (clusters: Clusters) => {
      const others = [...clusters].filter(([cluster]) => cluster !== own);
      const different = others.filter(([, members]) =>
        members.every((member) => !isBeginning(document, member.document))
      );
      return different.length < texts ? others : different;
    };
    let others = othersIn(listed);
    if (others.length < texts && unscoredTexts) {
      all ??= byCluster([
        ...candidates,
        ...unscoredTexts().filter(({ group }) => group === document.group).map(candidateOf),
      ]);
      others = othersIn(all);
    }
    if (others.length < texts) {
      throw new InputRangeError(
        `Cannot read ${texts} texts of other works in the place of "${document.name}" as there are ` +
          `${others.length}: current value of texts is ${texts}, allowed are ` +
          (others.length === 0 ? "none" : `integers from 1 to ${others.length}`),
      );
    }
    const needed = Math.min(capacityTokens, tokens.length);
    const random = new Random(`${seed}/other texts/${document.name}`);
    const drawn = random.shuffle(others).map(([, members]) => {
      const order = random.shuffle(members.map(({ tokens }) => tokens));
      const whole = order.find(({ length }) => length >= needed);
      const text = whole ?? joinUntil(order, needed);
      return { text, tier: whole ? 0 : text.length >= needed ? 1 : 2 };
    });
    // Sorting is stable: within a tier the order is the drawn one.
    const sorted = drawn
      .sort((a, b) => a.tier - b.tier || (a.tier === 2 ? b.text.length - a.text.length : 0));
    return [document, sorted.slice(0, texts).map(({ text }) => text)];
  });
}

/** A text that may be read in the place of another. */
interface Candidate {
  readonly document: ReadableDocument;
  readonly cluster: string;
  readonly tokens: Int32Array;
}

type Clusters = ReadonlyMap<string, readonly Candidate[]>;

function candidateOf(document: ItemText): Candidate {
  return { document, cluster: clusterOf(document), tokens: tokensOf(document) };
}

function byCluster(candidates: readonly Candidate[]): Clusters {
  return Map.groupBy(
    candidates.filter(({ tokens }) => tokens.length > 0),
    ({ cluster }) => cluster,
  );
}

/** The mean of a number, or of a truth as 0 or 1, that several records of one item hold in a field. */
export function meanOf(records: readonly { readonly [field: string]: unknown }[], field: string) {
  return mean(records.map((record) => Number(record[field]))).value;
}

/** The means of numbers that several records of one item hold in a field, place by place. */
export function meansOf(records: readonly { readonly [field: string]: unknown }[], field: string) {
  const lists = records.map((record) => record[field] as readonly number[]);
  return lists[0].map((_, i) => mean(lists.map((list) => list[i])).value);
}

function clusterOf({ name, cluster }: ItemText): string {
  // A document of its own is not mistaken for a cluster of the same name.
  return cluster === undefined ? `document ${name}` : `cluster ${cluster}`;
}

function tokensOf({ segments }: ReadableDocument): Int32Array {
  return concatenate(
    segments.map(({ tokens, targetTokens }) => tokens.subarray(0, targetTokens)),
  );
}

/** The first of some texts as one: as many as give so many tokens, or all. */
function joinUntil(texts: readonly Int32Array[], needed: number): Int32Array {
  const joined: number[] = [];
  for (const text of texts) {
    if (joined.length >= needed) break;
    for (const token of text) joined.push(token);
  }
  return Int32Array.from(joined);
}
