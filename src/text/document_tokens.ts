import type { Document } from "./corpus.ts";
import { pythonWords, stripPython } from "./python_space.ts";
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
  readonly name: string;
  /** Token ids, from `<s>` to `</s>`. */
  readonly tokens: Int32Array<ArrayBuffer>;
  /** Words of its text, separated by white space. Perplexity per word divides by them. */
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
  const ids = tokenizeLines(text, tokenizer, treatment.lines);
  const tokens = treatment.lines === "plain" ? [[bos], ids, [eos]] : [ids, [bos, eos]];
  return {
    name: document.name,
    tokens: Int32Array.from(tokens.flat()),
    words: countWords(document.text),
  };
}

/** Turns a part of a document into token ids: what `tokenizeDocument` adds for the whole is left out. */
export function tokenizeLines(
  text: string,
  tokenizer: Tokenizer,
  lines: LineTreatment["lines"],
): number[] {
  switch (lines) {
    case "plain":
      return tokenizer.encode(text);
    case "released-code": {
      const { bos, eos } = tokenizer.specialIds;
      return text.split(/\r\n?|\n/).map(stripPython).filter((line) => line !== "")
        .flatMap((line) => [bos, ...tokenizer.encode(line), eos]);
    }
    default:
      return lines satisfies never;
  }
}

/** Counts words separated by white space as Python defines it. */
export function countWords(text: string): number {
  let words = 0;
  for (const _ of text.matchAll(pythonWords)) words++;
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
  return separatesParagraphs(text) ? joinLines(text) : text;
}

/** Whether blank lines separate the paragraphs of a text, so that its other line breaks can be joined; a short text may have none. */
export function separatesParagraphs(text: string): boolean {
  let gaps = 0;
  for (const _ of text.matchAll(/(?:\r\n|\r(?!\n)|\n)[ \t]*(?:\r\n?|\n)/g)) gaps++;
  return gaps * longestMeanParagraph >= text.length || text.length <= longestMeanParagraph;
}

/** Joins hard-wrapped lines of a text, or of a part of one, whose paragraphs blank lines separate. */
export function joinLines(text: string): string {
  // Line breaks with the blanks around them; one break alone is a wrapped line.
  return text.replace(/[ \t\r\n]+/g, (gap, offset: number) => {
    const breaks = gap.match(/\r\n?|\n/g)?.length ?? 0;
    const atEdge = offset === 0 || offset + gap.length === text.length;
    return breaks === 1 && !atEdge ? " " : gap;
  });
}
