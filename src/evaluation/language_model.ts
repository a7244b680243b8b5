/**
 * What evaluations see of a model: rows that read documents segment by segment. They never know which model they score.
 */
import type { LongMem, Network } from "../longmem/longmem.ts";
import type { Segment } from "../text/segments.ts";

/** A model that reads documents side by side, each in a row of its own. */
export interface LanguageModel {
  /** Name in results. */
  readonly name: string;
  /**
   * Begins a document in a row: what the row has read before is forgotten.
   *
   * @param document Number of the document in the evaluation's list.
   */
  startDocument(row: number, document: number): Promise<void>;
  /**
   * Reads the next segment of every row.
   *
   * @returns Negative log-likelihood of each target given everything the row has read, in nats [B, T].
   */
  score(segment: { tokens: Int32Array; targets: Int32Array; rows: number }): Promise<Float32Array>;
}

/** Scores with one network of a LongMem; memory is reset where a document begins. */
export function languageModel(name: string, model: LongMem, network: Network): LanguageModel {
  return {
    name,
    startDocument: (row) => model.resetMemory([row]),
    score: ({ tokens, targets, rows }) => model.score(tokens, targets, { batch: rows, network }),
  };
}

/**
 * A control: every document is scored with the memory of another one, of which as much has been written as the
 * document itself would have written by then.
 */
export function otherDocumentModel(
  name: string,
  model: LongMem,
  documents: readonly { readonly segments: readonly Segment[] }[],
): LanguageModel {
  const reading = new Map<number, { other: readonly Segment[]; segment: number }>();
  return {
    name,
    async startDocument(row, document) {
      const other = documents[(document + 1) % documents.length].segments;
      reading.set(row, { other, segment: 0 });
      await model.resetMemory([row]);
    },
    async score({ tokens, targets, rows }) {
      const nll = await model.score(tokens, targets, {
        batch: rows,
        network: "longmem",
        readOnly: true,
      });
      const T = tokens.length / rows;
      const written = Int32Array.from(tokens);
      for (const [row, place] of reading) {
        written.set(place.other[place.segment++ % place.other.length].tokens, row * T);
      }
      await model.remember(written, { batch: rows });
      return nll;
    },
  };
}
