/**
 * Learns a byte-level BPE from text (Sennrich et al. 2016): the most frequent pair of neighbours becomes a
 * token, again and again.
 */
import { type BpeDefinition, byteCharacters, preTokens } from "./byte_level_bpe.ts";
import { specialTokens } from "./tokenizer.ts";
import { InputRangeError } from "../errors.ts";

/** How often a pair must occur to become a token. */
const minimumCount = 2;

/**
 * Trains a byte-level BPE. The result depends on the texts and options alone: of pairs that are equally frequent
 * the one with the smaller left id wins, then the one with the smaller right id.
 *
 * @param texts Texts to learn from, for example one a document; tens of megabytes take well under a minute.
 * @param options `vocabSize`: tokens in the vocabulary, at most {@linkcode mostTrainedTokens}: 4 special ones, 256 bytes, the rest learnt.
 * @throws {RangeError} If the texts are too few to fill it.
 */
export function trainByteLevelBpe(
  texts: Iterable<string>,
  { vocabSize }: { readonly vocabSize: number },
): BpeDefinition {
  const tokens = [...specialTokens, ...byteCharacters];
  const merges: [string, string][] = [];
  const pairs = new PairCounts(countPreTokens(texts), specialTokens.length);
  while (tokens.length < vocabSize) {
    const best = pairs.mostFrequent();
    if (best === undefined || best.count < minimumCount) {
      throw new InputRangeError(
        `Cannot train a vocabulary of ${vocabSize} tokens as too few pairs occur ${minimumCount} times or more ` +
          `in the texts: they suffice for ${tokens.length} tokens; a smaller tokenizer.vocabSize or more text would help`,
      );
    }
    const left = tokens[best.left], right = tokens[best.right];
    merges.push([left, right]);
    pairs.merge(best, tokens.length);
    tokens.push(left + right);
  }
  return { vocab: new Map(tokens.map((token, id) => [token, id])), merges };
}

/**
 * The beginning of a text, at most so many bytes of UTF-8, without a part of a character, and its size; the size is not counted
 * where there is no limit.
 */
export function firstBytes(
  text: string,
  maxBytes: number,
): { readonly part: string; readonly sizeBytes: number } {
  if (maxBytes === Infinity) return { part: text, sizeBytes: 0 };
  // A UTF-16 unit takes three bytes at most.
  const bytes = new Uint8Array(Math.min(maxBytes, 3 * text.length));
  const { read, written } = new TextEncoder().encodeInto(text, bytes);
  return { part: text.slice(0, read), sizeBytes: written };
}

function countPreTokens(texts: Iterable<string>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const text of texts) {
    for (const preToken of preTokens(text)) {
      counts.set(preToken, (counts.get(preToken) ?? 0) + 1);
    }
  }
  return counts;
}

interface Pair {
  readonly left: number;
  readonly right: number;
  /** Occurrences in the texts, as the merges so far leave them. */
  count: number;
  /** Where its left symbol was when it was counted; the pair may not be there any more. */
  readonly places: number[];
}

/** A place in the heap: the pair and its count when it was queued. */
interface QueuedPair {
  readonly pair: Pair;
  readonly count: number;
}

/** Tokens of a vocabulary at most: packs two ids into one exact integer. */
export const mostTrainedTokens = 2 ** 20;

/**
 * How often each pair of neighbours occurs, kept up to date while pairs merge. Symbols are linked within their pre-token, so that
 * a merge takes time for the pairs that it changes, not for the pre-tokens that hold them, which may be megabytes.
 */
class PairCounts {
  /** Ids of all distinct pre-tokens, one after another; -1 where a merge has taken a symbol. */
  readonly #symbols: Int32Array;
  /** Place of the symbol after each one of a pre-token, and of that before; -1 at its ends. */
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  /** Occurrences of the pre-token at each place. */
  readonly #weights: Float64Array;
  readonly #pairs = new Map<number, Pair>();
  /** Binary heap, the most frequent pair at the root; a pair that grew is queued again, one that shrank is not. */
  readonly #heap: QueuedPair[] = [];

  constructor(preTokenCounts: ReadonlyMap<string, number>, firstByteId: number) {
    const utf8 = new TextEncoder();
    let length = 0;
    for (const preToken of preTokenCounts.keys()) length += utf8.encode(preToken).length;
    this.#symbols = new Int32Array(length);
    this.#weights = new Float64Array(length);
    this.#next = new Int32Array(length).fill(-1);
    this.#previous = new Int32Array(length).fill(-1);
    let place = 0;
    for (const [preToken, count] of preTokenCounts) {
      const first = place;
      for (const byte of utf8.encode(preToken)) {
        this.#symbols[place] = firstByteId + byte;
        this.#weights[place] = count;
        if (place > first) {
          this.#next[place - 1] = place;
          this.#previous[place] = place - 1;
        }
        place++;
      }
    }
    for (let i = 0; i < length; i++) if (this.#next[i] >= 0) this.#add(i);
    for (const pair of this.#pairs.values()) this.#queue(pair);
  }

  /** The pair to merge next; undefined when no pre-token has two symbols. */
  mostFrequent(): Pair | undefined {
    while (this.#heap.length > 0) {
      const { pair, count } = this.#heap[0];
      if (pair.count === count) return pair;
      this.#dequeue();
      if (pair.count > 0 && pair.count < count) this.#queue(pair);
    }
    return undefined;
  }

  /** Replaces a pair by one symbol wherever it occurs. */
  merge({ left, right, places }: Pair, merged: number): void {
    const symbols = this.#symbols, next = this.#next, previous = this.#previous;
    const grown = new Set<Pair>();
    // Those of two equal symbols are in order, so that of three the first two merge.
    for (const place of places) {
      const taken = next[place];
      if (symbols[place] !== left || taken < 0 || symbols[taken] !== right) continue;
      const before = previous[place], after = next[taken];
      for (const changed of [before, place, taken]) {
        if (changed >= 0 && next[changed] >= 0) this.#pairAt(changed).count -= this.#weights[place];
      }
      symbols[place] = merged;
      symbols[taken] = -1;
      next[place] = after;
      next[taken] = -1;
      if (after >= 0) previous[after] = place;
      for (const changed of [before, place]) {
        if (changed >= 0 && next[changed] >= 0) grown.add(this.#add(changed));
      }
    }
    places.length = 0;
    for (const pair of grown) this.#queue(pair);
  }

  /** Counts the pair at a place in. */
  #add(place: number): Pair {
    const pair = this.#pairAt(place);
    pair.count += this.#weights[place];
    pair.places.push(place);
    return pair;
  }

  /** The pair of the symbol at a place and the next one. */
  #pairAt(place: number): Pair {
    const left = this.#symbols[place], right = this.#symbols[this.#next[place]];
    const key = left * mostTrainedTokens + right;
    let pair = this.#pairs.get(key);
    if (pair === undefined) {
      pair = { left, right, count: 0, places: [] };
      this.#pairs.set(key, pair);
    }
    return pair;
  }

  #queue(pair: Pair): void {
    const heap = this.#heap, entry = { pair, count: pair.count };
    let i = heap.length;
    heap.push(entry);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!isBefore(entry, heap[parent])) break;
      heap[i] = heap[parent];
      i = parent;
    }
    heap[i] = entry;
  }

  #dequeue(): void {
    const heap = this.#heap, entry = heap.pop()!;
    if (heap.length === 0) return;
    let i = 0;
    while (true) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1], heap[child])) child++;
      if (!isBefore(heap[child], entry)) break;
      heap[i] = heap[child];
      i = child;
    }
    heap[i] = entry;
  }
}

function isBefore(a: QueuedPair, b: QueuedPair): boolean {
  if (a.count !== b.count) return a.count > b.count;
  if (a.pair.left !== b.pair.left) return a.pair.left < b.pair.left;
  return a.pair.right < b.pair.right;
}
