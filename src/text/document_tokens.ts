import type { Document } from "./corpus.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** How the text of a document becomes tokens. */
export interface LineTreatment {
  /**
   * `plain` keeps the text as it is: `<s>`, its tokens, `</s>`. `released-code` (specification section 10)
   * strips each line, drops empty ones and encodes each as `<s> line </s>`; the document ends with an empty
   * pair `<s> </s>`.
   */
  readonly lines: "plain" | "released-code";
  /** Joins the lines of hard-wrapped paragraphs before that, as `unwrapLines` does. */
  readonly unwrap?: boolean;
}

/** A document as token ids. */
export interface TokenizedDocument {
  /** Name of the document. */
  readonly name: string;
  /** Token ids, from `<s>` to `</s>`. */
  readonly tokens: Int32Array<ArrayBuffer>;
  /** Words of its text: what white space separates. Perplexity per word divides by them. */
  readonly words: number;
}

/** Turns a document into token ids. */
export function tokenizeDocument(
  document: Document,
  tokenizer: Tokenizer,
  treatment: LineTreatment,
): TokenizedDocument {
  const { bos, eos } = tokenizer.specialIds;
  const text = treatment.unwrap ? unwrapLines(document.text) : document.text;
  const tokens: number[] = [];
  const append = (part: string) => {
    tokens.push(bos);
    for (const id of tokenizer.encode(part)) tokens.push(id);
    tokens.push(eos);
  };
  switch (treatment.lines) {
    case "plain":
      append(text);
      break;
    case "released-code":
      for (const line of text.split("\n")) {
        const stripped = strip(line);
        if (stripped !== "") append(stripped);
      }
      append("");
      break;
    default:
      treatment.lines satisfies never;
  }
  return { name: document.name, tokens: Int32Array.from(tokens), words: countWords(document.text) };
}

/** Counts words: what white space separates. */
export function countWords(text: string): number {
  let words = 0;
  for (const _ of text.matchAll(/\S+/g)) words++;
  return words;
}

/** A text with fewer blank lines than one in so many characters does not separate its paragraphs by them. */
const longestMeanParagraph = 5_000;

/**
 * Joins hard-wrapped lines: a single line break, with the blanks around it, becomes a space; blank lines stay.
 * A text whose paragraphs are not separated by blank lines stays as it is, because nothing tells its wrapped
 * lines from the ends of its paragraphs.
 */
export function unwrapLines(text: string): string {
  let gaps = 0;
  for (const _ of text.matchAll(/\n[ \t\r]*\n/g)) gaps++;
  if (gaps * longestMeanParagraph < text.length && text.length > longestMeanParagraph) return text;
  // Line breaks with the blanks around them; one break alone is a wrapped line.
  return text.replace(/[ \t]*\r?\n[ \t\r\n]*/g, (gap, offset: number) => {
    const atEdge = offset === 0 || offset + gap.length === text.length;
    return atEdge || gap.indexOf("\n") !== gap.lastIndexOf("\n") ? gap : " ";
  });
}

/** Removes white space from both ends, as Python's `str.strip` defines it, with which the data were made. */
function strip(line: string): string {
  let start = 0, end = line.length;
  while (start < end && pythonSpace.test(line[start])) start++;
  while (end > start && pythonSpace.test(line[end - 1])) end--;
  return line.slice(start, end);
}

// deno-lint-ignore no-control-regex
const pythonSpace = /[\p{White_Space}\x1c-\x1f]/u;
