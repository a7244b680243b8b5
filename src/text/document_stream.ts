/**
 * Batches of whole documents: no segment crosses a document's boundary, so that a memory for each row can be
 * emptied where a document begins.
 */
import type { TokenizedDocument } from "./document_tokens.ts";
import { Random } from "../random.ts";
import { countTargets, isCount, type SegmentBatch, type SegmentStream } from "./segments.ts";
import { InputRangeError } from "../errors.ts";

/** How documents are dealt to rows. */
export interface DocumentStreamOptions {
  /** Rows B of a batch. */
  readonly batchSize: number;
  /** Tokens T of a segment. */
  readonly contextTokens: number;
  /** Id of `<pad>`, which fills the last segment of a document. */
  readonly pad: number;
  /** Seed of the order of the documents. */
  readonly seed: number | string;
  /** Cuts documents into parts of at most this many targets, each treated as a document; absent: none. */
  readonly maxDocumentTokens?: number | undefined;
}

/** A stretch of a document that one row reads from beginning to end. */
interface Part {
  readonly tokens: Int32Array;
  readonly segments: number;
}

/** Reading position of a row: segment `segment` of part `part` comes next. */
interface Row {
  part: number;
  segment: number;
}

interface DocumentPosition {
  readonly step: number;
  readonly dealt: number;
  readonly rows: readonly Readonly<Row>[];
  readonly parts: number;
  readonly stepsPerEpoch: number;
}

/**
 * Reads documents in a seeded random order. All documents in a new order, then all in another, and so on, make
 * one endless sequence; a row that has finished a document takes the next one of the sequence, and of several
 * such rows the first takes first. So no row ever idles, and every document is read equally often.
 *
 * An epoch is as many batches as the documents' segments fill (rounded up). Since rows take documents when they
 * need them, the sequence may start over a little before or after an epoch ends, and two rows may then read the
 * same document: a memory that rows share would see it twice.
 */
export class DocumentStream implements SegmentStream {
  readonly batchSize: number;
  readonly contextTokens: number;
  readonly stepsPerEpoch: number;
  readonly #parts: readonly Part[];
  readonly #pad: number;
  readonly #seed: number | string;
  /** Batches so far. */
  #step = 0;
  /** Documents taken from the sequence so far. */
  #dealt = 0;
  /** Empty until the first batch. */
  #rows: Row[] = [];
  /** Order of the documents in one round of the sequence. */
  #order: { readonly round: number; readonly parts: Int32Array } | undefined;

  /**
   * Prepares documents for reading.
   *
   * @throws {RangeError} If a document has fewer than two tokens, or there are fewer documents than rows.
   */
  constructor(documents: readonly TokenizedDocument[], options: DocumentStreamOptions) {
    const { batchSize: B, contextTokens: T } = options;
    this.batchSize = B;
    this.contextTokens = T;
    this.#pad = options.pad;
    this.#seed = options.seed;
    this.#parts = documents.flatMap((document) => {
      const targets = countTargets(document), length = options.maxDocumentTokens ?? targets;
      return Array.from({ length: Math.ceil(targets / length) }, (_, part) => {
        const start = part * length, end = Math.min(start + length, targets);
        return {
          tokens: document.tokens.subarray(start, end + 1),
          segments: Math.ceil((end - start) / T),
        };
      });
    });
    if (this.#parts.length < B) {
      throw new InputRangeError(
        `Cannot deal documents to ${B} rows as every row needs one: current number of documents is ` +
          `${this.#parts.length}; a smaller batchSize or corpus.maxDocumentTokens, which cuts documents into parts, would help`,
      );
    }
    this.stepsPerEpoch = Math.ceil(this.#parts.reduce((sum, part) => sum + part.segments, 0) / B);
  }

  next(): SegmentBatch {
    const { batchSize: B, contextTokens: T } = this;
    const tokens = new Int32Array(B * T).fill(this.#pad);
    const targets = new Int32Array(B * T).fill(this.#pad);
    const starts: boolean[] = [], targetTokens: number[] = [];
    for (let b = 0; b < B; b++) {
      let row = this.#rows[b];
      if (row === undefined || row.segment === this.#parts[row.part].segments) {
        row = this.#rows[b] = { part: this.#deal(), segment: 0 };
      }
      const part = this.#parts[row.part];
      const start = row.segment * T, end = Math.min(start + T, part.tokens.length - 1);
      tokens.set(part.tokens.subarray(start, end), b * T);
      targets.set(part.tokens.subarray(start + 1, end + 1), b * T);
      starts.push(row.segment === 0);
      targetTokens.push(end - start);
      row.segment++;
    }
    const epoch = Math.floor(this.#step / this.stepsPerEpoch);
    this.#step++;
    const endsEpoch = this.#step % this.stepsPerEpoch === 0;
    return { tokens, targets, targetTokens, starts, epoch, endsEpoch };
  }

  position(): unknown {
    return {
      step: this.#step,
      dealt: this.#dealt,
      rows: this.#rows.map((row) => ({ ...row })),
      parts: this.#parts.length,
      stepsPerEpoch: this.stepsPerEpoch,
    } satisfies DocumentPosition;
  }

  seek(position: unknown): void {
    if (!this.#isPosition(position)) {
      throw new InputRangeError(
        `Cannot seek in documents as the position must be that of a stream with ${this.batchSize} rows, ` +
          `${this.#parts.length} documents and ${this.stepsPerEpoch} steps an epoch: ` +
          `current value is ${JSON.stringify(position)}`,
      );
    }
    this.#step = position.step;
    this.#dealt = position.dealt;
    this.#rows = position.rows.map((row) => ({ ...row }));
  }

  #isPosition(value: unknown): value is DocumentPosition {
    const { step, dealt, rows, parts, stepsPerEpoch } = (value ?? {}) as Partial<DocumentPosition>;
    return isCount(step) && isCount(dealt) && Array.isArray(rows) &&
      rows.length === (step === 0 ? 0 : this.batchSize) &&
      rows.every(({ part, segment }) => isCount(part) && segment <= this.#parts[part]?.segments) &&
      parts === this.#parts.length && stepsPerEpoch === this.stepsPerEpoch;
  }

  /** Takes the next document of the sequence. */
  #deal(): number {
    const count = this.#parts.length;
    const round = Math.floor(this.#dealt / count);
    if (this.#order?.round !== round) {
      const parts = Int32Array.from({ length: count }, (_, part) => part);
      this.#order = { round, parts: new Random(`${this.#seed}/documents/${round}`).shuffle(parts) };
    }
    return this.#order.parts[this.#dealt++ % count];
  }
}
