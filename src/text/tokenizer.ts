import { createHash } from "../system.ts";
import { InputRangeError } from "../errors.ts";

/** Most tokens of a vocabulary that is read; ids are below it. */
export const maxVocabSize = 2 ** 22;

/** Ids of the special tokens; no text encodes to one, except to `unk` where a vocabulary has gaps. */
export interface SpecialIds {
  /** `<s>`: a document, or a line of it, begins. */
  readonly bos: number;
  /** `<pad>`: no token; absent where the vocabulary has none, as padding is told by lengths. */
  readonly pad?: number;
  /** `</s>`: a document, or a line of it, ends; `bos` itself where one token separates documents. */
  readonly eos: number;
  /** `<unk>`: something that the vocabulary does not know; absent where it has no token of its own for that. */
  readonly unk?: number;
}

/** Names of the special tokens by their ids, as every fairseq dictionary has them. */
export const specialTokens = ["<s>", "<pad>", "</s>", "<unk>"] as const;

/** Turns text into token ids and back. */
export interface Tokenizer {
  /** Number of ids: every id is below it. */
  readonly vocabSize: number;
  /** Ids of the special tokens. */
  readonly specialIds: SpecialIds;
  /** SHA-256 (hexadecimal) of the definition: tokenizers of equal hash encode alike. */
  readonly hash: string;
  /** Encodes text, without adding special tokens: `<s>` in the text is three characters like any others. */
  encode(text: string): number[];
  /**
   * Encodes text that follows other text, as an answer follows its question; absent where that is encoded like any other. Some
   * vocabularies, as Llama 2's, put a space before a text that begins.
   */
  encodeFollowing?(text: string): number[];
  /**
   * Encodes text in which special tokens stand by their names, as chat templates write them; absent where the vocabulary has no
   * names for them.
   */
  encodeMarked?(text: string): number[];
  /**
   * Decodes ids; `bos` and `eos` become nothing, `unk` becomes `<unk>`, bytes that are not UTF-8 become U+FFFD.
   *
   * @throws {RangeError} If an id is not a token of the vocabulary, or does not stand for text (`pad`, fillers).
   */
  decode(ids: ArrayLike<number>): string;
}

/**
 * Checks that every id is an integer in 0 .. vocabSize - 1.
 *
 * @param ids Token ids.
 * @param vocabSize Number of tokens in the vocabulary.
 * @param purpose Purpose of the ids, to complete "Cannot ...".
 * @throws {RangeError} If one is not, naming its position.
 */
export function checkTokenIds(ids: ArrayLike<number>, vocabSize: number, purpose: string): void {
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i];
    if (!(id >= 0 && id < vocabSize && Number.isInteger(id))) {
      throw new InputRangeError(
        `Cannot ${purpose} as the token id at position ${i} must be an integer in 0 .. ${
          vocabSize - 1
        }: current value is ${id}`,
      );
    }
  }
}

/** Ids of a text that follows other text. */
export function encodeFollowing(
  tokenizer: Pick<Tokenizer, "encode" | "encodeFollowing">,
  text: string,
): number[] {
  return tokenizer.encodeFollowing?.(text) ?? tokenizer.encode(text);
}

/** The text of a single token; undefined where it stands for none, or is none of the tokenizer's. */
export function textOf(tokenizer: Pick<Tokenizer, "decode">, id: number): string | undefined {
  try {
    return tokenizer.decode([id]);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return undefined;
  }
}

/** SHA-256, hexadecimal, of texts: of their lengths, too, so that a boundary that moves changes it. */
export function hashOf(parts: readonly string[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`${part.length}\n`).update(part);
  return hash.digest("hex");
}

/** Decodes UTF-8, keeping U+FEFF and replacing invalid bytes by U+FFFD. */
export function decodeUtf8(chunks: readonly Uint8Array[]): string {
  const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.length;
  }
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}
