/**
 * Byte-level byte-pair encoding, as GPT-2 introduced it (specification section 2): text is cut into
 * pre-tokens, each is a sequence of UTF-8 bytes, and learnt merges join neighbours, the earliest learnt first.
 */
import { InputTypeError } from "../errors.ts";

/** Tokens and merges of a byte-level BPE; every byte is written as one printable character. */
export interface BpeDefinition {
  /** Ids of the tokens, a token being written in the characters of `byteCharacters`. */
  readonly vocab: ReadonlyMap<string, number>;
  /** Pairs of tokens in the order in which they were learnt. */
  readonly merges: readonly (readonly [left: string, right: string])[];
  /** Name of its source, for errors. */
  readonly name?: string;
}

/**
 * The character that stands for each byte in vocabulary files: the byte's own Latin-1 character where it
 * is printable, otherwise one of U+0100 and up, so that files hold no spaces or control characters.
 */
export const byteCharacters: readonly string[] = (() => {
  let unprintable = 0;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte !== 0xad);
    return String.fromCharCode(printable ? byte : 256 + unprintable++);
  });
})();

const byteOfCharacter = new Map(byteCharacters.map((character, byte) => [character, byte]));

/**
 * GPT-2's pre-tokenisation. Its `\s` is Unicode's White_Space; JavaScript's differs: it has U+FEFF
 * and lacks U+0085.
 */
const preTokenPattern =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

/** Cuts text into the pre-tokens within which merges happen; joined they are the text. */
export function* preTokens(text: string): Generator<string> {
  for (const match of text.matchAll(preTokenPattern)) yield match[0];
}

/** The UTF-8 bytes that a token of a vocabulary file stands for; undefined where it has other characters. */
export function tokenBytes(token: string): Uint8Array | undefined {
  const bytes = new Uint8Array(token.length);
  for (let i = 0; i < token.length; i++) {
    const byte = byteOfCharacter.get(token[i]);
    if (byte === undefined) return undefined;
    bytes[i] = byte;
  }
  return bytes;
}

/** Pre-tokens whose ids are kept; natural text repeats itself, so that most pre-tokens are found here. */
const cachedPreTokens = 1 << 18;
/** Longest pre-token that is kept, in UTF-16 units. */
const cachedLength = 64;
/** Above any number of merges and any number of ids: packs two of them into one exact integer. */
const packing = 2 ** 26;

/** Encodes text by a byte-level BPE. */
export class ByteLevelBpe {
  /** Rank of the merge of a pair, by left * packing + right. */
  readonly #ranks = new Map<number, number>();
  /** Id that the merge of a rank results in. */
  readonly #merged: Int32Array;
  readonly #byteIds: Int32Array;
  readonly #cache = new Map<string, readonly number[]>();
  readonly #utf8 = new TextEncoder();

  /**
   * Prepares a definition for encoding.
   *
   * @throws {TypeError} If a byte has no token, or a merge joins or yields a token that the vocabulary lacks.
   */
  constructor(definition: BpeDefinition) {
    const { vocab, merges, name = "byte-level BPE" } = definition;
    const idOf = (token: string, purpose: string) => {
      const id = vocab.get(token);
      if (id === undefined) {
        throw new InputTypeError(
          `Cannot use ${name} as ${purpose} is missing in the vocabulary: missing token is ${
            JSON.stringify(token)
          }`,
        );
      }
      return id;
    };
    this.#byteIds = Int32Array.from(byteCharacters, (token, byte) => idOf(token, `byte ${byte}`));
    this.#merged = new Int32Array(merges.length);
    for (const [rank, [left, right]] of merges.entries()) {
      const pair = idOf(left, `the left side of merge ${rank}`) * packing +
        idOf(right, `the right side of merge ${rank}`);
      this.#ranks.set(pair, rank);
      this.#merged[rank] = idOf(left + right, `the result of merge ${rank}`);
    }
  }

  /** Encodes text; a lone surrogate, which UTF-8 cannot hold, counts as U+FFFD. */
  encode(text: string): number[] {
    const ids: number[] = [];
    for (const [preToken] of text.matchAll(preTokenPattern)) {
      let found = this.#cache.get(preToken);
      if (found === undefined) {
        found = this.#merge(this.#utf8.encode(preToken));
        if (preToken.length <= cachedLength) {
          if (this.#cache.size >= cachedPreTokens) this.#cache.clear();
          this.#cache.set(preToken, found);
        }
      }
      for (let i = 0; i < found.length; i++) ids.push(found[i]);
    }
    return ids;
  }

  /**
   * Applies the merges to the bytes of one pre-token: always the pair of lowest rank, the leftmost of equals.
   * Symbols are linked by position, candidates wait in a heap: n log n also for pre-tokens of a megabyte.
   */
  #merge(bytes: Uint8Array): number[] {
    const n = bytes.length;
    const symbols = Array.from(bytes, (byte) => this.#byteIds[byte]);
    if (n === 1) return symbols;
    const next = Int32Array.from(symbols, (_, i) => i + 1), previous = next.map((i) => i - 2);
    const candidates: number[] = [];
    const rankAt = (left: number): number | undefined => {
      const right = next[left];
      return right < n ? this.#ranks.get(symbols[left] * packing + symbols[right]) : undefined;
    };
    const propose = (left: number) => {
      const rank = rankAt(left);
      if (rank !== undefined) pushNumber(candidates, rank * packing + left);
    };
    for (let i = 0; i + 1 < n; i++) propose(i);
    while (candidates.length > 0) {
      const candidate = popNumber(candidates);
      const left = candidate % packing, rank = (candidate - left) / packing;
      // Stale where an earlier merge has consumed (-1, in no pair) or changed one of the two symbols.
      if (rankAt(left) !== rank) continue;
      const right = next[left];
      symbols[left] = this.#merged[rank];
      symbols[right] = -1;
      next[left] = next[right];
      if (next[left] < n) previous[next[left]] = left;
      if (previous[left] >= 0) propose(previous[left]);
      propose(left);
    }
    return symbols.filter((symbol) => symbol >= 0);
  }
}

/** Adds a number to a binary heap whose root is the smallest. */
function pushNumber(heap: number[], value: number): void {
  let i = heap.length;
  heap.push(value);
  while (i > 0) {
    const parent = (i - 1) >> 1;
    if (heap[parent] <= value) break;
    heap[i] = heap[parent];
    i = parent;
  }
  heap[i] = value;
}

/** Takes the smallest number out of a heap, which is not empty. */
function popNumber(heap: number[]): number {
  const smallest = heap[0], value = heap.pop()!;
  const n = heap.length;
  let i = 0;
  while (n > 0) {
    let child = 2 * i + 1;
    if (child >= n) break;
    if (child + 1 < n && heap[child + 1] < heap[child]) child++;
    if (heap[child] >= value) break;
    heap[i] = heap[child];
    i = child;
  }
  if (n > 0) heap[i] = value;
  return smallest;
}
