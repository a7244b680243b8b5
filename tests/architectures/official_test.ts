/**
 * Small models of many kinds against the logits that Hugging Face's official code gives for them, which `official_logits.py` has
 * written into tests/golden/architectures/. Their tensors come from a formula, in both programs.
 */
import { architectures } from "../../src/backbone/architectures.ts";
import { loadLongMem } from "../../src/checkpoint/load.ts";
import { elementCount, type TensorMap } from "../../src/tensor.ts";
import { writeHuggingFace } from "../checkpoint/huggingface_folder.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, assertClose, test } from "../testing.ts";
import { officialCases } from "./official_cases.ts";

for (const { name, cases } of officialCases) {
  for (const [i, { config, tensors, tokens, logits }] of cases.entries()) {
    const about = `${name}, case ${i + 1}`;
    test(`${about}: logits are those of the official code`, () =>
      withFolder(async (path) => {
        const weights: TensorMap = new Map(
          Object.entries(tensors).map((
            [name, shape],
          ) => [name, { shape, data: values(name, shape) }]),
        );
        await writeHuggingFace(path, config, weights);
        await using model = await loadLongMem({ backbone: path, device: "cpu" });
        const ids = Int32Array.from(tokens), network = "backbone" as const;
        const found = await model.forward(ids, { batch: 2, network });
        assertClose(found.logits, logits, { tolerance: 1e-4, name: about });

        // The same by cached keys and values, a token at a time.
        const T = ids.length / 2, V = logits.length / ids.length;
        const window = model.openWindow({ contextTokens: T, network });
        for (let t = 0; t < T; t++) {
          const next = await window.append([ids[t]]);
          assertClose(next, logits.slice(t * V, (t + 1) * V), { tolerance: 1e-4, name: about });
        }
        await window.close();
      }));
  }
}

test("every architecture of Hugging Face has official cases", () => {
  const types = new Set(
    officialCases.flatMap(({ cases }) => cases.map(({ config }) => config.model_type)),
  );
  const missing = architectures().flatMap(({ huggingFace }) => huggingFace?.modelTypes ?? [])
    .filter((type) => !types.has(type));
  assert.deepEqual(missing, []);
});

/** The numbers of a tensor, as `tensor_values()` of the script. */
function values(name: string, shape: readonly number[]): Float32Array<ArrayBuffer> {
  const isGain = name.endsWith(".weight") && /norm|ln/.test(name.split(".").at(-2)!);
  const isVector = shape.length === 1;
  const scale = isVector ? 0.3 : Math.sqrt(6 / shape.at(-1)!);
  const seed = hash(name);
  return Float32Array.from({ length: elementCount(shape) }, (_, i) => {
    let x = (Math.imul(i, 2654435761) + seed) >>> 0;
    for (let round = 0; round < 2; round++) x = Math.imul(x ^ (x >>> 16), 0x45D9F3B);
    x = (x ^ (x >>> 16)) >>> 0;
    return scale * (x / 2 ** 31 - 1) + (isVector && isGain ? 1 : 0);
  });
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let h = 2166136261;
  for (const byte of new TextEncoder().encode(text)) h = Math.imul(h ^ byte, 16777619);
  return h >>> 0;
}
