/** Settings that several of Hugging Face's formats have in common. */
import { isDeepStrictEqual } from "../system.ts";
import type { ConfigReader } from "./config_reader.ts";
import type { Activation } from "./decoder.ts";
import type { FileRows, HuggingFaceFormat } from "./huggingface_format.ts";
import type { RopeScaling } from "./rotary.ts";
import type { BackboneShape } from "./shape.ts";

/** Names of activations in `config.json`. */
const activationWords = new Map<string, Activation>([
  ["gelu", "gelu"],
  ["gelu_python", "gelu"],
  ["gelu_new", "gelu-tanh"],
  ["gelu_fast", "gelu-tanh"],
  ["gelu_accurate", "gelu-tanh"],
  ["gelu_pytorch_tanh", "gelu-tanh"],
  ["gelu_python_tanh", "gelu-tanh"],
  ["silu", "silu"],
  ["swish", "silu"],
  ["relu", "relu"],
  ["relu2", "relu-squared"],
  ["quick_gelu", "gelu-sigmoid"],
]);

/** The activation of the MLPs, by the first of the names; the official code reads no other, so another may only say the same. */
export function readActivation(
  config: ConfigReader,
  [name, ...others]: readonly string[],
  absent: string,
): Activation {
  const word = config.word(name, absent), activation = activationWords.get(word);
  if (!activation) {
    config.refuse(name, [...activationWords.keys()].map((word) => `"${word}"`).join(", "));
  }
  const other = others.find((other) =>
    activationWords.get(config.word(other, word)) !== activation
  );
  if (other !== undefined) config.refuse(other, `"${word}", as ${says(config, name)}`);
  return activation;
}

/** Names that the epsilon of norms has in one format or another. */
const epsilonNames = [
  "layer_norm_eps",
  "layer_norm_epsilon",
  "rms_norm_eps",
  "norm_eps",
  "norm_epsilon",
];

/**
 * The epsilon of norms, by the name that the official code reads. Where only another name stands there, it may say no other
 * value than the official code would take.
 */
export function readEpsilon(config: ConfigReader, name: string, absent: number): number {
  if (config.value(name) !== undefined) return config.positiveNumber(name, absent);
  const other = epsilonNames.find((other) => config.positiveNumber(other, absent) !== absent);
  if (other !== undefined) config.refuse(other, `${absent}, as ${says(config, name)}`);
  return absent;
}

/** Who says a value: the field, or the default where it is absent. */
function says(config: ConfigReader, name: string): string {
  return config.value(name) === undefined ? `is the default of ${name}` : `${name} says`;
}

/** Rotary positions: absent fields have their defaults. */
export interface RopeSettings {
  readonly ropeTheta: number;
  readonly ropeScaling?: RopeScaling;
  /** Part of each head's channels that is rotated; there where the format has a field for it. */
  readonly rotatedShare?: number;
}

/** Kinds of scaling by their names in `config.json`. */
type ScalingNames = Readonly<Record<string, RopeScaling["kind"] | "default">>;

const usualScalings: ScalingNames = {
  default: "default",
  linear: "linear",
  llama3: "llama3",
  yarn: "yarn",
  dynamic: "dynamic",
};

/** What `config.json` has for rotary positions, and what holds where it has nothing. */
export interface RopeFields {
  /** Older name of the base; absent: `rope_theta`. */
  readonly theta?: string;
  /** Absent: 10000. */
  readonly absentTheta?: number;
  /** Older name of the part of each head's channels that is rotated; absent: `partial_rotary_factor`. */
  readonly share?: string;
  /** Absent: all are, and another part is refused. */
  readonly absentShare?: number | undefined;
  /** Absent: 2048. */
  readonly absentPositions?: number | undefined;
  /** Positions before a scaling; absent: as many as after it. */
  readonly absentOriginalPositions?: number;
  /** Scalings that the official code follows; absent: those that most do. */
  readonly scalings?: ScalingNames;
  /** Kinds of blocks that have rotary positions of their own, of which those of the first are read; absent: all blocks have the same. */
  readonly kinds?: readonly string[];
}

/**
 * Rotary positions, in the older spelling (`rope_theta`, `rope_scaling`) or the newer (`rope_parameters`, which `rope_scaling`
 * may hold as well).
 */
export function readRope(config: ConfigReader, fields: RopeFields = {}): RopeSettings {
  const parts = ropeParts(config).flatMap((part) => ofKind(part, fields));
  for (const part of parts) {
    const nested = part.keys().find((key) => {
      const value = part.value(key) ?? 0;
      return typeof value === "object" && !Array.isArray(value);
    });
    if (nested !== undefined) part.refuse(nested, "one set of rotary positions for all blocks");
  }
  const ropeTheta = agreedNumber(config, {
    parts,
    own: fields.theta ?? "rope_theta",
    newer: "rope_theta",
    absent: fields.absentTheta ?? 10_000,
  });
  const { absentShare } = fields, isWhole = absentShare === undefined;
  const rotatedShare = agreedNumber(config, {
    parts,
    own: fields.share ?? "partial_rotary_factor",
    newer: "partial_rotary_factor",
    absent: absentShare ?? 1,
    allowed: isWhole ? { least: 1, words: "1" } : { least: 0, words: "numbers above 0, up to 1" },
  });
  const scalings = parts.map((part) => readScaling(part, config, fields))
    .filter((scaling) => scaling !== undefined);
  const [scaling, other] = scalings;
  if (other && !isDeepStrictEqual(other, scaling)) {
    config.refuse("rope_scaling", "what rope_parameters says");
  }
  const ropeScaling = scaling === "default" ? undefined : scaling;
  return {
    ropeTheta,
    ...(isWhole ? {} : { rotatedShare }),
    ...(ropeScaling ? { ropeScaling } : {}),
  };
}

/** The objects in which newer files have the fields of rotary positions. */
export function ropeParts(config: ConfigReader): ConfigReader[] {
  return ["rope_parameters", "rope_scaling"].filter((name) => config.value(name) !== undefined)
    .map((name) => config.part(name));
}

/** The fields of the kind of blocks that is read, where those of several stand there; none where it has none. */
function ofKind(part: ConfigReader, { kinds = [] }: RopeFields): ConfigReader[] {
  if (!kinds.some((kind) => part.value(kind) !== undefined)) return [part];
  return part.value(kinds[0]) === undefined ? [] : [part.part(kinds[0])];
}

/** A positive number that may stand beside the parts, under its own name, and in each, under the newer one. */
function agreedNumber(
  config: ConfigReader,
  { parts, own, newer, absent, allowed }: {
    parts: readonly ConfigReader[];
    own: string;
    newer: string;
    absent: number;
    /** Values up to 1 from the least on; absent: all are. */
    allowed?: { readonly least: number; readonly words: string };
  },
): number {
  const places = [{ reader: config, key: own }, ...parts.map((reader) => ({ reader, key: newer }))];
  const [first, ...others] = places.filter(({ reader, key }) => reader.value(key) !== undefined);
  const value = first?.reader.positiveNumber(first.key, absent) ?? absent;
  if (first && allowed && !(value >= allowed.least && value <= 1)) {
    first.reader.refuse(first.key, allowed.words);
  }
  // The official code does not read the newer name beside the parts: there it may only say the same.
  for (const { reader, key } of [...others, { reader: config, key: newer }]) {
    if (reader.positiveNumber(key, value) === value) continue;
    reader.refuse(key, `${value}, as ${first ? `${first.key} says` : `is the default of ${own}`}`);
  }
  return value;
}

/** The factor of turned queries and keys where none is written: the more positions there are, the sharper is the softmax. */
function yarnMagnitude(part: ConfigReader, factor: number): number {
  const growth = (weight: number) => factor <= 1 ? 1 : 0.1 * weight * Math.log(factor) + 1;
  const [own, all] = ["mscale", "mscale_all_dim"].map((name) =>
    part.value(name) ? part.requiredPositiveNumber(name) : undefined // 0 is as if absent
  );
  return own && all ? growth(own) / growth(all) : growth(1);
}

/** The same of LongRoPE, by how many times more positions there are. */
function longMagnitude(factor: number, originalTokens: number): number {
  return factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(originalTokens));
}

/** The scaling that a part says; undefined where it says none, not even "default". */
function readScaling(
  part: ConfigReader,
  config: ConfigReader,
  { absentPositions = 2048, absentOriginalPositions, scalings = usualScalings }: RopeFields,
): RopeScaling | "default" | undefined {
  const [key, other] = part.value("rope_type") === undefined ? ["type"] : ["rope_type", "type"];
  if (part.value(key) === undefined) {
    if (part.value("factor") !== undefined) part.refuse("factor", "none without rope_type");
    return undefined;
  }
  const word = part.word(key, "default"), kind = scalings[word];
  if (kind === undefined) {
    part.refuse(key, Object.keys(scalings).map((word) => `"${word}"`).join(", "));
  }
  if (other !== undefined && scalings[part.word(other, word)] !== kind) {
    part.refuse(other, `"${word}", as ${key} says`);
  }
  const positions = () => config.optionalSize("max_position_embeddings") ?? absentPositions;
  const originalTokens = () => {
    const name = "original_max_position_embeddings";
    const [outer, own] = [config, part].map((reader) => reader.optionalSize(name));
    if (outer && own && outer !== own) part.refuse(name, `${outer}, as it says outside`);
    return outer ?? own ?? absentOriginalPositions ?? positions();
  };
  switch (kind) {
    case "default":
      return kind;
    case "linear":
      return { kind, factor: part.requiredPositiveNumber("factor") };
    case "llama3": {
      const low = part.requiredPositiveNumber("low_freq_factor");
      const high = part.requiredPositiveNumber("high_freq_factor");
      if (high <= low) part.refuse("high_freq_factor", `numbers above low_freq_factor, ${low}`);
      return {
        kind,
        factor: part.requiredPositiveNumber("factor"),
        lowFrequencyFactor: low,
        highFrequencyFactor: high,
        originalTokens: originalTokens(),
      };
    }
    case "yarn": {
      const factor = part.requiredPositiveNumber("factor");
      const fast = part.positiveNumber("beta_fast", 32), slow = part.positiveNumber("beta_slow", 1);
      if (fast < slow) part.refuse("beta_fast", `numbers from beta_slow, ${slow}`);
      return {
        kind,
        factor,
        fastTurns: fast,
        slowTurns: slow,
        originalTokens: originalTokens(),
        wholeBounds: part.flag("truncate", true),
        magnitude: part.positiveNumber("attention_factor", yarnMagnitude(part, factor)),
      };
    }
    case "dynamic":
      part.requiredPositiveNumber("factor");
      return { kind, originalTokens: positions() };
    case "longrope": {
      const tokens = originalTokens(), growth = part.positiveNumber("factor", positions() / tokens);
      return {
        kind,
        factors: part.positiveNumbers("short_factor"),
        originalTokens: tokens,
        magnitude: part.positiveNumber("attention_factor", longMagnitude(growth, tokens)),
      };
    }
    default:
      return kind satisfies never;
  }
}

/** Whether a file's tensor is a buffer that older versions of the official code saved with rotary positions. */
export function isRotaryBuffer(name: string): boolean {
  return /(^|\.)rotary_emb\.inv_freq$/.test(name);
}

/** Names of the tensors of an architecture in its files. */
export interface TensorNames {
  /** Names beside the blocks. */
  readonly outer: Readonly<Record<string, string>>;
  /** Prefix of a block. */
  readonly block: (index: number) => string;
  /** Names within a block, without `.weight` and `.bias`. */
  readonly inner: Readonly<Record<string, string>>;
  /** The one tensor of a block in which queries, keys and values lie, and how. */
  readonly fused?: { readonly name: string; readonly kind: "parts" | "heads" };
  /** Channels of a head that turn, where the two that turn together lie beside each other; absent: they lie half of these apart. */
  readonly paired?: (shape: BackboneShape) => number;
  /** The one tensor of a block in which the rows of the MLP's gate lie, and behind them those of its input. */
  readonly fusedGate?: string;
  /** Whether gains of norms are stored less 1. */
  readonly gainsLessOne?: boolean;
  /** Matrices that are stored [in, out]. */
  readonly transposed?: readonly string[];
}

const projections = ["attention.q", "attention.k", "attention.v"];
const gateAndInput = ["mlp.gate", "mlp.in"];

/** Where each tensor lies, by a table of names. */
export function sourcesByName(names: TensorNames): HuggingFaceFormat["source"] {
  const { outer, block, inner, fused, paired, fusedGate, transposed, gainsLessOne } = names;
  return (name, shape) => {
    const [, index, part, kind] = /^(?:blocks\.(\d+)\.)?(.+)\.(weight|bias)$/.exec(name)!;
    const placed = (inFile: string, rows?: FileRows) => {
      const isTransposed = kind === "weight" && transposed?.includes(rows ? inFile : part);
      const layout = {
        ...(isTransposed && { transposed: true }),
        ...(rows && { rows }),
        ...(gainsLessOne && /norm\.weight$/.test(name) && { lessOne: true }),
      };
      return {
        name: `${index === undefined ? "" : block(Number(index))}${inFile}.${kind}`,
        ...(Object.keys(layout).length > 0 && { layout }),
      };
    };
    if (index === undefined) return placed(outer[part]);
    const projection = projections.indexOf(part), ofGate = gateAndInput.indexOf(part);
    if (fused && projection >= 0) {
      return placed(fused.name, fusedRows[fused.kind](projection, shape));
    }
    if (paired && (part === "attention.q" || part === "attention.k")) {
      const { heads, keyValueHeads, headDim } = headsOf(shape);
      const rows = { heads: part === "attention.q" ? heads : keyValueHeads, headDim };
      return placed(inner[part], pairedRows({ ...rows, rotated: paired(shape) }));
    }
    if (fusedGate !== undefined && ofGate >= 0) {
      return placed(fusedGate, partRows(ofGate, gateAndInput.map(() => shape.feedForwardDim)));
    }
    return placed(inner[part]);
  };
}

/** Rows of one of the parts, of these numbers of rows, that lie one after the other in a fused tensor. */
function partRows(part: number, counts: readonly number[]): FileRows {
  const sum = (numbers: readonly number[]) => numbers.reduce((sum, x) => sum + x, 0);
  const first = sum(counts.slice(0, part));
  return { count: sum(counts), at: (row) => first + row };
}

/** Rows of queries, keys or values (`part` 0, 1 or 2) in a fused tensor. */
const fusedRows = {
  /** The queries', the keys' and the values', one after the other. */
  parts(part: number, shape: BackboneShape): FileRows {
    const { heads: H, keyValueHeads: K, headDim: D } = headsOf(shape);
    return partRows(part, [H * D, K * D, K * D]);
  },
  /** Of one head of keys after the other: of the heads of queries that it serves, of itself, of its values. */
  heads(part: number, shape: BackboneShape): FileRows {
    const { heads: H, keyValueHeads: K, headDim: D } = headsOf(shape);
    const served = H / K, inGroup = served + 2;
    return {
      count: K * inGroup * D,
      at(row) {
        const head = Math.floor(row / D);
        const [group, place] = part === 0
          ? [Math.floor(head / served), head % served]
          : [head, served + part - 1];
        return (group * inGroup + place) * D + row % D;
      },
    };
  },
};

/** Heads, of which settings may say more than the shape. */
export function headsOf({ heads, hiddenDim, settings = {} }: BackboneShape) {
  const { keyValueHeads = heads, headDim = hiddenDim / heads } = settings as Record<string, number>;
  return { heads, keyValueHeads, headDim };
}

/**
 * Rows of heads whose rotated channels lie in pairs, each of which turns together, in a file. Ours are the first of all pairs,
 * then the second of all, and what is not rotated.
 */
function pairedRows(
  { heads, headDim: D, rotated }: { heads: number; headDim: number; rotated: number },
): FileRows {
  const half = rotated / 2;
  return {
    count: heads * D,
    at(row) {
      const channel = row % D, first = row - channel;
      if (channel >= rotated) return row;
      return first + (channel < half ? 2 * channel : 2 * (channel - half) + 1);
    },
  };
}
