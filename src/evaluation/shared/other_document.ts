import { InputRangeError } from "../../errors.ts";
import {
  type PromptedModel,
  type ReadableDocument,
  readingModel,
  type ScoredLongMem,
  type SegmentRows,
} from "./language_model.ts";
import { RowWindows, showRows, type WindowOptions } from "./row_windows.ts";

/**
 * A control: every document is scored with the memory of another one, of which as much has been written as
 * the document itself would have written by then; a shorter one is read again and again, without its padded end.
 *
 * @param others Text read in place of each document, in segments as long as the document's own. Reading throws a
 * RangeError where they are not, or where there are none: otherwise the memory would hold the document's own facts.
 * @param window How a window slides over the document, and another one likewise over the text read in its place; absent: segments are
 * disjoint. The model is to hold the last tokens back that a window shows.
 */
export function otherDocumentModel(
  name: string,
  model: ScoredLongMem,
  others: readonly ReadableDocument[],
  window?: WindowOptions,
): PromptedModel {
  const written = others.map(({ segments }) => {
    const whole = segments.filter(({ tokens, targetTokens }) => targetTokens === tokens.length);
    if (whole.length > 0) return whole.map(({ tokens }) => tokens);
    return segments.map(({ tokens, targetTokens }) =>
      tokens.map((_, t) => tokens[t % targetTokens])
    );
  });
  const reading = new Map<number, { other: readonly Int32Array[]; segment: number }>();
  const own = window && new RowWindows(window), theirs = window && new RowWindows(window);
  const scored = (segment: SegmentRows) => {
    const { tokens, batch } = showRows(own, segment);
    return [tokens, segment.targets, { ...batch, readOnly: true }] as const;
  };
  const reader = readingModel(name, {
    async startDocument(row, document) {
      reading.set(row, { other: written[document], segment: 0 });
      own?.forget(row);
      theirs?.forget(row);
      await model.resetMemory([row]);
    },
    async read(read) {
      const { tokens, rows } = read;
      const T = tokens.length / rows;
      const remembered = Int32Array.from(tokens);
      for (const [row, place] of reading) {
        const segment: Int32Array | undefined = place.other[place.segment++ % place.other.length];
        if (segment?.length !== T) {
          throw new InputRangeError(
            `Cannot read another document as its segments must be as long as the document's own: ` +
              `current lengths are ${segment?.length ?? "none"} and ${T}`,
          );
        }
        remembered.set(segment, row * T);
      }
      const other = { ...read, tokens: remembered };
      const shown = showRows(theirs, other);
      await model.remember(shown.tokens, shown.batch);
      own?.add(read);
      theirs?.add(other);
    },
    score: (segment) => model.score(...scored(segment)),
    ask: (prompt) => model.choose(...scored(prompt)),
  });
  return window || !model.openWindow ? reader : {
    ...reader,
    openWindow: (options) => model.openWindow!(options),
  };
}
