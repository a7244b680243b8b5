/**
 * Names in running text, as far as capitals tell: a word that begins with a capital, has a letter that is none, and does not
 * stand where a sentence may begin. So they are names of persons and places, but also titles before them ("Lady") and words as
 * "English"; German nouns, or the classes of a program, are none the less found.
 *
 * A sentence may begin, blanks and brackets aside, after the beginning of the text, a blank line, a quotation mark, two hyphens or a
 * dash, or one of . ! ? : ; and the ellipsis; but not after the full stop of Mr., Mrs., Ms., Dr., St. or of an initial.
 */
import { DecodeStream } from "./decode_stream.ts";
import type { Tokenizer } from "./tokenizer.ts";

export interface NameMention {
  /** Where it begins in the text. */
  readonly start: number;
  readonly end: number;
  /** Whether the text has not had the word before, spelled with the same capitals, at the beginning of a sentence or elsewhere. */
  readonly isFirst: boolean;
}

/** Finds the names of a text, in order. */
export function findNames(text: string): NameMention[] {
  const names: NameMention[] = [], known = new Set<string>();
  for (const { 0: word, index: start } of text.matchAll(/[\p{L}\p{M}]+/gu)) {
    if (/^\p{Lu}.*\p{Ll}/u.test(word) && !mayBeginSentence(text, start)) {
      names.push({ start, end: start + word.length, isFirst: !known.has(word) });
    }
    known.add(word);
  }
  return names;
}

/** Characters before a word that are looked at. */
const lookBack = 64;

function mayBeginSentence(text: string, at: number): boolean {
  const before = text.slice(Math.max(0, at - lookBack), at);
  const gap = before.match(/[\s()[\]{}*_"“”„«»'‘’]*$/u)![0];
  if (/["“”„«»'‘’]|\n[ \t\r]*\n/u.test(gap)) return true;
  const earlier = before.slice(0, before.length - gap.length);
  if (earlier === "") return true;
  if (/(?:^|[^\p{L}])(?:Mr|Mrs|Ms|Dr|St|(?!I)\p{Lu})\.$/u.test(earlier)) return false;
  return /(?:[.!?:;…—–]|--)$/u.test(earlier);
}

/** Classes of tokens. */
export const mentions = ["first mention", "later mention", "other"] as const;

/**
 * Says of every token whether it is part of a name: of its first mention in the document, of a later one, or of something else.
 * A token is part of the name of which it completes a letter. `<s>` and `</s>` stand like blank lines.
 *
 * @param tokens Token ids of a document.
 * @returns Indices of {@linkcode mentions}, as many as there are tokens.
 * @throws {RangeError} If an id does not stand for text.
 */
export function classifyMentions(
  tokens: ArrayLike<number>,
  tokenizer: Pick<Tokenizer, "decode" | "specialIds">,
): Uint8Array {
  const { bos, eos } = tokenizer.specialIds;
  const known = new Map<string, string>();
  const stream = new DecodeStream({
    decode(ids) {
      const key = Array.from(ids).join();
      const text = known.get(key) ?? tokenizer.decode(ids);
      known.set(key, text);
      return text;
    },
  });
  const ends = new Int32Array(tokens.length);
  let text = "";
  for (let i = 0; i < tokens.length; i++) {
    text += tokens[i] === bos || tokens[i] === eos ? "\n\n" : stream.add(tokens[i]);
    ends[i] = text.length;
  }
  const classes = new Uint8Array(tokens.length).fill(mentions.indexOf("other"));
  let i = 0;
  for (const { start, end, isFirst } of findNames(text)) {
    while (ends[i] <= start) i++;
    for (let j = i; j < tokens.length && (j === 0 ? 0 : ends[j - 1]) < end; j++) {
      const isEmpty = j > 0 && ends[j] === ends[j - 1];
      if (!isEmpty) classes[j] = mentions.indexOf(isFirst ? "first mention" : "later mention");
    }
  }
  return classes;
}
