/**
 * Explains a segment's reads from the memory and their effect: one pass whose rows are the segment as it is, without some
 * passages of the memory, and without the memory.
 */
import { architectureOf } from "../backbone/architectures.ts";
import { bankInputNames, emptyScore, hiddenInputName } from "../memory/memory_graph.ts";
import { slotsOf } from "../memory/ring.ts";
import type { Network } from "./networks.ts";
import type { OpenMemory } from "./open_memory.ts";
import { hasInnerPadding, paddingMask } from "./padding.ts";
import { batchFeeds, type Passes } from "./passes.ts";

/** Tokens of all that a memory has been given since it was emptied, from `start` to before `end`. */
export interface MemoryRange {
  /** First token. */
  readonly start: number;
  /** After the last token. */
  readonly end: number;
}

/** Reads of a segment's positions from a memory. */
export interface MemoryReading {
  /** Negative log-likelihoods of the targets with the memory, in nats [n]. */
  readonly nll: Float32Array;
  /** The same without the memory: the SideNet sees the segment alone. */
  readonly nllWithout: Float32Array;
  /** The same without each of the hidden ranges, or lists of them, in their order: no head reads their chunks, and nothing takes their place. */
  readonly nllHidden: readonly Float32Array[];
  /** Heads H. */
  readonly heads: number;
  /** Positions T of the segment. */
  readonly positions: number;
  /** Chunks n of a query. */
  readonly chunks: number;
  /** Tokens c of a chunk. */
  readonly chunkTokens: number;
  /**
   * Where the retrieved chunks begin, best first [H, T, n]: tokens that the memory had been given before them since it was emptied;
   * -1 where there is no chunk left to retrieve.
   */
  readonly starts: Float64Array;
  /** Attention of each position to the tokens of its chunks [H, T, n, c]: of one position and head they add up to 1. */
  readonly weights: Float32Array;
  /** Share of the memory in the output of each head [H]: the gate; 0 where the memory is empty. */
  readonly gates: Float32Array;
}

/** Runs the pass; `tokens` [T] and `targets` [n], which follow the last n of them, have been checked. */
export async function explainSegment(
  { passes, memory, network }: { passes: Passes; memory: OpenMemory; network: Network },
  tokens: Int32Array,
  targets: Int32Array,
  hidden: readonly (MemoryRange | readonly MemoryRange[])[],
): Promise<MemoryReading> {
  const { device, parts } = passes;
  const T = tokens.length, n = targets.length, rows = hidden.length + 2;
  const { bank } = memory, { capacityChunks: P, chunkTokens: c } = bank.shape;
  const repeated = (ids: Int32Array) => {
    const all = new Int32Array(rows * ids.length);
    for (let row = 0; row < rows; row++) all.set(ids, row * ids.length);
    return all;
  };
  const batchTokens = repeated(tokens);
  const { padId } = architectureOf(parts.backbone.shape);
  const mask = paddingMask(batchTokens, padId), padded = hasInnerPadding(mask, rows);

  const bias = new Float32Array(rows * P), transcript = bank.transcripts?.[0];
  for (const slot of slotsOf(bank.occupied[0], P)) {
    const start = transcript?.positionOf(slot) ?? 0;
    hidden.forEach((ranges, i) => {
      const isHidden = [ranges].flat().some(({ start: from, end }) =>
        start + c > from && start < end
      );
      if (isHidden) bias[(1 + i) * P + slot] = emptyScore;
    });
  }
  const isFilled = bank.fillChunks[0] > 0 ? 1 : 0;
  const active = Float32Array.from({ length: rows }, (_, row) => row < rows - 1 ? isFilled : 0);
  const batch = {
    ...batchFeeds(device, { tokens: batchTokens, targets: repeated(targets) }, {
      rows,
      mask: padded ? mask : undefined,
    }),
    [hiddenInputName]: device.tensor(bias, [rows, P]),
    [bankInputNames.active]: device.tensor(active, [rows, 1, 1, 1]),
  };
  const kind = {
    want: "explained",
    network,
    rows,
    contextTokens: T,
    scoredTokens: n,
    padded,
    writes: false,
  } as const;
  const outputs = await passes.run(kind, batch, memory);

  const nll = await outputs.nll.read() as Float32Array;
  const nllOf = (row: number) => nll.slice(row * n, (row + 1) * n);
  const ids = await outputs.ids.read() as Int32Array;
  const scores = await outputs.scores.read() as Float32Array;
  const weights = await outputs.weights.read() as Float32Array;
  const gates = await outputs.gates.read() as Float32Array; // [B, H, T, 1]
  const [, H, , chunks] = outputs.ids.shape;
  const starts = new Float64Array(H * T * chunks);
  for (let i = 0; i < starts.length; i++) {
    const isMissing = isFilled === 0 || scores[i] < emptyScore / 2;
    starts[i] = isMissing ? -1 : transcript?.positionOf(ids[i] % P) ?? 0;
  }
  return {
    nll: nllOf(0),
    nllWithout: nllOf(rows - 1),
    nllHidden: hidden.map((_, i) => nllOf(1 + i)),
    heads: H,
    positions: T,
    chunks,
    chunkTokens: c,
    starts,
    weights: weights.slice(0, H * T * chunks * c),
    gates: Float32Array.from({ length: H }, (_, h) => gates[h * T]),
  };
}
