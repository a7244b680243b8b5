/** Settings that several of Hugging Face's formats have in common. */
import { z } from "zod";
import { oneOf, positiveInteger, positiveNumber, trueOrFalse } from "../declaration/fields.ts";
import { isDeepStrictEqual } from "../system.ts";
import { type Activation, activationNames } from "./decoder.ts";
import type { ConfigReader, HuggingFaceFormat, TensorSource } from "./huggingface_format.ts";
import type { RopeScaling } from "./rotary.ts";
import type { BackboneShape } from "./shape.ts";

/** Forms of settings. */
export const fields = {
  size: positiveInteger,
  positive: positiveNumber,
  flag: trueOrFalse,
  activation: oneOf(...activationNames),
  ropeScaling: z.discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("linear"), factor: positiveNumber }),
    z.strictObject({
      kind: z.literal("llama3"),
      factor: positiveNumber,
      lowFrequencyFactor: positiveNumber,
      highFrequencyFactor: positiveNumber,
      originalTokens: positiveInteger,
    }),
  ]),
} as const;

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
const epsilonNames = ["layer_norm_eps", "layer_norm_epsilon", "rms_norm_eps"];

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
  /** Part of each head's channels that is rotated. */
  readonly rotatedShare: number;
}

/**
 * Rotary positions, in the older spelling (`rope_theta`, `rope_scaling`) or the newer (`rope_parameters`, which `rope_scaling`
 * may hold as well).
 */
export function readRope(
  config: ConfigReader,
  names: { theta: readonly string[]; share: readonly string[]; absentShare: number },
): RopeSettings {
  const parts = ["rope_parameters", "rope_scaling"].filter((name) =>
    config.value(name) !== undefined
  ).map((name) => config.part(name));
  for (const part of parts) {
    const nested = part.keys().find((key) => typeof (part.value(key) ?? 0) === "object");
    if (nested !== undefined) part.refuse(nested, "one set of rotary positions for all blocks");
  }
  const readers = [config, ...parts];
  const ropeTheta = agreedNumber(readers, names.theta) ?? 10_000;
  const rotatedShare = agreedNumber(readers, names.share) ?? names.absentShare;
  const scalings = parts.map((part) => readScaling(part, config))
    .filter((scaling) => scaling !== undefined);
  const [scaling, other] = scalings;
  if (other && !isDeepStrictEqual(other, scaling)) {
    config.refuse("rope_scaling", "what rope_parameters says");
  }
  const ropeScaling = scaling === "default" ? undefined : scaling;
  return { ropeTheta, rotatedShare, ...(ropeScaling ? { ropeScaling } : {}) };
}

/** A positive number that may stand in several places and under several names; undefined where it stands in none. */
function agreedNumber(
  readers: readonly ConfigReader[],
  keys: readonly string[],
): number | undefined {
  const found = readers.flatMap((reader) =>
    keys.filter((key) => reader.value(key) !== undefined)
      .map((key) => ({ reader, key, value: reader.positiveNumber(key, NaN) }))
  );
  for (const { reader, key, value } of found) {
    if (value !== found[0].value) reader.refuse(key, `${found[0].value}, as ${found[0].key} says`);
  }
  return found[0]?.value;
}

/** The scaling that a part says; undefined where it says none, not even "default". */
function readScaling(
  part: ConfigReader,
  config: ConfigReader,
): RopeScaling | "default" | undefined {
  const [key, other] = part.value("rope_type") === undefined ? ["type"] : ["rope_type", "type"];
  if (part.value(key) === undefined) {
    if (part.value("factor") !== undefined) part.refuse("factor", "none without rope_type");
    return undefined;
  }
  const kind = part.word(key, "default");
  if (other !== undefined && part.word(other, kind) !== kind) {
    part.refuse(other, `"${kind}", as ${key} says`);
  }
  switch (kind) {
    case "default":
      return kind;
    case "linear":
      return { kind, factor: part.requiredPositiveNumber("factor") };
    case "llama3": {
      const original = "original_max_position_embeddings";
      const originalTokens = part.optionalSize(original) ?? config.optionalSize(original) ??
        config.size(original, "max_position_embeddings");
      const low = part.requiredPositiveNumber("low_freq_factor");
      const high = part.requiredPositiveNumber("high_freq_factor");
      if (high <= low) part.refuse("high_freq_factor", `numbers above low_freq_factor, ${low}`);
      return {
        kind,
        factor: part.requiredPositiveNumber("factor"),
        lowFrequencyFactor: low,
        highFrequencyFactor: high,
        originalTokens,
      };
    }
    default:
      return part.refuse(key, '"default", "linear", "llama3"');
  }
}

/** Names of the tensors of an architecture in its files. */
export interface TensorNames {
  /** Names beside the blocks. */
  readonly outer: Readonly<Record<string, string>>;
  /** Prefix of a block. */
  readonly block: (index: number) => string;
  /** Names within a block, without `.weight` and `.bias`. */
  readonly inner: Readonly<Record<string, string>>;
  /** Layouts of tensors within a block. */
  readonly layout?: (
    name: string,
    shape: BackboneShape,
  ) => TensorSource["layout"] | undefined;
}

/** Where each tensor lies, by a table of names. */
export function sourcesByName(names: TensorNames): HuggingFaceFormat["source"] {
  return (name, shape) => {
    const [, index, part, kind] = /^blocks\.(\d+)\.(.+)\.(weight|bias)$/.exec(name) ?? [];
    if (index === undefined) {
      const [, part, kind] = /^(.+)\.(weight|bias)$/.exec(name)!;
      return { name: `${names.outer[part]}.${kind}` };
    }
    const layout = names.layout?.(`${part}.${kind}`, shape);
    const source = `${names.block(Number(index))}${names.inner[part]}.${kind}`;
    return { name: source, ...(layout ? { layout } : {}) };
  };
}

/** The layout of queries, keys and values that lie head by head in one tensor. */
export function fusedHeads(name: string, { heads }: BackboneShape): TensorSource["layout"] {
  const [, projection] = /^attention\.([qkv])\.(?:weight|bias)$/.exec(name) ?? [];
  if (projection === undefined) return undefined;
  return { kind: "heads", part: "qkv".indexOf(projection) as 0 | 1 | 2, heads };
}
