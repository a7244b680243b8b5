import type { Graph, Value } from "../graph/graph.ts";
import { add } from "../graph/ops/add.ts";
import { type AttentionBlock, takeKeys, takeQueries, takeRows } from "../graph/attention_block.ts";
import { mul } from "../graph/ops/mul.ts";
import { neg } from "../graph/ops/neg.ts";
import { reshape } from "../graph/ops/reshape.ts";
import { sub } from "../graph/ops/sub.ts";
import type { BatchSizes, Positions } from "./architecture.ts";

/** Score of a pair that must not be attended: softmax turns it into 0, and it is finite so that gradients stay so. */
export const hidden = -1e30;

/** ALiBi slopes m_h of `heads` heads (specification section 3), for any number of heads. */
export function alibiSlopes(heads: number): number[] {
  const p = 2 ** Math.floor(Math.log2(heads));
  const powers = Array.from({ length: p }, (_, h) => 2 ** (-8 * (h + 1) / p));
  const between = Array.from({ length: heads - p }, (_, i) => 2 ** (-8 * (2 * i + 1) / (2 * p)));
  return [...powers, ...between];
}

/** Inputs of a padded graph, float32 [B, T]; {@linkcode maskedInputs} computes them. */
export const paddedInputNames = { positions: "positions", keyBias: "keyBias" } as const;

/** Positions of ALiBi, of whole segments or of one query a row to cached keys. */
export function alibiPositions(graph: Graph, heads: number, batch: BatchSizes): Positions {
  const { cachedTokens } = batch;
  return cachedTokens === undefined
    ? attentionBias(graph, { ...batch, heads })
    : cachedAttentionBias(graph, { ...batch, heads, cachedTokens });
}

/**
 * Bias m_h * (j - t) for keys j <= t, `hidden` for later ones. Padded batches take the official absolute form m_h * pos[b, j],
 * pos counting the tokens that are not padding, as inputs of the graph.
 */
export function attentionBias(
  graph: Graph,
  options: { heads: number; contextTokens: number; rows: number; padded: boolean },
): Positions {
  const { heads: H, contextTokens: T, rows: B } = options;
  const slopes = graph.constant(Float32Array.from(alibiSlopes(H)), [1, H, 1, 1]);
  const [positions, keyBias] = options.padded
    ? [paddedInputNames.positions, paddedInputNames.keyBias].map((name) =>
      reshape(graph.input(name, [B, T]), [B, 1, 1, T])
    )
    : [];
  // Of padding at the beginning of a row no key is visible: it attends to what is hidden least, and that must not be what follows it.
  const later = positions ? 2 * hidden : hidden;
  const known = new Map<string, Value>();
  const once = (key: string, make: () => Value) => {
    const value = known.get(key) ?? make();
    known.set(key, value);
    return value;
  };
  const rectangle = ({ t0, t1 }: AttentionBlock, visible: (t: number, j: number) => number) => {
    const data = new Float32Array((t1 - t0) * t1);
    for (let t = t0, i = 0; t < t1; t++) {
      for (let j = 0; j < t1; j++, i++) {
        data[i] = j <= t ? visible(t, j) : later;
      }
    }
    return graph.constant(data, [1, 1, t1 - t0, t1]);
  };
  const withoutPadding = (block: AttentionBlock) => {
    if (!positions) {
      return once(`${block.t0},${block.t1}`, () => mul(slopes, rectangle(block, (t, j) => j - t)));
    }
    return once(
      `unmasked ${JSON.stringify(block)}`,
      () => add(mul(slopes, takeKeys(positions, block, 3)), rectangle(block, () => 0)),
    );
  };
  return {
    atDistance(block, tokens) {
      const distance = graph.scalar(tokens);
      if (!positions) return mul(slopes, neg(distance));
      return mul(slopes, sub(takeQueries(reshape(positions, [B, 1, T, 1]), block), distance));
    },
    block(block, { padsVisible } = {}) {
      if (!keyBias) return withoutPadding(block);
      if (!padsVisible) {
        const whole = () => add(withoutPadding(block), takeKeys(keyBias, block, 3));
        return once(JSON.stringify(block), whole);
      }
      const hides = sub(graph.scalar(1), takeRows(padsVisible, block));
      return add(withoutPadding(block), mul(takeKeys(keyBias, block, 3), hides));
    },
  };
}

/** Inputs of a graph that reads cached keys; {@linkcode cachedInputs} computes them. */
export const cachedInputNames = {
  /** Positions of the keys less the query's, float32 [B, C+1]. */
  distances: "distances",
  /** 0 or `hidden` for each key, float32 [B, C+1]. */
  keyBias: "keyBias",
  /** Positions of the tokens, int32 [B, T]; of a padded graph, too. */
  position: "position",
} as const;

/** The biases of one query a row to C cached keys and, last, its own: bias m_h * distance, as an input of the graph. */
function cachedAttentionBias(
  graph: Graph,
  options: { heads: number; cachedTokens: number; rows: number },
): Positions {
  const { heads: H, cachedTokens: C, rows: B } = options;
  const slopes = graph.constant(Float32Array.from(alibiSlopes(H)), [1, H, 1, 1]);
  const input = (name: string) => reshape(graph.input(name, [B, C + 1]), [B, 1, 1, C + 1]);
  const withoutPadding = mul(slopes, input(cachedInputNames.distances));
  const keyBias = input(cachedInputNames.keyBias);
  const whole = add(withoutPadding, keyBias);
  return {
    block: (_, { padsVisible } = {}) =>
      padsVisible ? add(withoutPadding, mul(keyBias, sub(graph.scalar(1), padsVisible))) : whole,
    atDistance: (_, tokens) => mul(slopes, graph.scalar(-tokens)),
  };
}

/**
 * Values for the inputs of a graph that reads cached keys [1, C+1]: the position of each key less the query's, and 0 or `hidden`
 * for each; and the query's position. Places of the cache that hold no key lie too far away to be seen.
 *
 * @param tokens All tokens of the segment; the last is the query's, the others' keys are cached.
 * @param options `pad`: id of tokens that are padding wherever they stand, if there is one.
 */
export function cachedInputs(
  tokens: Int32Array,
  options: { cachedTokens: number; pad?: number | undefined },
): {
  distances: Float32Array<ArrayBuffer>;
  keyBias: Float32Array<ArrayBuffer>;
  position: Int32Array<ArrayBuffer>;
} {
  const { cachedTokens: C, pad } = options;
  const last = tokens.length - 1;
  const padded = paddedInputs(tokens, { rows: 1, contextTokens: tokens.length, pad });
  const distances = new Float32Array(C + 1).fill(hidden), keyBias = new Float32Array(C + 1);
  for (let t = 0; t <= last; t++) {
    const key = t < last ? t : C;
    distances[key] = padded.positions[t] - padded.positions[last];
    keyBias[key] = padded.keyBias[t];
  }
  return { distances, keyBias, position: Int32Array.of(padded.positions[last]) };
}

/** Values for the inputs of a padded graph [B, T]: positions, and 0 or `hidden` for each key. */
export function paddedInputs(
  tokens: Int32Array,
  options: { rows: number; contextTokens: number; pad?: number | undefined },
): { positions: Float32Array<ArrayBuffer>; keyBias: Float32Array<ArrayBuffer> } {
  return maskedInputs(Uint8Array.from(tokens, (id) => id === options.pad ? 0 : 1), options);
}

/** The same by a mask [B, T]: 1 for tokens, 0 for padding. */
export function maskedInputs(
  mask: Uint8Array,
  { rows, contextTokens: T }: { rows: number; contextTokens: number },
): { positions: Float32Array<ArrayBuffer>; keyBias: Float32Array<ArrayBuffer> } {
  const positions = new Float32Array(rows * T), keyBias = new Float32Array(rows * T);
  for (let b = 0; b < rows; b++) {
    let count = 0;
    for (let i = b * T; i < (b + 1) * T; i++) {
      if (mask[i] === 0) keyBias[i] = hidden;
      else positions[i] = count++;
    }
  }
  return { positions, keyBias };
}
