/**
 * Batches some of whose rows read random tokens that repeat, beside those that read a corpus. Only an induction head, which looks
 * for the successor of an earlier occurrence of the current token (Olsson et al. 2022, arXiv 2209.11895), can predict them, so that
 * a backbone forms such heads earlier than on the corpus alone.
 */
import { InputRangeError } from "../errors.ts";
import { Random } from "../random.ts";
import { concatenate, isCount, type SegmentBatch, type SegmentStream } from "./segments.ts";

/** Options of rows of repeated tokens. */
export interface RepetitionOptions {
  /** Rows of each batch that read repeated tokens, from 1; they are its last. */
  readonly rows: number;
  /** Ids among which tokens are drawn: those of text, without special ones. */
  readonly ids: readonly number[];
  /** Seed of the tokens. */
  readonly seed: number | string;
}

/** Fewest tokens of a phrase that is repeated; the most are half a segment, so that every row holds it twice. */
const shortestPhrase = 4;

interface RepetitionPosition {
  readonly step: number;
  readonly corpus: unknown;
}

/** Adds rows of repeated tokens to the batches of a stream; each row of each batch repeats a phrase of its own. */
export class RepetitionStream implements SegmentStream {
  readonly batchSize: number;
  readonly contextTokens: number;
  readonly stepsPerEpoch: number;
  readonly #corpus: SegmentStream;
  readonly #options: RepetitionOptions;
  /** Batches so far. */
  #step = 0;

  /**
   * @param corpus The stream of the other rows.
   * @throws {RangeError} If segments are too short to hold a phrase twice, or there are too few ids for one.
   */
  constructor(corpus: SegmentStream, options: RepetitionOptions) {
    const { batchSize, contextTokens: T, stepsPerEpoch } = corpus;
    if (T < 2 * shortestPhrase || options.ids.length < T) {
      throw new InputRangeError(
        `Cannot repeat random tokens as a segment must hold ${shortestPhrase} of them twice, of a vocabulary as large as a ` +
          `segment: current values are ${T} tokens of a segment and ${options.ids.length} of the vocabulary`,
      );
    }
    this.batchSize = batchSize + options.rows;
    this.contextTokens = T;
    this.stepsPerEpoch = stepsPerEpoch;
    this.#corpus = corpus;
    this.#options = options;
  }

  next(): SegmentBatch {
    const { contextTokens: T } = this, { rows } = this.#options;
    const batch = this.#corpus.next();
    const repeated = Array.from({ length: rows }, (_, row) => this.#repeatedTokens(row)); // [rows, T + 1]
    const targetTokens = batch.targetTokens ?? batch.starts.map(() => T);
    this.#step++;
    return {
      ...batch,
      tokens: concatenate([batch.tokens, ...repeated.map((tokens) => tokens.subarray(0, T))]),
      targets: concatenate([batch.targets, ...repeated.map((tokens) => tokens.subarray(1))]),
      targetTokens: [...targetTokens, ...repeated.map(() => T)],
      starts: [...batch.starts, ...repeated.map(() => true)],
    };
  }

  /** A phrase of different tokens, again and again: T + 1 ids. */
  #repeatedTokens(row: number): Int32Array {
    const { contextTokens: T } = this, { ids, seed } = this.#options;
    const random = new Random(`${seed}/repetition/${this.#step}/${row}`);
    // Short phrases are as frequent as long ones: of long ones half a row is new, and teaches nothing.
    const scale = Math.floor(T / 2) / shortestPhrase;
    const length = Math.floor(shortestPhrase * scale ** random.uniform());
    const phrase = random.shuffle([...ids]).slice(0, length);
    return Int32Array.from({ length: T + 1 }, (_, t) => phrase[t % length]);
  }

  position(): unknown {
    return { step: this.#step, corpus: this.#corpus.position() } satisfies RepetitionPosition;
  }

  seek(position: unknown): void {
    const { step, corpus } = (position ?? {}) as Partial<RepetitionPosition>;
    if (!isCount(step)) {
      throw new InputRangeError(
        `Cannot seek in batches with repeated tokens as the position must have a step: current value is ${
          JSON.stringify(position)
        }`,
      );
    }
    this.#corpus.seek(corpus);
    this.#step = step;
  }
}
