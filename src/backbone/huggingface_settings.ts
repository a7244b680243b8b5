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

/** The activation of the MLPs. */
export function readActivation(
  config: ConfigReader,
  names: readonly string[],
  absent: string,
): Activation {
  const found = names.filter((name) => config.value(name) !== undefined);
  const [name = names[0]] = found;
  const word = config.word(name, absent), activation = activationWords.get(word);
  if (!activation) {
    config.refuse(name, [...activationWords.keys()].map((word) => `"${word}"`).join(", "));
  }
  const other = found.find((name) => activationWords.get(config.word(name, absent)) !== activation);
  if (other !== undefined) config.refuse(other, `"${word}", as ${name} says`);
  return activation;
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
  const [ropeScaling, other] = scalings;
  if (other && !isDeepStrictEqual(other, ropeScaling)) {
    config.refuse("rope_scaling", "what rope_parameters says");
  }
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

function readScaling(part: ConfigReader, config: ConfigReader): RopeScaling | undefined {
  const key = part.value("rope_type") === undefined ? "type" : "rope_type";
  const kind = part.word(key, "default");
  switch (kind) {
    case "default":
      return undefined;
    case "linear":
      return { kind, factor: part.requiredPositiveNumber("factor") };
    case "llama3": {
      const originalTokens = part.optionalSize("original_max_position_embeddings") ??
        config.size("original_max_position_embeddings", "max_position_embeddings");
      return {
        kind,
        factor: part.requiredPositiveNumber("factor"),
        lowFrequencyFactor: part.requiredPositiveNumber("low_freq_factor"),
        highFrequencyFactor: part.requiredPositiveNumber("high_freq_factor"),
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
