import { z } from "zod";
import { composed, type Kind, Registry } from "../declaration/registry.ts";
import { allowedWords } from "../did_you_mean.ts";
import { InputTypeError } from "../errors.ts";
import type { Architecture } from "./architecture.ts";
import { arcee } from "./architectures/arcee.ts";
import { bloom } from "./architectures/bloom.ts";
import { codeGen } from "./architectures/codegen.ts";
import { cohere, cohere2 } from "./architectures/cohere.ts";
import { ernie } from "./architectures/ernie.ts";
import { exaone4 } from "./architectures/exaone4.ts";
import { falcon } from "./architectures/falcon.ts";
import { glm, glm4 } from "./architectures/glm.ts";
import { gemma } from "./architectures/gemma.ts";
import { gemma2 } from "./architectures/gemma2.ts";
import { gemma3 } from "./architectures/gemma3.ts";
import { gpt2 } from "./architectures/gpt2.ts";
import { gptBigCode } from "./architectures/gpt_bigcode.ts";
import { gptJ } from "./architectures/gpt_j.ts";
import { gptNeo } from "./architectures/gpt_neo.ts";
import { gptNeoX } from "./architectures/gpt_neox.ts";
import { granite } from "./architectures/granite.ts";
import { helium } from "./architectures/helium.ts";
import { llama } from "./architectures/llama.ts";
import { longMemGpt2 } from "./architectures/longmem_gpt2.ts";
import { mistral } from "./architectures/mistral.ts";
import { mpt } from "./architectures/mpt.ts";
import { nemotron } from "./architectures/nemotron.ts";
import { olmo } from "./architectures/olmo.ts";
import { olmo2 } from "./architectures/olmo2.ts";
import { olmo3 } from "./architectures/olmo3.ts";
import { opt } from "./architectures/opt.ts";
import { phi } from "./architectures/phi.ts";
import { phi3 } from "./architectures/phi3.ts";
import { qwen2 } from "./architectures/qwen2.ts";
import { qwen3 } from "./architectures/qwen3.ts";
import { smolLm3 } from "./architectures/smollm3.ts";
import { stableLm } from "./architectures/stablelm.ts";
import { starCoder2 } from "./architectures/starcoder2.ts";
import type { BackboneShape } from "./shape.ts";

/** The paper's, which shapes without a name have. */
export const defaultArchitecture = longMemGpt2;

/** Those of `architectures/`. */
const included: readonly Architecture[] = [
  longMemGpt2,
  gpt2,
  llama,
  mistral,
  qwen2,
  qwen3,
  gptNeoX,
  bloom,
  opt,
  gptJ,
  codeGen,
  gptNeo,
  gptBigCode,
  phi,
  falcon,
  mpt,
  cohere,
  cohere2,
  olmo,
  olmo2,
  olmo3,
  phi3,
  granite,
  starCoder2,
  stableLm,
  nemotron,
  arcee,
  ernie,
  exaone4,
  helium,
  glm,
  glm4,
  gemma,
  gemma2,
  gemma3,
  smolLm3,
];

/** Every architecture by its name, which declarations and checkpoints have. */
const registry = new Registry<Architecture & Kind>(
  Object.fromEntries(included.map((architecture) => [architecture.name, architecture])),
  { discriminator: "architecture" },
);

/**
 * Makes an architecture known by its name, to declarations and checkpoints alike.
 *
 * @returns A handle that unregisters it when disposed.
 * @throws RangeError where the name is taken.
 */
export function registerArchitecture(architecture: Architecture): Disposable {
  return registry.register(architecture.name, architecture);
}

/** Every architecture. */
export function architectures(): Architecture[] {
  return registry.all;
}

/**
 * The settings of all architectures, each optional. Each architecture checks itself which of them it takes, and in which
 * combinations.
 */
export const anySettings = composed(() => {
  const fields: Record<string, z.ZodType> = {};
  for (const { settings } of architectures()) {
    for (const [name, field] of Object.entries(settings?.shape ?? {})) {
      const form = field instanceof z.ZodDefault ? field.unwrap() : field;
      fields[name] ??= (form as z.ZodType).exactOptional();
    }
  }
  return z.strictObject(fields);
});

/**
 * The architecture of a backbone.
 *
 * @throws TypeError for a name that is not known, with those that are.
 */
export function architectureOf(
  { architecture: name }: Pick<BackboneShape, "architecture">,
): Architecture {
  if (name === undefined) return defaultArchitecture;
  const architecture = registry.find(name);
  if (architecture !== undefined) return architecture;
  throw new InputTypeError(
    `Cannot use a backbone as its architecture "${name}" is unknown: ${
      allowedWords(name, registry.names)
    }`,
  );
}

/** Names of a backbone's tensors and their shapes; those of the paper's architecture are the official ones, without the prefix `decoder.model.`. */
export function backboneTensorShapes(shape: BackboneShape): Map<string, number[]> {
  return architectureOf(shape).tensors(shape);
}

/** Heads of keys and values, and channels of a head: a memory bank consists of them. */
export function bankHeads(shape: BackboneShape): { heads: number; headDim: number } {
  const { keyValueHeads, headDim } = architectureOf(shape).keyHeads(shape);
  return { heads: keyValueHeads, headDim };
}
