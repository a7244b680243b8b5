/**
 * The released code's order of the training data (specification section 10): the whole corpus is one stream of
 * tokens, cut into as many contiguous lanes as there are rows; nothing happens at document boundaries.
 */
import type { TokenizedDocument } from "./document_tokens.ts";
import type { SegmentBatch, SegmentStream } from "./segments.ts";
import { InputRangeError } from "../errors.ts";

/** How a stream of tokens is laid out in lanes. */
export interface LaneOptions {
  /** Rows B of a batch, for each shard. */
  readonly batchSize: number;
  /** Tokens T of a block. */
  readonly contextTokens: number;
  /** Id of `</s>`, which precedes the first token of the corpus. */
  readonly eos: number;
  /** Processes W that train together, each on its own lanes; default 1. */
  readonly shards?: number;
  /** Which of them this is, from 0; default 0. */
  readonly shard?: number;
}

/** Blocks that one shard reads: row b reads block `first[b] + step` at each step. */
export interface Lanes {
  /** First block of each row [B]. */
  readonly first: readonly number[];
  /** Steps of an epoch: the length of the shortest of the shard's lanes. */
  readonly steps: number;
}

/** Joins documents into the one stream that lanes are cut from. */
export function concatenateDocuments(
  documents: readonly TokenizedDocument[],
): Int32Array<ArrayBuffer> {
  const stream = new Int32Array(documents.reduce((sum, { tokens }) => sum + tokens.length, 0));
  let offset = 0;
  for (const { tokens } of documents) {
    stream.set(tokens, offset);
    offset += tokens.length;
  }
  return stream;
}

/**
 * Deals blocks to the lanes of one shard. The released code takes the index of the last block for their
 * number, so that the last block is never read.
 *
 * @throws {RangeError} If a lane of the shard has fewer than two blocks, where the released code fails, too.
 */
export function dealLanes(
  blocks: number,
  options: Pick<LaneOptions, "batchSize" | "shards" | "shard">,
): Lanes {
  const { batchSize: B, shards = 1, shard = 0 } = options;
  const dealt = blocks - 1;
  const laneLength = Math.ceil(dealt / (shards * B));
  const first: number[] = [], lengths: number[] = [];
  for (let b = 0; b < B; b++) {
    const start = (shard * B + b) * laneLength;
    first.push(start);
    lengths.push(Math.max(0, Math.min(start + laneLength, dealt) - start));
  }
  const steps = Math.min(...lengths);
  if (steps < 2) {
    throw new InputRangeError(
      `Cannot cut ${blocks} blocks into ${
        shards * B
      } lanes as every lane must have two blocks or more: ` +
        `current lengths in shard ${shard} are ${lengths.join(", ")}`,
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
    if (!Number.isInteger(step) || Number(step) < 0 || stepsPerEpoch !== this.stepsPerEpoch) {
      throw new InputRangeError(
        `Cannot seek in lanes as the position must be that of a stream with ${this.stepsPerEpoch} steps an epoch: ` +
          `current value is ${JSON.stringify(position)}`,
      );
    }
    this.#step = Number(step);
  }
}
