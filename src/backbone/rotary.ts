import type { Graph, Value } from "../graph/graph.ts";
import { gather } from "../graph/ops/gather.ts";
import { reshape } from "../graph/ops/reshape.ts";
import { rotateHalves } from "../graph/ops/rotate_halves.ts";
import type { BatchSizes, Positions } from "./architecture.ts";
import { causalBias, positionIds } from "./causal_bias.ts";

/** How the frequencies of rotations differ from the plain ones. */
export type RopeScaling =
  | {
    /** All are divided by `factor`. */
    readonly kind: "linear";
    readonly factor: number;
  }
  | {
    /** Llama 3: low ones are divided, high ones are not, between them the two are mixed. */
    readonly kind: "llama3";
    readonly factor: number;
    readonly lowFrequencyFactor: number;
    readonly highFrequencyFactor: number;
    /** Positions that the model was trained on before. */
    readonly originalTokens: number;
  };

/** Frequencies f_j = base^(-2j/r), j = 0 .. r/2-1, of rotations of r channels, in radians a token. */
export function ropeFrequencies(
  options: { base: number; channels: number; scaling?: RopeScaling | undefined },
): number[] {
  const { base, channels: r, scaling } = options;
  const plain = Array.from({ length: Math.floor(r / 2) }, (_, j) => base ** (-2 * j / r));
  if (!scaling) return plain;
  const { factor } = scaling;
  switch (scaling.kind) {
    case "linear":
      return plain.map((f) => f / factor);
    case "llama3": {
      const { lowFrequencyFactor: low, highFrequencyFactor: high, originalTokens } = scaling;
      return plain.map((f) => {
        const turns = originalTokens * f / (2 * Math.PI); // over the original length
        const share = Math.min(1, Math.max(0, (turns - low) / (high - low)));
        return (1 - share) * f / factor + share * f;
      });
    }
    default:
      return scaling satisfies never;
  }
}

/** Rotary positions: query and key channels j and j + r/2 turn by f_j t, so that scores depend on distances alone. */
export function rotaryPositions(
  graph: Graph,
  frequencies: readonly number[],
  batch: BatchSizes,
): Positions {
  const { rows: B, contextTokens: T, cachedTokens: C } = batch, half = frequencies.length;
  const tables = (positions: readonly number[]) =>
    [Math.cos, Math.sin].map((of) =>
      graph.constant(
        Float32Array.from(
          positions.flatMap((t) => frequencies.map((f) => of(t * f))),
        ),
        [positions.length, half],
      )
    );
  const numbers = (count: number) => Array.from({ length: count }, (_, t) => t);
  let angles: Value[] | undefined; // cosines and sines [B or 1, 1, T, r/2]
  const ofBatch = () => {
    if (angles) return angles;
    const ids = positionIds(graph, batch);
    angles = tables(numbers(C ?? T)).map((table) =>
      ids ? reshape(gather(table, ids), [B, 1, T, half]) : reshape(table, [1, 1, T, half])
    );
    return angles;
  };
  return {
    ...causalBias(graph, batch),
    turn(x) {
      const [cos, sin] = ofBatch();
      return rotateHalves(x, cos, sin);
    },
    turnBy(x, tokens) {
      const [cos, sin] = tables([tokens]).map((table) => reshape(table, [1, 1, 1, half]));
      return rotateHalves(x, cos, sin);
    },
  };
}
