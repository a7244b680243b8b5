// deno-lint-ignore-file camelcase -- names of the library
/**
 * Encoders in the place of those of `@huggingface/tokenizers`: the tokens of the reference, in time and memory that grow with the
 * length of a text alone, where the library's need its square or more, or more stack than there is.
 */
import type { Tokenizer } from "@huggingface/tokenizers";
import { remembering } from "./remembering.ts";
import { Merges } from "./merges.ts";

type Model = NonNullable<Tokenizer["model"]>;

/** Fields of a WordPiece model of the library. */
interface WordPieceModel extends Model {
  readonly max_input_chars_per_word: number;
}

/** Fields of a Unigram model of the library. */
interface UnigramModel extends Model {
  readonly scores: readonly number[];
  readonly unk_score: number;
  readonly trie: {
    common_prefix_search(characters: readonly string[], begin: number): Iterable<string>;
  };
}

/** Fields of a BPE of the library. */
interface BpeModel extends Model {
  readonly merges: readonly (readonly [left: string, right: string])[];
}

/** Settings of a BPE, as its file has them. */
interface BpeSettings {
  readonly continuing_subword_prefix?: string | null;
  readonly end_of_word_suffix?: string | null;
  readonly ignore_merges?: boolean;
  readonly byte_fallback?: boolean;
}

/** Replaces the encoder of a model where the library's has no bound, or encodes otherwise. */
export function boundEncoding(model: Model): void {
  if (isBpe(model)) {
    const tokensOf = bpeTokens(model);
    model.encode = (texts) => texts.flatMap(tokensOf);
  } else if (isUnigram(model)) {
    const pieces = (text: string) => unigramPieces(model, text);
    model.encode = (model.config as { byte_fallback?: unknown }).byte_fallback === true
      ? (texts) => texts.flatMap(pieces).flatMap((piece) => orBytes(model, piece))
      : (texts) => texts.flatMap(pieces);
  } else if (isWordPiece(model)) {
    const longest = longestOf(model.tokens_to_ids.keys());
    model.encode = (words) => words.flatMap((word) => wordPieces(model, word, longest));
  }
  if (model.fuse_unk) fuseWithinTexts(model);
}

/** Joins neighbouring tokens that are unknown, within each text alone: the library joins those of several, too. */
function fuseWithinTexts(model: Model): void {
  const encode = model.encode.bind(model);
  const isUnknown = (token: string | undefined) =>
    token !== undefined &&
    (model.tokens_to_ids.get(token) ?? model.unk_token_id) === model.unk_token_id;
  model.fuse_unk = false;
  model.encode = (texts) =>
    texts.flatMap((text) => {
      const tokens = encode([text]);
      return tokens.filter((token, i) => !(isUnknown(token) && isUnknown(tokens[i - 1])));
    });
}

function isBpe(model: Model): model is BpeModel {
  return "bpe_ranks" in model;
}

/** Texts whose tokens are kept. */
const keptTexts = 1 << 16;

/**
 * The tokens of a text by a BPE: its characters joined by merges, of which those that are no tokens become their bytes, the
 * unknown token, or nothing where there is none.
 */
function bpeTokens(model: BpeModel): (text: string) => string[] {
  const settings = model.config as BpeSettings;
  const { continuing_subword_prefix: prefix, end_of_word_suffix: suffix } = settings;
  const { tokens_to_ids: known, unk_token: unknown } = model;
  const ids = new Map(known), tokens = new Map(Array.from(ids, ([token, id]) => [id, token]));
  const merges = new Merges(model.merges.map(([left, right]) => ({
    left: ids.get(left)!,
    right: ids.get(right)!,
    merged: ids.get(left + right.slice(prefix?.length ?? 0))!,
  })));
  const unknownIds = (): number[] => {
    if (unknown == null) return [];
    const id = ids.get(unknown);
    if (id === undefined) throw new TypeError(`unk_token "${unknown}" is not in the vocabulary`);
    return [id];
  };
  const idsOf = (token: string): number[] => {
    const id = known.has(token) ? ids.get(token) : undefined;
    if (id !== undefined) return [id];
    const bytes = settings.byte_fallback ? byteTokens(token) : [];
    return bytes.length > 0 && bytes.every((byte) => known.has(byte))
      ? bytes.map((byte) => ids.get(byte)!)
      : unknownIds();
  };
  return remembering(keptTexts, (text) => {
    if (settings.ignore_merges && known.has(text)) return [text];
    const characters = Array.from(text), last = characters.length - 1;
    const symbols = characters.flatMap((character, i) =>
      idsOf((i > 0 ? prefix ?? "" : "") + character + (i === last ? suffix ?? "" : ""))
    );
    return merges.join(symbols).map((id) => tokens.get(id)!);
  });
}

/** The tokens that stand for the bytes of a text. */
function byteTokens(text: string): string[] {
  return Array.from(
    new TextEncoder().encode(text),
    (byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`,
  );
}

function isUnigram(model: Model): model is UnigramModel {
  return "trie" in model && "scores" in model;
}

function isWordPiece(model: Model): model is WordPieceModel {
  return "max_input_chars_per_word" in model;
}

/** Most characters of a token. */
function longestOf(tokens: Iterable<string>): number {
  let longest = 0;
  for (const token of tokens) longest = Math.max(longest, Array.from(token).length);
  return longest;
}

/** The longest token that a word begins with, again and again; one unknown token where there is none. */
function wordPieces(model: WordPieceModel, word: string, longest: number): string[] {
  const unknown = [model.unk_token!];
  const characters = Array.from(word);
  if (characters.length > model.max_input_chars_per_word) return unknown;
  const prefix = String(
    (model.config as { continuing_subword_prefix?: unknown }).continuing_subword_prefix,
  );
  const pieces: string[] = [];
  for (let start = 0; start < characters.length;) {
    let end = Math.min(characters.length, start + longest), piece: string | undefined;
    for (; end > start; end--) {
      const part = characters.slice(start, end).join("");
      piece = start > 0 ? prefix + part : part;
      if (model.tokens_to_ids.has(piece)) break;
    }
    if (end === start) return unknown;
    pieces.push(piece!);
    start = end;
  }
  return pieces;
}

/** A piece, or the tokens of its bytes where it is no token and all of them are. */
function orBytes(model: UnigramModel, piece: string): string[] {
  if (model.tokens_to_ids.has(piece)) return [piece];
  const bytes = byteTokens(piece);
  return bytes.every((byte) => model.tokens_to_ids.has(byte)) ? bytes : [piece];
}

/** The most probable division of a text into tokens (Viterbi); of equals the one whose last token is longest. */
function unigramPieces(model: UnigramModel, text: string): string[] {
  const characters = Array.from(text), n = characters.length;
  /** By the end of a piece: the best score up to there, and where its last piece begins. */
  const scores = new Float64Array(n + 1).fill(-Infinity);
  const begins = new Int32Array(n + 1).fill(-1);
  scores[0] = 0;
  const propose = (begin: number, end: number, score: number) => {
    const sum = scores[begin] + score;
    if (begins[end] >= 0 && !(sum > scores[end])) return;
    scores[end] = sum;
    begins[end] = begin;
  };
  for (let begin = 0; begin < n; begin++) {
    let hasSingle = false;
    for (const token of model.trie.common_prefix_search(characters, begin)) {
      const length = Array.from(token).length, id = model.tokens_to_ids.get(token);
      if (id === undefined) continue;
      propose(begin, begin + length, model.scores[id]);
      hasSingle ||= length === 1;
    }
    if (!hasSingle) propose(begin, begin + 1, model.unk_score);
  }
  const pieces: string[] = [];
  for (let end = n; end > 0; end = begins[end]) {
    pieces.push(characters.slice(begins[end], end).join(""));
  }
  return pieces.reverse();
}
