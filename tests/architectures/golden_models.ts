/** Models of Hugging Face's format with golden values, as `reference/hf/README.md` describes them. */
import { readSafetensors } from "../../src/formats/safetensors.ts";
import { assert, sharedPath } from "../testing.ts";

/** Folders of golden models. */
export const goldenModels = [
  "gpt2",
  "gpt2/float16",
  "gpt2/bfloat16",
  "llama",
  "llama/sharded",
  "llama_rope_linear",
  "llama_rope_llama3",
  "mistral",
  "qwen2",
  "qwen3",
  "gpt_neox",
  "bloom",
] as const;

/** Path of a golden model. */
export function goldenPath(model: string): string {
  return sharedPath(`reference/hf/${model}`);
}

/** Golden tensors of a model; a sharded one has those of its folder. */
export class GoldenTensors {
  private constructor(readonly content: Awaited<ReturnType<typeof readSafetensors>>) {}

  static async read(model: string): Promise<GoldenTensors> {
    const folder = model.replace(/\/sharded$/, "");
    return new GoldenTensors(await readSafetensors(`${goldenPath(folder)}/expected.safetensors`));
  }

  has(name: string): boolean {
    return this.content.tensors.has(name);
  }

  floats(name: string): { data: Float32Array; shape: readonly number[] } {
    const tensor = this.content.tensors.get(name);
    assert.ok(tensor, `no golden tensor "${name}"`);
    return tensor;
  }

  integers(name: string): { data: Int32Array<ArrayBuffer>; shape: readonly number[] } {
    const tensor = this.content.integers.get(name);
    assert.ok(tensor, `no golden tensor "${name}"`);
    return tensor;
  }
}
