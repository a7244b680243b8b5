/** Settings that several of Hugging Face's formats have in common. */
import { z } from "zod";
import { oneOf, positiveInteger, positiveNumber, trueOrFalse } from "../declaration/fields.ts";
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
  const name = names.find((name) => config.value(name) !== undefined) ?? names[0];
  const word = config.word(name, absent);
  return activationWords.get(word) ??
    config.refuse(name, [...activationWords.keys()].map((word) => `"${word}"`).join(", "));
}

/** Rotary positions: absent fields have their defaults. */
export interface RopeSettings {
  readonly ropeTheta: number;
  readonly ropeScaling?: RopeScaling;
  /** Part of each head's channels that is rotated. */
  readonly rotatedShare: number;
}

/** Rotary positions, in the older spelling (`rope_theta`, `rope_scaling`) or the newer (`rope_parameters`). */
export function readRope(
  config: ConfigReader,
  names: { theta: readonly string[]; share: readonly string[]; absentShare: number },
): RopeSettings {
  const newer = config.value("rope_parameters") === undefined
    ? undefined
    : config.part("rope_parameters");
  const older = config.value("rope_scaling") === undefined
    ? undefined
    : config.part("rope_scaling");
  const nested = newer && [...newer.keys()].find((key) => typeof newer.value(key) === "object");
  if (nested !== undefined) newer!.refuse(nested, "one set of rotary positions for all blocks");
  const first = (keys: readonly string[], absent: number) =>
    newer && keys.some((key) => newer.value(key) !== undefined)
      ? newer.number(keys, absent)
      : config.number(keys, absent);
  const ropeTheta = first(names.theta, 10_000);
  const rotatedShare = first(names.share, names.absentShare);
  const ropeScaling = newer && readScaling(newer, config) || older && readScaling(older, config);
  return { ropeTheta, rotatedShare, ...(ropeScaling ? { ropeScaling } : {}) };
}

function readScaling(part: ConfigReader, config: ConfigReader): RopeScaling | undefined {
  const key = part.value("rope_type") === undefined ? "type" : "rope_type";
  const kind = part.word(key, "default");
  switch (kind) {
    case "default":
      return undefined;
    case "linear":
      return { kind, factor: part.requiredNumber("factor") };
    case "llama3": {
      const originalTokens = part.optionalSize("original_max_position_embeddings") ??
        config.size("original_max_position_embeddings", "max_position_embeddings");
      return {
        kind,
        factor: part.requiredNumber("factor"),
        lowFrequencyFactor: part.requiredNumber("low_freq_factor"),
        highFrequencyFactor: part.requiredNumber("high_freq_factor"),
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
