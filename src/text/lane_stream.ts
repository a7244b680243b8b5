/**
 * The released code's order of the training data (specification section 10): the whole corpus is one stream of
 * tokens, cut into as many contiguous lanes as there are rows; nothing happens at document boundaries.
 */
import { isCount, type SegmentBatch, type SegmentStream } from "./segments.ts";
import { InputRangeError } from "../errors.ts";

/** How a stream of tokens is laid out in lanes. */
export interface LaneOptions {
  /** Rows B of a batch. */
  readonly batchSize: number;
  /** Tokens T of a block. */
  readonly contextTokens: number;
  /** Id of `</s>`, which precedes the first token of the corpus. */
  readonly eos: number;
}

/** Blocks that rows read: row b reads block `first[b] + step` at each step. */
export interface Lanes {
  /** First block of each row [B]. */
  readonly first: readonly number[];
  /** Steps of an epoch: the length of the shortest lane. */
  readonly steps: number;
}

/**
 * Deals blocks to lanes. The released code takes the index of the last block for their
 * number, so that the last block is never read.
 *
 * @throws {RangeError} If a lane has fewer than two blocks, where the released code fails, too.
 */
export function dealLanes(blocks: number, { batchSize: B }: Pick<LaneOptions, "batchSize">): Lanes {
  const dealt = blocks - 1;
  const laneLength = Math.ceil(dealt / B);
  const first: number[] = [], lengths: number[] = [];
  for (let b = 0; b < B; b++) {
    const start = b * laneLength;
    first.push(start);
    lengths.push(Math.max(0, Math.min(start + laneLength, dealt) - start));
  }
  const steps = Math.min(...lengths);
  if (steps < 2) {
    throw new InputRangeError(
      `Cannot cut ${blocks} blocks into ${B} lanes as every lane must have two blocks or more: ` +
        `current lengths are ${lengths.join(", ")}`,
    );
  }
  return { first, steps };
}

/** Batches in the released code's order; every epoch is the same. */
export class LaneStream implements SegmentStream {
  readonly batchSize: number;
  readonly contextTokens: number;
  readonly stepsPerEpoch: number;
  readonly #stream: Int32Array;
  readonly #lanes: Lanes;
  readonly #eos: number;
  /** Batches so far. */
  #step = 0;

  /**
   * Cuts a stream of tokens into blocks of T targets and deals them to lanes.
   *
   * @param stream Token ids of the corpus.
   * @throws {RangeError} If the stream is too short for the lanes.
   */
  constructor(stream: Int32Array, options: LaneOptions) {
    this.batchSize = options.batchSize;
    this.contextTokens = options.contextTokens;
    this.#stream = stream;
    this.#eos = options.eos;
    this.#lanes = dealLanes(Math.ceil(stream.length / options.contextTokens), options);
    this.stepsPerEpoch = this.#lanes.steps;
  }

  next(): SegmentBatch {
    const { batchSize: B, contextTokens: T, stepsPerEpoch } = this;
    const tokens = new Int32Array(B * T), targets = new Int32Array(B * T);
    const step = this.#step % stepsPerEpoch;
    for (let b = 0; b < B; b++) {
      const start = (this.#lanes.first[b] + step) * T;
      targets.set(this.#stream.subarray(start, start + T), b * T);
      tokens.set(this.#stream.subarray(Math.max(start - 1, 0), start + T - 1), b * T);
      if (start === 0) {
        tokens.copyWithin(b * T + 1, b * T, b * T + T - 1);
        tokens[b * T] = this.#eos;
      }
    }
    const epoch = Math.floor(this.#step / stepsPerEpoch);
    this.#step++;
    return {
      tokens,
      targets,
      starts: new Array(B).fill(step === 0),
      epoch,
      endsEpoch: step === stepsPerEpoch - 1,
    };
  }

  position(): unknown {
    return { step: this.#step, stepsPerEpoch: this.stepsPerEpoch };
  }

  seek(position: unknown): void {
    const { step, stepsPerEpoch } = (position ?? {}) as Partial<Record<string, unknown>>;
    if (!isCount(step) || stepsPerEpoch !== this.stepsPerEpoch) {
      throw new InputRangeError(
        `Cannot seek in lanes as the position must be that of a stream with ${this.stepsPerEpoch} steps an epoch: ` +
          `current value is ${JSON.stringify(position)}`,
      );
    }
    this.#step = step;
  }
}
