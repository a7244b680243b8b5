/**
 * Byte-level byte-pair encoding, as GPT-2 introduced it (specification section 2): text is cut into
 * pre-tokens, each is a sequence of UTF-8 bytes, and learnt merges join neighbours, the earliest learnt first.
 */
import { InputTypeError } from "../errors.ts";
import { remembering } from "./remembering.ts";
import { Merges } from "./merges.ts";

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
export const preTokenPattern: RegExp =
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
const keptPreTokens = 1 << 18;

/** Encodes text by a byte-level BPE. */
export class ByteLevelBpe {
  readonly #merges: Merges;
  readonly #byteIds: Int32Array;
  readonly #utf8 = new TextEncoder();
  readonly #idsOf = remembering(keptPreTokens, (preToken) => {
    const bytes = this.#utf8.encode(preToken);
    return this.#merges.join(Array.from(bytes, (byte) => this.#byteIds[byte]));
  });

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
    this.#merges = new Merges(merges.map(([left, right], rank) => ({
      left: idOf(left, `the left side of merge ${rank}`),
      right: idOf(right, `the right side of merge ${rank}`),
      merged: idOf(left + right, `the result of merge ${rank}`),
    })));
  }

  /** Encodes text; a lone surrogate, which UTF-8 cannot hold, counts as U+FFFD. */
  encode(text: string): number[] {
    const ids: number[] = [];
    for (const [preToken] of text.matchAll(preTokenPattern)) {
      const found = this.#idsOf(preToken);
      for (let i = 0; i < found.length; i++) ids.push(found[i]);
    }
    return ids;
  }
}
