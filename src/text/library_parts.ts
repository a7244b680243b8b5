// deno-lint-ignore-file camelcase -- names of the library
/**
 * Parts in the place of those of `@huggingface/tokenizers`: they cut and join text as the reference does, `tokenizers` in Rust,
 * where the library's differ in classes of characters, behaviours of a split, or settings that they do not read.
 */
import type { Tokenizer } from "@huggingface/tokenizers";
import { preTokenPattern, tokenBytes } from "./byte_level_bpe.ts";
import { precompiledNormalizer } from "./precompiled_normalizer.ts";
import { decodeUtf8 } from "./tokenizer.ts";

/** Fields of a part in `tokenizer.json`. */
type Part = Readonly<Record<string, unknown>>;

/** Pieces of a text; `isFirst`: whether it begins the text that is encoded. */
type Cut = (text: string, isFirst: boolean) => string[];

/** A pre-tokenizer of the library. */
interface Cutter {
  pattern?: unknown;
  /** There where it may leave a part of a text out. */
  removes?: true;
  tokenizers?: Cutter[];
  pre_tokenize_text(text: string, options?: { readonly section_index?: number }): string[];
}

/** A normalizer or decoder of the library. */
interface Joiner {
  pattern?: string | RegExp | null;
  end_of_word_suffix?: string | null;
  normalizers?: (Joiner | null)[];
  decoders?: Joiner[];
  normalize(text: string): string;
  decode_chain(tokens: string[]): string[];
}

/** A splitter of the library: cuts a text before and after each token that is found, the longest of those that begin first. */
interface Splitter {
  split(text: string): string[];
}

/** An added token of the library. */
interface Added {
  readonly id: number;
  readonly content: string;
  readonly normalized: boolean;
  readonly single_word: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
}

/** Added tokens, by what is found of them in text. */
interface AddedFinder {
  readonly tokens: ReadonlyMap<string, Added>;
  readonly splitter: Splitter;
}

/** A piece of a text that is an added token, or is none. */
interface Section {
  readonly text: string;
  readonly token?: Added;
}

/** The parts of a tokenizer of the library that are replaced. */
interface Library {
  readonly pre_tokenizer: Cutter | null;
  readonly normalizer: Joiner | null;
  readonly decoder: Joiner | null;
  readonly model: NonNullable<Tokenizer["model"]>;
  readonly added_tokens: readonly Added[];
  readonly splitter_normalized: Splitter;
  encode(text: string): { ids: (number | undefined)[] };
}

const space = "\\p{White_Space}";
const word = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}";
const punctuation = "\\p{P}!-\\/:-@\\[-`{-~";

const spaces = new RegExp(`${space}+`, "gu");
const words = new RegExp(`[${word}]+|[^${word}${space}]+`, "gu");
// Without the look behind, V8 13 does not find characters beyond U+FFFF before the end.
const wordBefore = new RegExp(`(?<=[${word}])$`, "u"), wordAfter = new RegExp(`^[${word}]`, "u");
const eachSpace = new RegExp(space, "gu");
const leadingSpace = new RegExp(`^${space}+`, "u"), trailingSpace = new RegExp(`${space}+$`, "u");

/**
 * Replaces the parts of a tokenizer of the library.
 *
 * @param fields The `tokenizer.json` that it was made of.
 */
export function replaceParts(tokenizer: Tokenizer, fields: Part): void {
  const library = tokenizer as unknown as Library;
  replaceCuts(library.pre_tokenizer, fields.pre_tokenizer);
  replaceNormalizers(library.normalizer, fields.normalizer);
  replaceDecoders(library.decoder, fields.decoder);
  if (library.decoder) library.decoder.end_of_word_suffix = null; // for the decoder BPEDecoder alone
  replaceEncode(library);
}

/** The parts within a part. */
function inner(part: unknown, field: string): unknown[] {
  return (part as Part)[field] as unknown[];
}

function replaceCuts(cutter: Cutter | null, part: unknown): void {
  if (!cutter) return;
  if (cutter.tokenizers) {
    const parts = inner(part, "pretokenizers"), { tokenizers } = cutter;
    tokenizers.forEach((one, i) => replaceCuts(one, parts[i]));
    cutter.pre_tokenize_text = (text, { section_index: section } = {}) => {
      let pieces = [text], isFirst = section === 0;
      for (const one of tokenizers) {
        const next = pieces.flatMap((piece, i) =>
          one.pre_tokenize_text(piece, { section_index: i === 0 && isFirst ? 0 : 1 })
        );
        // Where the beginning was removed, no piece begins the text.
        isFirst &&= !("removes" in one) || pieces[0]?.startsWith(next[0] ?? "") === true;
        pieces = next;
      }
      return pieces;
    };
    return;
  }
  const fields = part as Part;
  if (fields.type === "ByteLevel") {
    cutter.pattern = preTokenPattern;
    return;
  }
  const cut = cutOf(fields, cutter.pattern);
  if (!cut) return;
  if (fields.type !== "Metaspace") cutter.removes = true;
  cutter.pre_tokenize_text = (text, options) =>
    cut(text, options?.section_index === 0).filter((piece) => piece !== "");
}

/** How a part cuts text; undefined where the library does it well. */
function cutOf(part: Part, pattern: unknown): Cut | undefined {
  switch (part.type) {
    case "Whitespace":
      return (text) => text.match(words) ?? [];
    case "WhitespaceSplit":
      return (text) => split(text, spaces, "Removed");
    case "BertPreTokenizer": {
      const marks = new RegExp(`[${punctuation}]`, "gu");
      return (text) =>
        split(text, spaces, "Removed").flatMap((piece) => split(piece, marks, "Isolated"));
    }
    case "Punctuation": {
      const marks = new RegExp(`[${punctuation}]`, "gu");
      return (text) => split(text, marks, part.behavior ?? "Isolated");
    }
    case "Digits":
      return (text) =>
        split(text, /\p{N}/gu, part.individual_digits === true ? "Isolated" : "Contiguous");
    case "Split":
      return pattern instanceof RegExp ? splitting(part, pattern) : undefined;
    case "FixedLength":
      return (text) => pieces(Array.from(text), Number(part.length));
    case "Metaspace":
      return metaspaceCut(part);
    default:
      return undefined;
  }
}

/** Splits by the library's form of an expression, of which it lets only letters of ASCII match without regard to case, as `(?i:...)` asks. */
function splitting({ pattern, behavior, invert }: Part, translated: RegExp): Cut {
  const { Regex: written } = (pattern ?? {}) as { readonly Regex?: unknown };
  const { source, flags } = translated;
  const isFolded = typeof written === "string" && written.includes("(?i:");
  const expression = isFolded ? new RegExp(foldBeyondAscii(source), flags) : translated;
  return (text) => split(text, expression, behavior, invert === true);
}

/** Letters beyond ASCII that are another case of one of its letters: the long s, and the sign of Kelvin. */
const otherCases = [["S", "\u017f"], ["K", "\u212a"]] as const;

/** Adds these letters to classes that have the capital of theirs, as folded ones have. */
function foldBeyondAscii(source: string): string {
  return source.replaceAll(/\[(?:\\.|[^\]\\])*\]/gu, (classed) => {
    const plain = classed.replaceAll(/\\p\{[^}]*\}|\\./giu, "");
    const added = otherCases.filter(([letter]) => plain.includes(letter)).map(([, other]) => other);
    return `${classed.slice(0, -1)}${added.join("")}]`;
  });
}

function pieces(characters: readonly string[], length: number): string[] {
  const count = Math.ceil(characters.length / length);
  return Array.from(
    { length: count },
    (_, i) => characters.slice(i * length, (i + 1) * length).join(""),
  );
}

function metaspaceCut(part: Part): Cut {
  const mark = markOf(part), scheme = schemeOf(part);
  return (text, isFirst) => {
    let marked = text.replaceAll(" ", mark);
    const isPrepended = scheme === "always" || scheme === "first" && isFirst;
    if (isPrepended && !marked.startsWith(mark)) marked = mark + marked;
    if (part.split === false) return [marked];
    const [before, ...after] = marked.split(mark);
    return [before, ...after.map((piece) => mark + piece)];
  };
}

/** The character that a Metaspace writes for a space. */
function markOf(part: Part): string {
  return String(part.replacement ?? "\u2581");
}

/** Before which texts a Metaspace writes one; older files say it by `add_prefix_space`. */
export function schemeOf(part: Part): unknown {
  return part.add_prefix_space === false ? "never" : part.prepend_scheme ?? "always";
}

/**
 * Cuts a text at the matches of a pattern.
 *
 * @param behavior What becomes of a match.
 * @param isInverted Whether what lies between the matches counts as match.
 */
function split(text: string, pattern: RegExp, behavior: unknown, isInverted = false): string[] {
  const pieces: { text: string; isMatch: boolean }[] = [];
  const add = (start: number, end: number, isMatch: boolean) => {
    // An empty match parts its neighbours, too.
    if (start < end || isMatch) {
      pieces.push({ text: text.slice(start, end), isMatch: isMatch !== isInverted });
    }
  };
  let end = 0;
  for (const match of text.matchAll(pattern)) {
    if (isWithinCharacter(text, match.index)) continue; // which V8 15 finds for "^" and "$"
    add(end, match.index, false);
    end = match.index + match[0].length;
    add(match.index, end, true);
  }
  add(end, text.length, false);
  if (behavior === "Removed") {
    return pieces.filter(({ isMatch }) => !isMatch).map(({ text }) => text);
  }
  const joins = joining.get(behavior);
  if (!joins) {
    throw new TypeError(
      `behavior must be Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous: current value is ${
        JSON.stringify(behavior)
      }`,
    );
  }
  const joined: string[] = [];
  pieces.forEach(({ text, isMatch }, i) => {
    if (i > 0 && joins(isMatch, pieces[i - 1].isMatch)) joined[joined.length - 1] += text;
    else joined.push(text);
  });
  return joined;
}

/** Whether a place is between the two halves of a character beyond U+FFFF. */
function isWithinCharacter(text: string, index: number): boolean {
  const isHalf = (at: number, half: number) => (text.charCodeAt(at) & 0xfc00) === half;
  return isHalf(index, 0xdc00) && isHalf(index - 1, 0xd800);
}

/** Whether a piece joins the one before it, by the behaviour of a split, and by which of the two are matches. */
const joining = new Map<unknown, (isMatch: boolean, wasMatch: boolean) => boolean>([
  ["Isolated", () => false],
  ["MergedWithPrevious", (isMatch, wasMatch) => isMatch && !wasMatch],
  ["MergedWithNext", (isMatch, wasMatch) => !isMatch && wasMatch],
  ["Contiguous", (isMatch, wasMatch) => isMatch === wasMatch],
]);

function replaceNormalizers(normalizer: Joiner | null, part: unknown): void {
  if (!normalizer) return;
  if (normalizer.normalizers) {
    const parts = inner(part, "normalizers");
    normalizer.normalizers.forEach((one, i) => replaceNormalizers(one, parts[i]));
    return;
  }
  const fields = part as Part;
  normalizer.normalize = normalizing(fields, normalizer) ?? normalizer.normalize;
}

/** How a part normalises text; undefined where the library does it well. */
function normalizing(
  part: Part,
  { pattern }: Pick<Joiner, "pattern">,
): ((text: string) => string) | undefined {
  switch (part.type) {
    case "Strip":
      return (text) => {
        const begun = part.strip_left === true ? text.replace(leadingSpace, "") : text;
        return part.strip_right === true ? begun.replace(trailingSpace, "") : begun;
      };
    case "Lowercase":
      return lowerCase;
    case "Prepend":
      return (text) => text === "" ? "" : String(part.prepend) + text;
    case "Replace":
      return replacing(pattern, part.content);
    case "BertNormalizer":
      return bertNormalizing(part);
    case "Precompiled":
      return precompiledNormalizer(part.precompiled_charsmap);
    default:
      return undefined;
  }
}

/** Replaces what a pattern matches by a text as it is, whose "$" means nothing. */
function replacing(
  pattern: Joiner["pattern"],
  content: unknown,
): ((text: string) => string) | undefined {
  return pattern == null ? undefined : (text) => text.replaceAll(pattern, () => String(content));
}

/** Small letters of each character on its own: a sigma is one wherever it stands. */
function lowerCase(text: string): string {
  return Array.from(text, (character) => character.toLowerCase()).join("");
}

const ideographs =
  /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/gu;
const controls = /[^\P{C}\t\n\r]|\ufffd/gu;

function bertNormalizing(part: Part): (text: string) => string {
  const lower = part.lowercase !== false;
  return (text) => {
    let found = text;
    if (part.clean_text !== false) found = found.replace(controls, "").replace(eachSpace, " ");
    if (part.handle_chinese_chars !== false) found = found.replace(ideographs, " $& ");
    if (part.strip_accents ?? lower) found = found.normalize("NFD").replace(/\p{Mn}/gu, "");
    return lower ? lowerCase(found) : found;
  };
}

function replaceDecoders(decoder: Joiner | null, part: unknown): void {
  if (!decoder) return;
  if (decoder.decoders) {
    const parts = inner(part, "decoders");
    decoder.decoders.forEach((one, i) => replaceDecoders(one, parts[i]));
    return;
  }
  decoder.decode_chain = decoding(part as Part, decoder) ?? decoder.decode_chain;
}

/** How a part decodes tokens; undefined where the library does it well. */
function decoding(
  part: Part,
  { pattern }: Pick<Joiner, "pattern">,
): ((tokens: string[]) => string[]) | undefined {
  switch (part.type) {
    case "ByteLevel":
      return (
        tokens,
      ) => [decodeUtf8(tokens.map((token) => tokenBytes(token) ?? utf8.encode(token)))];
    case "ByteFallback":
      return joinBytes;
    case "Metaspace": {
      const mark = markOf(part), isPrepended = schemeOf(part) !== "never";
      return (tokens) =>
        tokens.map((token, i) => token.replaceAll(mark, i === 0 && isPrepended ? "" : " "));
    }
    case "Replace": {
      const replace = replacing(pattern, part.content);
      return replace && ((tokens) => tokens.map(replace));
    }
    case "WordPiece": {
      const prefix = String(part.prefix);
      const joined = (token: string, i: number) =>
        i === 0 ? token : token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`;
      return (tokens) =>
        tokens.map((token, i) =>
          part.cleanup === false ? joined(token, i) : tidy(joined(token, i))
        );
    }
    case "CTC": {
      const { pad_token: pad, word_delimiter_token: mark } = part;
      const written = (token: string) => {
        const kept = token.replaceAll(String(pad), "");
        return part.cleanup === false ? kept : tidy(kept).replaceAll(String(mark), " ");
      };
      return (tokens) => tokens.filter((token, i) => token !== tokens[i - 1]).map(written);
    }
    default:
      return undefined;
  }
}

/** White space that English writes otherwise, in the order in which the reference replaces it. */
const untidy: readonly (readonly [string, string])[] = [
  ...[" .", " ?", " !", " ,"].map((mark) => [mark, mark.trim()] as const),
  [" ' ", "'"],
  [" n't", "n't"],
  [" 'm", "'m"],
  [" do not", " don't"],
  ...[" 's", " 've", " 're"].map((end) => [end, end.trim()] as const),
];

function tidy(text: string): string {
  return untidy.reduce((text, [found, tidied]) => text.replaceAll(found, tidied), text);
}

const utf8 = new TextEncoder();

/** Joins tokens of bytes, such as `<0x0A>`, to text; of bytes that are no UTF-8 only they become U+FFFD, so that texts can grow. */
function joinBytes(tokens: string[]): string[] {
  const texts: string[] = [];
  let bytes: number[] = [];
  const end = () => {
    if (bytes.length > 0) texts.push(decodeUtf8([Uint8Array.from(bytes)]));
    bytes = [];
  };
  for (const token of tokens) {
    const [, hex] = /^<0x([\da-fA-F]{2})>$/.exec(token) ?? [];
    if (hex !== undefined) {
      bytes.push(Number.parseInt(hex, 16));
      continue;
    }
    end();
    texts.push(token);
  }
  end();
  return texts;
}

/** Looks for added tokens in a text as it is, for others in what lies between them, normalised, and encodes the rest. */
function replaceEncode(library: Library): void {
  const { normalizer, pre_tokenizer: cutter, model, added_tokens: added } = library;
  const normalize = (text: string) => normalizer ? normalizer.normalize(text) : text;
  const AnySplitter = library.splitter_normalized.constructor as new (
    tokens: readonly string[],
  ) => Splitter;
  const finderOf = (tokens: readonly (readonly [string, Added])[]): AddedFinder => ({
    tokens: new Map(tokens),
    splitter: new AnySplitter(tokens.map(([text]) => text)),
  });
  const asTheyAre = finderOf(
    added.filter((token) => !token.normalized).map((token) => [token.content, token]),
  );
  const normalised = finderOf(
    added.filter((token) => token.normalized).map((token) => [normalize(token.content), token]),
  );
  const idsOf = (text: string, isFirst: boolean): (number | undefined)[] => {
    const pieces = cutter?.pre_tokenize_text(text, { section_index: isFirst ? 0 : 1 }) ?? [text];
    return model.encode(pieces).map((token) =>
      model.tokens_to_ids.get(token) ?? model.unk_token_id
    );
  };
  library.encode = (text) => ({
    ids: sectionsOf(text, asTheyAre).flatMap(({ text, token }, i) =>
      token
        ? [token.id]
        : sectionsOf(normalize(text), normalised).flatMap(({ text, token }, j) =>
          token ? [token.id] : idsOf(text, i === 0 && j === 0)
        )
    ),
  });
}

/** Cuts added tokens out of a text, with the white space that they take; one that must be a whole word is not found within another. */
function sectionsOf(text: string, { tokens, splitter }: AddedFinder): Section[] {
  const sections: Section[] = [];
  let done = 0, begin = 0;
  const addText = (end: number) => {
    if (done < end) sections.push({ text: text.slice(done, end) });
  };
  for (const part of splitter.split(text)) {
    const token = tokens.get(part), start = begin, end = begin += part.length;
    if (!token || token.single_word && isWithinWord(text, start, end)) continue;
    let first = start, last = end;
    while (token.lstrip && first > done && isSpace(text[first - 1])) first--;
    while (token.rstrip && last < text.length && isSpace(text[last])) last++;
    addText(first);
    sections.push({ text: part, token });
    done = last;
  }
  addText(text.length);
  return sections;
}

function isSpace(character: string): boolean {
  return /\p{White_Space}/u.test(character);
}

function isWithinWord(text: string, start: number, end: number): boolean {
  return wordBefore.test(text.slice(Math.max(0, start - 2), start)) ||
    wordAfter.test(text.slice(end, end + 2));
}
