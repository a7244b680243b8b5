/**
 * Learns a byte-level BPE from text (Sennrich et al. 2016): the most frequent pair of neighbours becomes a
 * token, again and again.
 */
import { type BpeDefinition, byteCharacters, preTokens } from "./byte_level_bpe.ts";
import { InputRangeError } from "../errors.ts";

/** What a trained vocabulary should look like. */
export interface BpeTrainingOptions {
  /** Tokens in the vocabulary: 4 special ones, 256 bytes, the rest learnt. */
  readonly vocabSize: number;
  /** How often a pair must occur to become a token; default 2. */
  readonly minimumCount?: number;
}

/** Special tokens by id, as every fairseq dictionary has them. */
const specialTokens = ["<s>", "<pad>", "</s>", "<unk>"];

/**
 * Trains a byte-level BPE. The result depends on the texts and options alone: of pairs that are equally frequent
 * the one with the smaller left id wins, then the one with the smaller right id.
 *
 * @param texts Texts to learn from, for example one a document; tens of megabytes take well under a minute.
 * @throws {RangeError} If the vocabulary cannot hold the bytes, or the texts are too few to fill it.
 */
export function trainByteLevelBpe(
  texts: Iterable<string>,
  options: BpeTrainingOptions,
): BpeDefinition {
  const { vocabSize, minimumCount = 2 } = options;
  const smallest = specialTokens.length + byteCharacters.length;
  if (!Number.isInteger(vocabSize) || vocabSize < smallest || vocabSize > 2 ** 20) {
    throw new InputRangeError(
      `Cannot train a vocabulary as vocabSize must be an integer in ${smallest} .. 2^20: current value is ${vocabSize}`,
    );
  }
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
  /** Words that held the pair when it was counted; some may not hold it any more. */
  readonly words: Set<number>;
}

/** A place in the heap: the pair and its count when it was queued. */
interface QueuedPair {
  readonly pair: Pair;
  readonly count: number;
}

/** Above any id: packs two of them into one exact integer. */
const packing = 2 ** 20;

/** How often each pair of neighbours occurs, kept up to date while pairs merge. */
class PairCounts {
  /** Ids of each distinct pre-token. */
  readonly #words: number[][] = [];
  /** Occurrences of each distinct pre-token. */
  readonly #wordCounts: number[] = [];
  readonly #pairs = new Map<number, Pair>();
  /** Binary heap, the most frequent pair at the root; a pair that grew is queued anew, one that shrank is not. */
  readonly #heap: QueuedPair[] = [];

  constructor(preTokenCounts: ReadonlyMap<string, number>, firstByteId: number) {
    const utf8 = new TextEncoder();
    for (const [preToken, count] of preTokenCounts) {
      this.#words.push(Array.from(utf8.encode(preToken), (byte) => firstByteId + byte));
      this.#wordCounts.push(count);
    }
    for (let word = 0; word < this.#words.length; word++) this.#count(word, 1);
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
  merge(pair: Pair, merged: number): void {
    const grown = new Set<Pair>();
    for (const word of pair.words) {
      const symbols = this.#words[word];
      this.#count(word, -1);
      let length = 0;
      for (let i = 0; i < symbols.length; i++) {
        const joins = symbols[i] === pair.left && symbols[i + 1] === pair.right;
        symbols[length++] = joins ? merged : symbols[i];
        if (joins) i++;
      }
      symbols.length = length;
      this.#count(word, 1, grown);
    }
    pair.words.clear();
    for (const pair of grown) this.#queue(pair);
  }

  /** Counts the pairs of a word in (sign 1) or out (sign -1), collecting the pairs touched. */
  #count(word: number, sign: 1 | -1, touched?: Set<Pair>): void {
    const symbols = this.#words[word], count = sign * this.#wordCounts[word];
    for (let i = 0; i + 1 < symbols.length; i++) {
      const left = symbols[i], right = symbols[i + 1];
      const key = left * packing + right;
      let pair = this.#pairs.get(key);
      if (pair === undefined) {
        pair = { left, right, count: 0, words: new Set() };
        this.#pairs.set(key, pair);
      }
      pair.count += count;
      if (sign > 0) pair.words.add(word);
      touched?.add(pair);
    }
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
