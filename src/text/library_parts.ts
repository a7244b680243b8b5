// deno-lint-ignore-file camelcase -- names of the library
/**
 * Parts in the place of those of `@huggingface/tokenizers`: they cut and join text as the reference does, `tokenizers` in Rust,
 * where the library's differ in classes of characters, behaviours of a split, or settings that they do not read.
 */
import type { Tokenizer } from "@huggingface/tokenizers";

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
  normalizers?: (Joiner | null)[];
  decoders?: Joiner[];
  normalize(text: string): string;
  decode_chain(tokens: string[]): string[];
}

/** A splitter of the library: finds added tokens in text. */
interface Splitter {
  split(text: string): string[];
}

/** An added token of the library. */
interface Added {
  readonly single_word: boolean;
  lstrip: boolean;
  rstrip: boolean;
}

/** The parts of a tokenizer of the library that are replaced. */
interface Library {
  readonly pre_tokenizer: Cutter | null;
  readonly normalizer: Joiner | null;
  readonly decoder: Joiner | null;
  readonly splitter_unnormalized: Splitter;
  readonly splitter_normalized: Splitter;
  readonly added_tokens_map: ReadonlyMap<string, Added>;
}

const space = "\\p{White_Space}";
const word = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}";
const punctuation = "\\p{P}!-\\/:-@\\[-`{-~";

const spaces = new RegExp(`${space}+`, "gu");
const words = new RegExp(`[${word}]+|[^${word}${space}]+`, "gu");
const wordBefore = new RegExp(`[${word}]$`, "u"), wordAfter = new RegExp(`^[${word}]`, "u");
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
  const added = new Map(
    Array.from(library.added_tokens_map, ([text, token]) => [text, { ...token }] as const),
  );
  replaceSplitter(library.splitter_unnormalized, added);
  replaceSplitter(library.splitter_normalized, added);
  for (const token of library.added_tokens_map.values()) token.lstrip = token.rstrip = false;
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
    cutter.pattern = new RegExp(
      `'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^${space}\\p{L}\\p{N}]+|${space}+(?!\\P{White_Space})|${space}+`,
      "gu",
    );
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
      return pattern instanceof RegExp
        ? (text) => split(text, pattern, part.behavior, part.invert === true)
        : undefined;
    case "FixedLength":
      return (text) => pieces(Array.from(text), Number(part.length));
    case "Metaspace":
      return metaspaceCut(part);
    default:
      return undefined;
  }
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
function schemeOf(part: Part): unknown {
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
    if (start < end) pieces.push({ text: text.slice(start, end), isMatch: isMatch !== isInverted });
  };
  let end = 0;
  for (const match of text.matchAll(pattern)) {
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
  const { type, strip_left: left, strip_right: right } = part as Part;
  if (type !== "Strip") return;
  normalizer.normalize = (text) => {
    const begun = left === true ? text.replace(leadingSpace, "") : text;
    return right === true ? begun.replace(trailingSpace, "") : begun;
  };
}

function replaceDecoders(decoder: Joiner | null, part: unknown): void {
  if (!decoder) return;
  if (decoder.decoders) {
    const parts = inner(part, "decoders");
    decoder.decoders.forEach((one, i) => replaceDecoders(one, parts[i]));
    return;
  }
  const fields = part as Part;
  if (fields.type === "Metaspace") {
    const mark = markOf(fields), isPrepended = schemeOf(fields) !== "never";
    decoder.decode_chain = (tokens) =>
      tokens.map((token, i) => token.replaceAll(mark, i === 0 && isPrepended ? "" : " "));
  } else if (fields.type === "ByteFallback") {
    decoder.decode_chain = joinBytes;
  }
}

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** Joins tokens of bytes, such as `<0x0A>`, to text; U+FEFF is a character like others. */
function joinBytes(tokens: string[]): string[] {
  const texts: string[] = [];
  let bytes: number[] = [];
  const end = () => {
    if (bytes.length > 0) texts.push(utf8.decode(Uint8Array.from(bytes)));
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

/**
 * Keeps a splitter from finding tokens that are whole words within others, and takes white space beside a token away where the
 * token is declared so.
 */
function replaceSplitter(splitter: Splitter, added: ReadonlyMap<string, Added>): void {
  const tokens = [...added.values()];
  if (!tokens.some((token) => token.single_word || token.lstrip || token.rstrip)) return;
  const find = splitter.split.bind(splitter);
  splitter.split = (text) => {
    const sections = withoutParts(text, find(text), added);
    sections.forEach((section, i) => {
      const token = added.get(section);
      if (token?.lstrip && i > 0 && !added.has(sections[i - 1])) {
        sections[i - 1] = sections[i - 1].replace(trailingSpace, "");
      }
      if (token?.rstrip && i + 1 < sections.length && !added.has(sections[i + 1])) {
        sections[i + 1] = sections[i + 1].replace(leadingSpace, "");
      }
    });
    return sections;
  };
}

/** Joins tokens that are whole words, but stand within another here, with the text around them. */
function withoutParts(
  text: string,
  found: readonly string[],
  added: ReadonlyMap<string, Added>,
): string[] {
  const sections: string[] = [];
  let start = 0, isOpen = false; // whether the last section takes what follows
  for (const section of found) {
    const end = start + section.length, token = added.get(section);
    const isWithin = token?.single_word === true &&
      (wordBefore.test(text.slice(Math.max(0, start - 2), start)) ||
        wordAfter.test(text.slice(end, end + 2)));
    const isText = token === undefined || isWithin;
    if (isText && isOpen) sections[sections.length - 1] += section;
    else sections.push(section);
    isOpen = isText;
    start = end;
  }
  return sections;
}
