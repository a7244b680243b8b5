import { z } from "zod";
import { positiveInteger, positiveNumber, trueOrFalse } from "../declaration/fields.ts";
import type { Graph, Value } from "../graph/graph.ts";
import { gather } from "../graph/ops/gather.ts";
import { reshape } from "../graph/ops/reshape.ts";
import { rotateHalves } from "../graph/ops/rotate_halves.ts";
import type { BatchSizes, Positions } from "./architecture.ts";
import { causalBias, positionIds } from "./causal_bias.ts";

/** How the frequencies of rotations differ from the plain ones. */
export const ropeScaling = z.discriminatedUnion("kind", [
  z.strictObject({
    /** All are divided by `factor`. */
    kind: z.literal("linear"),
    factor: positiveNumber,
  }),
  z.strictObject({
    /** Llama 3: low ones are divided, high ones are not, between them the two are mixed. */
    kind: z.literal("llama3"),
    factor: positiveNumber,
    lowFrequencyFactor: positiveNumber,
    highFrequencyFactor: positiveNumber,
    /** Positions that the model was trained on before. */
    originalTokens: positiveInteger,
  }),
  z.strictObject({
    /** YaRN: from one frequency to a lower one, ever more of each is divided; what is turned grows. */
    kind: z.literal("yarn"),
    factor: positiveNumber,
    /** Turns over the original length of the frequency down to which none is divided. */
    fastTurns: positiveNumber.default(32),
    /** The same of that from which on all are. */
    slowTurns: positiveNumber.default(1),
    originalTokens: positiveInteger,
    /** Whether the two are moved apart to frequencies that there are. */
    wholeBounds: trueOrFalse.default(true),
    /** Factor of turned queries and of turned keys. */
    magnitude: positiveNumber,
  }),
  z.strictObject({
    /** None in segments up to the original length; longer ones, whose frequencies would depend on it, are refused. */
    kind: z.literal("dynamic"),
    originalTokens: positiveInteger,
  }),
  z.strictObject({
    /** LongRoPE: each is divided by a factor of its own; what is turned grows. Longer segments, which have other factors, are refused. */
    kind: z.literal("longrope"),
    factors: z.array(positiveNumber).min(1).readonly().describe("lists of numbers above 0"),
    originalTokens: positiveInteger,
    /** Factor of turned queries and of turned keys. */
    magnitude: positiveNumber,
  }),
]);

/** The type of {@linkcode ropeScaling}. */
export type RopeScaling = Readonly<z.output<typeof ropeScaling>>;

/** Form of the part of each head's channels that turns. */
export const share = z.number().positive().max(1).describe("numbers above 0, up to 1");

/** Channels of a head that turn, by default all; of an odd number the one behind them does, too. */
export function rotatedChannels(headDim: number, share = 1): number {
  return Math.trunc(headDim * share);
}

/** How queries and keys turn. */
export interface Rotation {
  /** Radians a token, one for each two channels. */
  readonly frequencies: readonly number[];
  /** Factor of what is turned: of queries and of keys, so that scores have its square. */
  readonly magnitude: number;
}

/** Rotary positions of a decoder, as its plan has them. */
export interface RotaryPositions {
  readonly kind: "rotary";
  /** That of a block, of the first channels of a head, two for each frequency; undefined: the block has no positions. */
  rotation(block: number): Rotation | undefined;
  /** The longest segment, in tokens, for which it is right; absent: any is. */
  readonly mostTokens?: number | undefined;
  /** Why its scaling does not fit the sizes; absent: it does. */
  readonly problem?: string | undefined;
}

interface RotaryOptions {
  readonly ropeTheta: number;
  readonly ropeScaling?: RopeScaling | undefined;
  /** Channels r of a head that turn. */
  readonly channels: number;
}

/**
 * The positions of a decoder that turn the first r channels of each head, or r + 1 where r is odd: frequencies
 * f_j = theta^(-2j/r), scaled. They are rounded to float32 at each step, as in the official code: position t makes an error t times
 * as large.
 */
export function rotary(options: RotaryOptions): RotaryPositions & { rotation: () => Rotation } {
  const { ropeTheta, ropeScaling: scaling, channels: r } = options;
  const periods = Array.from(
    { length: Math.ceil(r / 2) },
    (_, j) => Math.fround(Math.fround(ropeTheta) ** Math.fround(2 * j / r)),
  );
  const rotation = {
    frequencies: scaledFrequencies(periods, options).map(Math.fround),
    magnitude: scaling && "magnitude" in scaling ? scaling.magnitude : 1,
  };
  const isLimited = scaling?.kind === "dynamic" || scaling?.kind === "longrope";
  return {
    kind: "rotary",
    rotation: () => rotation,
    mostTokens: isLimited ? scaling.originalTokens : undefined,
    problem: scaling?.kind === "longrope" && scaling.factors.length !== r / 2
      ? `ropeScaling.factors must be half as many as rotated channels: current numbers are ${scaling.factors.length} and ${r}`
      : undefined,
  };
}

/** The positions of a decoder that has them in some blocks only. */
export function rotaryOfBlocks(
  isRotated: (block: number) => boolean,
  options: RotaryOptions,
): RotaryPositions {
  const positions = rotary(options);
  return { ...positions, rotation: (block) => isRotated(block) ? positions.rotation() : undefined };
}

/** The positions of a decoder whose blocks with a sliding window turn by other frequencies, which fit segments of any length. */
export function rotaryOfKinds(
  isWindowed: (block: number) => boolean,
  { windowed, others }: { windowed: RotaryOptions; others: RotaryOptions },
): RotaryPositions {
  const [local, global] = [windowed, others].map(rotary);
  return { ...global, rotation: (block) => (isWindowed(block) ? local : global).rotation() };
}

function scaledFrequencies(
  periods: readonly number[],
  { ropeTheta, ropeScaling: scaling, channels: r }: RotaryOptions,
): readonly number[] {
  const plain = periods.map((period) => Math.fround(1 / period));
  switch (scaling?.kind) {
    case undefined:
    case "dynamic":
      return plain;
    case "linear":
      return plain.map((f) => f / scaling.factor);
    case "longrope":
      return periods.map((period, j) => 1 / Math.fround(Math.fround(scaling.factors[j]) * period));
    case "llama3": {
      const { factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalTokens } =
        scaling;
      return plain.map((f) => {
        const turns = originalTokens * f / (2 * Math.PI); // over the original length
        const share = Math.min(1, Math.max(0, (turns - low) / (high - low)));
        return (1 - share) * f / factor + share * f;
      });
    }
    case "yarn": {
      const { factor, slowTurns, fastTurns, originalTokens, wholeBounds } = scaling;
      // Which frequency makes so many turns over the original length, as a number between those that there are.
      const indexOf = (turns: number) =>
        r * Math.log(originalTokens / (turns * 2 * Math.PI)) / (2 * Math.log(ropeTheta));
      const [first, last] = [indexOf(fastTurns), indexOf(slowTurns)];
      const low = Math.max(0, wholeBounds ? Math.floor(first) : first);
      const high = Math.min(r - 1, wholeBounds ? Math.ceil(last) : last);
      const width = high === low ? 0.001 : high - low;
      return plain.map((f, j) => {
        const share = Math.min(1, Math.max(0, (j - low) / width)); // that is divided
        return share * f / factor + (1 - share) * f;
      });
    }
    default:
      return scaling satisfies never;
  }
}

/**
 * Rotary positions: query and key channels j and j + r/2 turn by f_j t, so that scores depend on distances alone.
 *
 * @param rotationOf That of a block; undefined: the block has no positions.
 */
export function rotaryPositions(
  graph: Graph,
  rotationOf: (block: number) => Rotation | undefined,
  batch: BatchSizes,
): Positions {
  const { rows: B, contextTokens: T, cachedTokens: C } = batch;
  const tables = (positions: readonly number[], { frequencies }: Rotation, scale: number) =>
    [Math.cos, Math.sin].map((of) =>
      graph.constant(
        Float32Array.from(
          positions.flatMap((t) => frequencies.map((f) => scale * of(Math.fround(t * f)))),
        ),
        [positions.length, frequencies.length],
      )
    );
  const numbers = (count: number) => Array.from({ length: count }, (_, t) => t);
  const known = new Map<Rotation, Value[]>(); // cosines and sines [B or 1, 1, T, r/2]
  const ofBatch = (rotation: Rotation) => {
    const found = known.get(rotation);
    if (found) return found;
    const ids = positionIds(graph, batch), half = rotation.frequencies.length;
    const angles = tables(numbers(C ?? T), rotation, rotation.magnitude).map((table) =>
      ids ? reshape(gather(table, ids), [B, 1, T, half]) : reshape(table, [1, 1, T, half])
    );
    known.set(rotation, angles);
    return angles;
  };
  return {
    ...causalBias(graph, batch),
    turn(x, block) {
      const rotation = rotationOf(block);
      if (!rotation) return x;
      const [cos, sin] = ofBatch(rotation);
      return rotateHalves(x, cos, sin);
    },
    turnBy(x, block, tokens) {
      const rotation = rotationOf(block);
      if (!rotation || tokens === undefined && rotation.magnitude === 1) return x;
      // Keys that are not turned have not grown either.
      const [cos, sin] = tables([tokens ?? 0], rotation, rotation.magnitude ** 2).map((table) =>
        reshape(table, [1, 1, 1, rotation.frequencies.length])
      );
      return rotateHalves(x, cos, sin);
    },
  };
}
