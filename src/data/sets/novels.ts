import { InputRangeError } from "../../errors.ts";
import { decodeText } from "../../files.ts";
import type { DataSetSource } from "../data_set_source.ts";

/**
 * Removes the traces of the transcribers' editors from novels: byte order marks, carriage returns, no-break spaces, blanks at the ends
 * of lines (the last one, where no line end follows, keeps them), more than two blank lines in a row, and blank lines around the
 * text.
 */
export function cleanNovel(text: string): string {
  return text
    .replaceAll("\ufeff", "")
    .replace(/\r\n?/g, "\n")
    .replaceAll("\u00a0", " ")
    .split("\n").map((line, i, { length }) => i < length - 1 ? withoutEnd(line) : line).join("\n")
    .replace(/\n{4,}/g, "\n\n\n")
    .replace(/^\n+/, "").replace(/\n+$/, "") + "\n";
}

/** A line without the blanks at its end; an expression would take the square of their number where they are not at the end. */
function withoutEnd(line: string): string {
  let end = line.length;
  while (end > 0 && (line[end - 1] === " " || line[end - 1] === "\t")) end--;
  return line.slice(0, end);
}

/** Stories of "The Innocence of Father Brown" in order; the first six are documents of their own. */
const stories = [
  "The Blue Cross",
  "The Secret Garden",
  "The Queer Feet",
  "The Flying Stars",
  "The Invisible Man",
  "The Honour of Israel Gow",
  "The Wrong Shape",
];

/** Cuts a story out of its book: from its title to the next. */
function cutStory(book: string, number: number, path: string): string {
  const [start, end] = [number - 1, number].map((i) => book.indexOf(`\n\n ${stories[i]}\n`));
  if (start < 0 || end < start) {
    throw new InputRangeError(
      `Cannot make "${path}" as its source has no story "${stories[number - 1]}" followed by "${
        stories[number]
      }"`,
    );
  }
  return `${book.slice(start, end).trim()}\n`;
}

/** Novels of two collections, cleaned; six documents are stories of one book. */
export const novels: DataSetSource = {
  transform(source, { path }) {
    const text = cleanNovel(decodeText(source, path));
    const story = /\/Chesterton_FatherBrown(\d+)_/.exec(path);
    return new TextEncoder().encode(story ? cutStory(text, Number(story[1]), path) : text);
  },
};
