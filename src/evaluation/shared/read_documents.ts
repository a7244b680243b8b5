/**
 * Reading for evaluations: whole documents from their beginning, in segments that do not overlap, several side by side.
 * The input of each row depends on its document alone.
 */
import type { DocumentSegments, Segment } from "../../text/segments.ts";
import type { LanguageModel, SegmentRows } from "./language_model.ts";
import { checkLikelihoods } from "./likelihoods.ts";

export interface ReadOptions {
  /** Documents read side by side. */
  readonly rows: number;
  /** Token that stands in rows without a document. */
  readonly pad: number;
  /** Name of the evaluation, for errors. */
  readonly evaluation?: string;
  readonly signal?: AbortSignal;
  /** Told after each batch of segments: targets read so far. */
  readonly onTargets?: (read: number, total: number) => void;
}

export interface ReadSegment {
  /** Number of its document in the list. */
  readonly document: number;
  /** Number of the segment in its document. */
  readonly segment: number;
  readonly content: Segment;
  /** Its first position in the batch [B*T]. */
  readonly offset: number;
}

/**
 * Reads all documents, long ones first so that rows stay busy. The model is told where a document begins, and
 * reads its segments in order.
 *
 * @param documents Documents whose segments have the same number of tokens T.
 * @param pass.read Has the model read the next segment of every row.
 * @param pass.nll The likelihoods among what `read` returned, which must all be finite; absent: there are none.
 * @param pass.take Told of each segment that a batch held, with what `read` gave for the batch.
 * @throws {RangeError} If the likelihood of a target is not finite.
 */
export async function readDocuments<Scores>(
  model: Pick<LanguageModel, "name" | "startDocument">,
  documents: readonly DocumentSegments[],
  options: ReadOptions,
  pass: {
    read: (batch: SegmentRows) => Promise<Scores>;
    nll?: (scores: Scores) => Float32Array;
    take: (scores: Scores, segment: ReadSegment) => void;
  },
): Promise<void> {
  const { rows, pad, signal } = options;
  const waiting = documents.map((_, i) => i).sort((a, b) =>
    documents[b].targetTokens - documents[a].targetTokens
  );
  const reading: ({ document: number; segment: number } | undefined)[] = Array.from({
    length: rows,
  }, () => undefined);
  const T = documents[0]?.segments[0].tokens.length ?? 0;
  const total = documents.reduce((sum, { targetTokens }) => sum + targetTokens, 0);
  let read = 0;

  while (true) {
    for (let row = 0; row < rows; row++) {
      if (reading[row] || waiting.length === 0) continue;
      const document = waiting.shift()!;
      reading[row] = { document, segment: 0 };
      await model.startDocument(row, document);
    }
    if (reading.every((place) => !place)) break;
    signal?.throwIfAborted();
    const tokens = new Int32Array(rows * T).fill(pad), targets = new Int32Array(rows * T).fill(pad);
    const lengths = new Array<number>(rows).fill(0);
    reading.forEach((place, row) => {
      if (!place) return;
      const segment = documents[place.document].segments[place.segment];
      lengths[row] = segment.targetTokens;
      tokens.set(segment.tokens, row * T);
      targets.set(segment.targets, row * T);
    });
    const scores = await pass.read({ tokens, targets, rows, lengths });
    reading.forEach((place, row) => {
      if (!place) return;
      const { segments } = documents[place.document];
      const content = segments[place.segment];
      const nll = pass.nll?.(scores) ?? new Float32Array();
      checkLikelihoods(nll.subarray(row * T, row * T + content.targetTokens), {
        evaluation: options.evaluation,
        model: model.name,
        text: `document "${documents[place.document].name}"`,
        // Targets are the tokens after the first of the document.
        position: place.segment * T + 1,
      });
      pass.take(scores, { ...place, content, offset: row * T });
      read += content.targetTokens;
      if (++place.segment === segments.length) reading[row] = undefined;
    });
    options.onTargets?.(read, total);
  }
}
