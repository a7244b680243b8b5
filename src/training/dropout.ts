/**
 * Dropout of the trained layers: the dropped parts of a layer, and the random numbers that select them at every batch.
 */
import type { Graph } from "../graph/graph.ts";
import { type DropoutMask, dropoutMask, dropoutRandoms } from "../graph/ops/dropout.ts";
import type { Device, Tensors } from "../runtime/device.ts";
import { Random } from "../random.ts";

/** Dropout of layers of one size. */
export interface LayerDropout {
  /** Probability of dropping; 0: there are no masks. */
  readonly p: number;
  /** Numbers of the layers. */
  readonly layers: readonly number[];
  /** Rows B of a batch. */
  readonly batchSize: number;
  /** Tokens T of a row. */
  readonly contextTokens: number;
  /** Heads H. */
  readonly heads: number;
  /** Channels E. */
  readonly hiddenDim: number;
}

/** Determinants of a batch's random numbers: they are a function of these, so that resuming needs no state. */
export interface DropoutDraw {
  readonly seed: number;
  /** Updates done before. */
  readonly step: number;
  /** Number of the batch within the update. */
  readonly micro: number;
}

/** Adds the masks of a layer to a graph: of the attention's probabilities [B, H, T, T] and the MLP's output [B * T, E]. */
export function layerMasks(
  graph: Graph,
  layer: number,
  dropout: LayerDropout,
): { attention: DropoutMask; mlp: DropoutMask } {
  const sizes = maskSizes(dropout);
  const mask = (part: keyof typeof sizes) =>
    dropoutMask(graph, maskName(layer, part), { p: dropout.p, ...sizes[part] });
  return { attention: mask("attention"), mlp: mask("mlp") };
}

/** Fresh randoms for every mask of a batch. */
export function dropoutFeeds(device: Device, dropout: LayerDropout, draw: DropoutDraw): Tensors {
  const feeds: Tensors = {};
  if (dropout.p === 0) return feeds;
  for (const layer of dropout.layers) {
    for (const [part, { rowShape, columns }] of Object.entries(maskSizes(dropout))) {
      const name = maskName(layer, part);
      const random = new Random(`${draw.seed}/${name}/${draw.step}/${draw.micro}`);
      const rows = rowShape.reduce((a, b) => a * b, 1);
      const drawn = dropoutRandoms(() => random.nextUint32(), { rows, columns });
      feeds[`${name}.rowFactors`] = device.tensor(drawn.rowFactors, [...rowShape, 1]);
      feeds[`${name}.rowOffsets`] = device.tensor(drawn.rowOffsets, [...rowShape, 1]);
      feeds[`${name}.columns`] = device.tensor(drawn.columns, [columns]);
    }
  }
  return feeds;
}

/** Sizes of the parts of a layer that have a mask each. */
function maskSizes({ batchSize: B, contextTokens: T, heads: H, hiddenDim: E }: LayerDropout) {
  return {
    attention: { rowShape: [B, H, T], columns: T },
    mlp: { rowShape: [B * T], columns: E },
  };
}

function maskName(layer: number, part: string): string {
  return `dropout.${layer}.${part}`;
}
