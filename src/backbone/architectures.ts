import { allowedWords } from "../did_you_mean.ts";
import { InputTypeError } from "../errors.ts";
import type { Architecture } from "./architecture.ts";
import { bloom } from "./architectures/bloom.ts";
import { gpt2 } from "./architectures/gpt2.ts";
import { gptNeoX } from "./architectures/gpt_neox.ts";
import { llama } from "./architectures/llama.ts";
import { longMemGpt2 } from "./architectures/longmem_gpt2.ts";
import { mistral } from "./architectures/mistral.ts";
import { qwen2 } from "./architectures/qwen2.ts";
import { qwen3 } from "./architectures/qwen3.ts";
import type { BackboneShape } from "./shape.ts";

/** Every architecture by its name. */
const registry = new Map<string, Architecture>();

/** Makes an architecture known by its name, to declarations and checkpoints alike. */
export function registerArchitecture(architecture: Architecture): void {
  registry.set(architecture.name, architecture);
}

/** The paper's, which shapes without a name have. */
export const defaultArchitecture = longMemGpt2;

for (
  const architecture of [longMemGpt2, gpt2, llama, mistral, qwen2, qwen3, gptNeoX, bloom]
) registerArchitecture(architecture);

/** Every architecture. */
export function architectures(): Architecture[] {
  return [...registry.values()];
}

/**
 * The architecture of a backbone.
 *
 * @throws TypeError for a name that is not known, with those that are.
 */
export function architectureOf(
  { architecture: name }: Pick<BackboneShape, "architecture">,
): Architecture {
  if (name === undefined) return defaultArchitecture;
  const found = registry.get(name);
  if (found) return found;
  throw new InputTypeError(
    `Cannot use a backbone as its architecture "${name}" is unknown: ${
      allowedWords(name, [...registry.keys()])
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
