/**
 * Settings that the models of the shared golden tensors do not have: the last position's logits are those of the official
 * `transformers` code, which reads the same `config.json` and the same weights.
 */
import { loadLongMem } from "../../src/checkpoint/load.ts";
import { readHuggingFaceShape } from "../../src/checkpoint/huggingface.ts";
import { huggingFaceTensors, writeHuggingFace } from "../checkpoint/huggingface_folder.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, assertClose, test } from "../testing.ts";
import { randomBackbone } from "./small_models.ts";

type Config = Record<string, unknown>;

const llama: Config = {
  "model_type": "llama",
  "num_hidden_layers": 2,
  "hidden_size": 16,
  "num_attention_heads": 2,
  "num_key_value_heads": 1,
  "head_dim": 12,
  "intermediate_size": 12,
  "vocab_size": 7,
  "rms_norm_eps": 1e-5,
  "max_position_embeddings": 32,
};
const neox: Config = {
  "model_type": "gpt_neox",
  "num_hidden_layers": 2,
  "hidden_size": 16,
  "num_attention_heads": 2,
  "intermediate_size": 12,
  "vocab_size": 7,
  "rotary_pct": 0.5,
  "max_position_embeddings": 32,
};
const gpt2: Config = {
  "model_type": "gpt2",
  "n_layer": 2,
  "n_embd": 16,
  "n_head": 2,
  "n_positions": 32,
  "vocab_size": 7,
};
const bloom: Config = {
  "model_type": "bloom",
  "n_layer": 2,
  "hidden_size": 15,
  "n_head": 3,
  "vocab_size": 7,
};
const yarn: Config = {
  "rope_type": "yarn",
  factor: 4,
  "original_max_position_embeddings": 8,
  "beta_fast": 4,
  "beta_slow": 0.25,
};

/** Settings, and the official logits [7] of the last of 24 tokens. */
const cases: readonly { of: Config; fields: Config; expected: readonly number[] }[] = [
  {
    of: llama,
    fields: { "rope_scaling": yarn },
    expected: [1.09923, -2.4148, -1.29149, 1.79209, -0.00713, 2.47075, 1.47041],
  },
  {
    of: llama,
    fields: { "rope_parameters": { ...yarn, truncate: false, "attention_factor": 1.5 } },
    expected: [1.26588, -2.32636, -1.20213, 2.02083, -0.02431, 2.32695, 1.66089],
  },
  {
    of: llama,
    fields: { "rope_scaling": { ...yarn, mscale: 0.707, "mscale_all_dim": 0.5 } },
    expected: [1.06236, -2.40918, -1.23285, 1.81865, -0.00939, 2.42497, 1.4999],
  },
  {
    of: llama,
    fields: { "rope_scaling": { type: "dynamic", factor: 2 } },
    expected: [0.69762, -2.40187, -1.11287, 1.68078, -0.0131, 2.34914, 1.48642],
  },
  {
    of: neox,
    fields: { "rope_scaling": yarn },
    expected: [-0.58874, -2.90996, -0.52182, -0.41569, 0.47071, -2.53351, -2.54767],
  },
  // 3 of 8 channels: a fourth turns with the third.
  {
    of: neox,
    fields: { "rotary_pct": 0.4 },
    expected: [-0.79596, -2.84761, -0.19825, 0.0229, 0.29709, -2.24147, -2.4858],
  },
  {
    of: neox,
    fields: { "hidden_act": "relu" },
    expected: [-0.72284, -2.86242, -0.24103, -0.18128, 0.66144, -2.36037, -2.40487],
  },
  {
    of: gpt2,
    fields: { "scale_attn_weights": false },
    expected: [-3.26749, -1.53294, -1.25183, -0.75327, 1.94326, -2.61201, 0.88595],
  },
  {
    of: gpt2,
    fields: { "scale_attn_by_inverse_layer_idx": true },
    expected: [-2.43936, -1.87244, -1.76153, -0.95652, 1.72623, -3.44968, 1.21109],
  },
  {
    of: gpt2,
    fields: { "activation_function": "relu2" },
    expected: [-1.09808, 0.01871, -1.23651, -0.94967, 0.72425, -2.25842, -0.16152],
  },
  {
    of: gpt2,
    fields: { "activation_function": "quick_gelu" },
    expected: [-2.22817, -1.45871, -1.58735, -0.79843, 1.72868, -3.19892, 1.14681],
  },
  {
    of: bloom,
    fields: { "apply_residual_connection_post_layernorm": true },
    expected: [0.25556, 2.81038, -2.91765, -1.18476, 1.48448, -1.14203, -0.13851],
  },
];

/** Weights that need no file: of each tensor's name and elements alone. */
function weightsOf(name: string, count: number): Float32Array<ArrayBuffer> {
  const start = [...name].reduce((sum, letter) => sum + letter.charCodeAt(0), 0);
  const offset = /(norm|ln_\w+)\.weight$/.test(name) ? 1 : 0;
  return Float32Array.from(
    { length: count },
    (_, i) => 0.6 * Math.sin(0.37 * (start + i) ** 2) + offset,
  );
}

for (const { of: config, fields, expected } of cases) {
  test(`${config.model_type} of ${JSON.stringify(fields)} gives the official logits`, async () => {
    await withFolder(async (folder) => {
      const all = { ...config, ...fields };
      await Deno.writeTextFile(`${folder}/config.json`, JSON.stringify(all));
      const tensors = huggingFaceTensors(randomBackbone(await readHuggingFaceShape(folder)));
      for (const [name, { data }] of tensors) data.set(weightsOf(name, data.length));
      await writeHuggingFace(folder, all, tensors);
      await using model = await loadLongMem({
        backbone: folder,
        device: "cpu",
        memory: { capacityTokens: 64, chunkTokens: 2, retrievedTokens: 4 },
      });
      const tokens = Int32Array.from({ length: 24 }, (_, t) => (3 * t * t + t) % 7);
      const { logits } = await model.forward(tokens, { network: "backbone" });
      assertClose(logits.subarray(-7), expected, { tolerance: 1e-4 });

      const window = model.openWindow({ contextTokens: 24, network: "backbone" });
      await window.append(tokens.subarray(0, 23));
      assertClose(await window.append(tokens.subarray(23)), expected, { tolerance: 1e-4 });
      await window.close();

      const { logits: empty } = await model.forward(tokens);
      const { logits: remembering } = await model.forward(tokens);
      assert.ok(remembering.every(Number.isFinite));
      assert.ok(remembering.some((x, i) => Math.abs(x - empty[i]) > 1e-4), "the memory is read");
    });
  });
}

test("dynamic scaling refuses segments that would change its frequencies", async () => {
  await withFolder(async (folder) => {
    const config = { ...llama, "rope_scaling": { "rope_type": "dynamic", factor: 2 } };
    await Deno.writeTextFile(`${folder}/config.json`, JSON.stringify(config));
    const tensors = huggingFaceTensors(randomBackbone(await readHuggingFaceShape(folder)));
    await writeHuggingFace(folder, config, tensors);
    await using model = await loadLongMem({ backbone: folder, device: "cpu" });
    await model.forward(new Int32Array(32), { network: "backbone" });
    await assert.rejects(
      () => model.forward(new Int32Array(33), { network: "backbone" }),
      /Cannot run segments of 33 tokens as the backbone has positions for 32: allowed are 1 to 32 tokens/,
    );
  });
});
