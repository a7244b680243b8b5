import type { BackboneShape } from "../../src/backbone/shape.ts";
import { architectures } from "../../src/backbone/architectures.ts";
import {
  backboneMetadata,
  loadBackboneWeights,
  loadSideNetWeights,
  sideNetMetadata,
} from "../../src/checkpoint/checkpoint.ts";
import {
  readFolderShape,
  writeBackboneFolder,
  writeLongMemFolder,
} from "../../src/checkpoint/folder.ts";
import { readHuggingFaceShape } from "../../src/checkpoint/huggingface.ts";
import { writeSafetensors } from "../../src/formats/safetensors.ts";
import { writeTorchFile } from "../../src/formats/torch_writer.ts";
import type { TensorMap } from "../../src/tensor.ts";
import {
  describeShape,
  randomBackbone,
  randomSideNet,
  smallShapes,
} from "../architectures/small_models.ts";
import { officialCases } from "../architectures/official_cases.ts";
import { assert, test } from "../testing.ts";
import { huggingFaceTensors, writeHuggingFace } from "./huggingface_folder.ts";

type Config = Record<string, unknown>;

/** Configurations of small models, in the spelling that is usual now. */
const configs: Readonly<Record<string, Config>> = {
  gpt2: {
    "model_type": "gpt2",
    "n_layer": 2,
    "n_embd": 12,
    "n_head": 3,
    "n_positions": 16,
    "vocab_size": 31,
    "activation_function": "gelu_new",
    "layer_norm_epsilon": 1e-5,
  },
  llama: {
    "model_type": "llama",
    "num_hidden_layers": 2,
    "hidden_size": 12,
    "num_attention_heads": 3,
    "num_key_value_heads": 1,
    "intermediate_size": 10,
    "vocab_size": 31,
    "hidden_act": "silu",
    "rms_norm_eps": 1e-5,
    "rope_theta": 5000,
  },
  "gpt_neox": {
    "model_type": "gpt_neox",
    "num_hidden_layers": 2,
    "hidden_size": 24,
    "num_attention_heads": 3,
    "intermediate_size": 10,
    "vocab_size": 31,
    "hidden_act": "gelu",
    "rotary_pct": 0.5,
    "rotary_emb_base": 5000,
  },
  bloom: {
    "model_type": "bloom",
    "n_layer": 2,
    "hidden_size": 12,
    "n_head": 3,
    "vocab_size": 31,
  },
};
const mistral: Config = { ...configs.llama, "model_type": "mistral", "sliding_window": 5 };
const qwen2: Config = { ...configs.llama, "model_type": "qwen2" };
const qwen3: Config = { ...configs.llama, "model_type": "qwen3", "head_dim": 6 };

function folderTest(name: string, run: (folder: string) => Promise<void>): void {
  test(name, async () => {
    const folder = await Deno.makeTempDir();
    try {
      await run(folder);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

/** The shape that a configuration gives. */
async function shapeOf(folder: string, config: Config): Promise<BackboneShape> {
  await Deno.writeTextFile(`${folder}/config.json`, JSON.stringify(config));
  return await readHuggingFaceShape(folder);
}

/** A configuration with other fields; undefined takes one away. */
function changed(config: Config, fields: Config): Config {
  const all = Object.entries({ ...config, ...fields });
  return Object.fromEntries(all.filter(([, value]) => value !== undefined));
}

function equalWeights(actual: TensorMap, expected: TensorMap): void {
  assert.deepEqual([...actual.keys()], [...expected.keys()]);
  for (const [name, tensor] of expected) assert.deepEqual(actual.get(name), tensor, name);
}

folderTest(
  "Tensors come back from one file, several files, and files of the bare model",
  async (folder) => {
    const official = officialCases.flatMap(({ cases }) => cases.map(({ config }) => config));
    for (const config of [...Object.values(configs), mistral, qwen2, qwen3, ...official]) {
      const model = randomBackbone(await shapeOf(folder, config));
      // Some gains are stored less 1, where what has many digits is rounded.
      for (const { data } of model.weights.values()) {
        data.forEach((value, i) => data[i] = Math.round(2 ** 12 * value) / 2 ** 12);
      }
      const variants = [
        { shards: 1, tensors: huggingFaceTensors(model) },
        { shards: 3, tensors: huggingFaceTensors(model) },
        { shards: 1, tensors: huggingFaceTensors(model, { prefix: "" }) },
        { shards: 1, pickled: true, tensors: huggingFaceTensors(model) },
        { shards: 2, pickled: true, tensors: huggingFaceTensors(model) },
      ];
      for (const [i, { tensors, ...options }] of variants.entries()) {
        const path = `${folder}/${config.model_type}-${i}`;
        await writeHuggingFace(path, config, tensors, options);
        const read = await loadBackboneWeights(path);
        assert.deepEqual(read.shape, model.shape);
        equalWeights(read.weights, model.weights);
        assert.deepEqual(await readFolderShape(path), model.shape);
      }
    }
  },
);

folderTest("Buffers, and a copy of tied embeddings, are passed over", async (folder) => {
  const model = randomBackbone(await shapeOf(folder, configs.gpt2));
  const tensors = huggingFaceTensors(model);
  const buffer = { shape: [1, 1, 2, 2], data: new Float32Array(4) };
  tensors.set("transformer.h.0.attn.bias", buffer).set("transformer.h.1.attn.masked_bias", buffer);
  tensors.set("lm_head.weight", tensors.get("transformer.wte.weight")!);
  for (const pickled of [true, false]) { // where both are there, safetensors are read
    await writeHuggingFace(folder, configs.gpt2, tensors, { pickled });
    equalWeights((await loadBackboneWeights(folder)).weights, model.weights);
  }
  const head = structuredClone(tensors.get("lm_head.weight")!);
  head.data[head.data.length - 1]++;
  const other = `${folder}/other`;
  await writeHuggingFace(other, configs.gpt2, new Map(tensors).set("lm_head.weight", head), {
    pickled: true,
  });
  await assert.rejects(
    loadBackboneWeights(other),
    /pytorch_model.bin" as tensor "lm_head.weight" differs from the embeddings, first at \[30,11\]/,
  );

  const neox = configs["gpt_neox"];
  const neoxModel = randomBackbone(await shapeOf(folder, neox));
  const neoxTensors = huggingFaceTensors(neoxModel);
  neoxTensors.set("gpt_neox.layers.0.attention.rotary_emb.inv_freq", buffer);
  await writeHuggingFace(folder, neox, neoxTensors);
  equalWeights((await loadBackboneWeights(folder)).weights, neoxModel.weights);
});

folderTest("Settings are read under each of their spellings", async (folder) => {
  const pairs: [Config, Config][] = [
    [configs.gpt2, { "n_embd": undefined, "hidden_size": 12 }],
    [configs.gpt2, { "n_layer": undefined, "num_hidden_layers": 2 }],
    [configs.gpt2, { "n_head": undefined, "num_attention_heads": 3 }],
    [configs.gpt2, { "n_positions": undefined, "max_position_embeddings": 16 }],
    [configs.gpt2, { "n_inner": 48 }],
    [configs.gpt2, { "n_inner": null }],
    [configs.gpt2, { "activation_function": "gelu_pytorch_tanh" }],
    [configs.gpt2, { "activation_function": undefined }],
    [configs.gpt2, { "tie_word_embeddings": true }],
    [configs.llama, { "head_dim": 4 }],
    [configs.llama, { "head_dim": null }],
    [configs.llama, { "hidden_act": "swish" }],
    [configs.llama, { "hidden_act": undefined }],
    [configs.llama, { "tie_word_embeddings": false }],
    [configs.llama, { "attention_bias": false, "mlp_bias": false }],
    [configs.llama, { "rope_scaling": null }],
    [configs.llama, { "rope_scaling": { "rope_type": "default" } }],
    [configs.llama, {
      "rope_theta": undefined,
      "rope_parameters": { "rope_type": "default", "rope_theta": 5000 },
    }],
    [mistral, { "layer_types": ["sliding_attention", "sliding_attention"] }],
    [qwen2, { "use_sliding_window": false, "sliding_window": 5, "max_window_layers": 1 }],
    [configs["gpt_neox"], { "rope_theta": 5000, "partial_rotary_factor": 0.5 }],
    [configs["gpt_neox"], {
      "rotary_emb_base": undefined,
      "rotary_pct": undefined,
      "rope_parameters": { "rope_theta": 5000, "partial_rotary_factor": 0.5 },
    }],
    [configs.llama, {
      "rope_theta": undefined,
      "rope_scaling": { "rope_type": "default", "rope_theta": 5000 },
    }],
    [configs["gpt_neox"], {
      "rotary_emb_base": undefined,
      "rotary_pct": undefined,
      "rope_scaling": { "rope_theta": 5000, "partial_rotary_factor": 0.5 },
    }],
    [configs.gpt2, { "n_ctx": 999 }],
    [configs.gpt2, { "intermediate_size": 999 }], // the official code does not read it
    [configs.gpt2, { "reorder_and_upcast_attn": true }],
    [configs.gpt2, { "scale_attn_weights": true, "scale_attn_by_inverse_layer_idx": false }],
    [configs.bloom, { "hidden_size": undefined, "n_embed": 12 }],
    [configs.bloom, { "n_inner": 999 }], // the official code does not read it
    [configs.bloom, { "n_layer": undefined, "num_hidden_layers": 2 }],
    [configs.bloom, { "slow_but_exact": true }],
    [configs.bloom, { "pretraining_tp": 4, "slow_but_exact": false }],
  ];
  for (const [config, fields] of pairs) {
    const expected = await shapeOf(folder, config),
      shape = await shapeOf(folder, changed(config, fields));
    if (config !== mistral) {
      assert.deepEqual(shape, expected, JSON.stringify(fields));
      continue;
    }
    assert.deepEqual(shape.settings, { ...expected.settings, windowedBlocks: [0, 1] });
  }
  const scalings: [Config, unknown][] = [
    [{ "type": "linear", factor: 4 }, { kind: "linear", factor: 4 }],
    [{ "rope_type": "linear", factor: 4 }, { kind: "linear", factor: 4 }],
    [
      {
        "rope_type": "llama3",
        factor: 8,
        "low_freq_factor": 1,
        "high_freq_factor": 4,
        "original_max_position_embeddings": 24,
      },
      {
        kind: "llama3",
        factor: 8,
        lowFrequencyFactor: 1,
        highFrequencyFactor: 4,
        originalTokens: 24,
      },
    ],
    [
      { "rope_type": "yarn", factor: 4, "original_max_position_embeddings": 24 },
      {
        kind: "yarn",
        factor: 4,
        fastTurns: 32,
        slowTurns: 1,
        originalTokens: 24,
        wholeBounds: true,
        magnitude: 0.1 * Math.log(4) + 1,
      },
    ],
    [
      {
        type: "yarn",
        factor: 4,
        "beta_fast": 16,
        "beta_slow": 2,
        truncate: false,
        mscale: 2,
        "mscale_all_dim": 0.5,
      },
      {
        kind: "yarn",
        factor: 4,
        fastTurns: 16,
        slowTurns: 2,
        originalTokens: 2048, // the default of max_position_embeddings
        wholeBounds: false,
        magnitude: (0.2 * Math.log(4) + 1) / (0.05 * Math.log(4) + 1),
      },
    ],
    [{ type: "dynamic", factor: 4 }, { kind: "dynamic", originalTokens: 2048 }],
  ];
  for (const [written, ropeScaling] of scalings) {
    for (const name of ["rope_scaling", "rope_parameters"]) {
      const { settings } = await shapeOf(folder, { ...configs.llama, [name]: written });
      assert.deepEqual(settings?.ropeScaling, ropeScaling, name);
    }
  }
  const windows: [Config, Config, unknown][] = [
    [mistral, {}, { windowTokens: 5 }],
    [mistral, { "sliding_window": null }, {}],
    [mistral, { "sliding_window": undefined }, { windowTokens: 4096 }],
    [qwen2, { "sliding_window": 5 }, {}],
    // No block from the 28th on: none has a window.
    [qwen2, { "use_sliding_window": true, "sliding_window": 5 }, {}],
    [mistral, { "layer_types": ["full_attention", "full_attention"] }, {}],
    [qwen2, { "use_sliding_window": true, "sliding_window": 5, "max_window_layers": 1 }, {
      windowTokens: 5,
      windowedBlocks: [1],
    }],
    [qwen2, {
      "use_sliding_window": true,
      "sliding_window": 5,
      "layer_types": ["sliding_attention", "full_attention"],
    }, { windowTokens: 5, windowedBlocks: [0] }],
  ];
  for (const [config, fields, expected] of windows) {
    const { settings } = await shapeOf(folder, changed(config, fields));
    const { windowTokens, windowedBlocks } = settings!;
    const found = Object.entries({ windowTokens, windowedBlocks }).filter(([, value]) =>
      value !== undefined
    );
    assert.deepEqual(Object.fromEntries(found), expected, JSON.stringify(fields));
  }
  // Where the model has been trained further, the file's own field says what was before.
  const { settings: trainedFurther } = await shapeOf(folder, {
    ...configs.llama,
    "max_position_embeddings": 96,
    "original_max_position_embeddings": 24,
    "rope_scaling": {
      "rope_type": "llama3",
      factor: 8,
      "low_freq_factor": 1,
      "high_freq_factor": 4,
    },
  });
  assert.deepEqual(trainedFurther?.ropeScaling, scalings[2][1]);
  // null is false, as in Python.
  const nulls: [Config, Config, string][] = [
    [configs["gpt_neox"], { "use_parallel_residual": null }, "parallel"],
    [configs["gpt_neox"], { "attention_bias": null }, "attentionBias"],
    [configs.bloom, { "tie_word_embeddings": null }, "tied"],
  ];
  for (const [config, fields, setting] of nulls) {
    const { settings } = await shapeOf(folder, changed(config, fields));
    assert.equal(settings?.[setting], false, setting);
  }
  // What a file does not say is what its class says.
  const { settings: ofQwen3 } = await shapeOf(folder, changed(qwen3, { "head_dim": undefined }));
  assert.equal(ofQwen3?.headDim, 128);
  const heads = await shapeOf(folder, changed(configs.llama, { "num_key_value_heads": undefined }));
  assert.equal(heads.settings?.keyValueHeads, 3);
});

folderTest("What is not supported is named with what is", async (folder) => {
  const refused: [Config, Config, RegExp][] = [
    [
      configs.llama,
      { "model_type": "llamma" },
      /model_type "llamma" is not a known architecture.*"llama"/,
    ],
    [
      configs.llama,
      { "model_type": "mamba" },
      /gpt2, llama, mistral, qwen2, qwen3, gpt_neox, bloom/,
    ],
    [
      configs.llama,
      { "model_type": undefined, architectures: ["X"] },
      /model_type null is not a known/,
    ],
    [
      configs.llama,
      { "rope_scaling": { "rope_type": "longrope", "short_factor": [1], "long_factor": [4] } },
      /rope_scaling.rope_type has a value that is not supported: current value is "longrope", allowed are "default", "linear", "llama3", "yarn", "dynamic"/,
    ],
    [
      configs.llama,
      { "rope_scaling": { type: "su", factor: 4 } },
      /rope_scaling.type .*"su"/,
    ],
    [
      configs.llama,
      { "rope_scaling": { type: "dynamic" } },
      /rope_scaling.factor is missing/,
    ],
    [
      configs.llama,
      { "rope_scaling": { type: "yarn", factor: 4, "beta_fast": 1, "beta_slow": 2 } },
      /rope_scaling.beta_fast .*current value is 1, allowed are numbers from beta_slow, 2/,
    ],
    [
      configs.llama,
      {
        "original_max_position_embeddings": 8,
        "rope_scaling": { type: "yarn", factor: 4, "original_max_position_embeddings": 16 },
      },
      /rope_scaling.original_max_position_embeddings .*16, allowed are 8, as it says outside/,
    ],
    [
      configs["gpt_neox"],
      { "rotary_pct": 0.4, "rope_scaling": { type: "yarn", factor: 4 } },
      /hidden_size .*24, allowed are those of which yarn rotates an even number/,
    ],
    // The official code does not read the newer names beside the older.
    [
      configs["gpt_neox"],
      { "rotary_pct": undefined, "partial_rotary_factor": 0.5 },
      /partial_rotary_factor .*0.5, allowed are 0.25, as is the default of rotary_pct/,
    ],
    [
      configs["gpt_neox"],
      { "rope_theta": 700 },
      /rope_theta .*700, allowed are 5000, as rotary_emb_base says/,
    ],
    [
      configs.bloom,
      { "slow_but_exact": true, "pretraining_tp": 2 },
      /slow_but_exact .*true, allowed are false where pretraining_tp is above 1/,
    ],
    [
      configs.llama,
      { "rope_scaling": { "rope_type": "linear" } },
      /rope_scaling.factor is missing/,
    ],
    [
      configs.llama,
      { "rope_parameters": { "full_attention": {} } },
      /rope_parameters.full_attention/,
    ],
    [
      configs.llama,
      { "rope_scaling": { "full_attention": { "rope_type": "linear", factor: 4 } } },
      /rope_scaling.full_attention/,
    ],
    [
      configs.llama,
      { "rope_parameters": { "partial_rotary_factor": 0.5 } },
      /rope_parameters.partial_rotary_factor .*0.5, allowed are 1/,
    ],
    [
      configs.llama,
      { "rope_parameters": { "rope_theta": 700 } },
      /rope_parameters.rope_theta .*current value is 700, allowed are 5000, as rope_theta says/,
    ],
    [
      configs.llama,
      {
        "rope_scaling": { type: "linear", factor: 2 },
        "rope_parameters": { "rope_type": "linear", factor: 4 },
      },
      /rope_scaling .*"factor":2.*allowed are what rope_parameters says/,
    ],
    [
      configs["gpt_neox"],
      { "partial_rotary_factor": 0.25 },
      /partial_rotary_factor .*current value is 0.25, allowed are 0.5, as rotary_pct says/,
    ],
    [
      configs.gpt2,
      { "num_attention_heads": 4 },
      /num_attention_heads .*current value is 4, allowed are 3, as n_head says/,
    ],
    ...[configs.gpt2, configs.bloom].map((config): [Config, Config, RegExp] => [
      config,
      { "n_layer": 1e9 },
      /n_layer .*current value is 1000000000, allowed are numbers up to 10000/,
    ]),
    ...[configs.llama, configs["gpt_neox"], qwen2].map((config): [Config, Config, RegExp] => [
      config,
      { "num_hidden_layers": 1e9, "use_sliding_window": true },
      /num_hidden_layers .*current value is 1000000000, allowed are numbers up to 10000/,
    ]),
    [configs.llama, { "rms_norm_eps": 0 }, /rms_norm_eps must be a positive number/],
    [configs.llama, { "rope_theta": -1 }, /rope_theta must be a positive number/],
    [
      configs.llama,
      { "rope_scaling": { type: "linear", factor: 0 } },
      /rope_scaling.factor must be a positive number/,
    ],
    [
      qwen2,
      { "use_sliding_window": true, "max_window_layers": 0.5 },
      /max_window_layers must be an integer from 0/,
    ],
    [configs.llama, { "hidden_act": "mish" }, /hidden_act .*"mish", allowed are .*"silu"/],
    [configs.llama, { "partial_rotary_factor": 0.5 }, /partial_rotary_factor .*0.5, allowed are 1/],
    [configs.llama, { "quantization_config": {} }, /quantization_config/],
    [configs.llama, { "hidden_size": undefined }, /hidden_size or n_embd is missing/],
    [
      configs.llama,
      { "hidden_size": 12.5 },
      /hidden_size must be a positive integer: current value is 12.5/,
    ],
    [
      configs.llama,
      { "rms_norm_eps": "small" },
      /rms_norm_eps must be a positive number: current value is "small"/,
    ],
    [configs.llama, { "tie_word_embeddings": "yes" }, /tie_word_embeddings must be true or false/],
    [
      configs.llama,
      { "num_attention_heads": 5 },
      /hiddenDim must be a multiple of heads: current values are 12 and 5/,
    ],
    [
      configs.llama,
      { "num_key_value_heads": 2 },
      /heads must be a multiple of keyValueHeads: current values are 3 and 2/,
    ],
    [configs.llama, { "head_dim": 5 }, /rotated channels must be an even number/],
    // The official code does not read these: GPT-2 would have the default.
    [
      configs.gpt2,
      { "activation_function": undefined, "hidden_act": "gelu" },
      /hidden_act .*"gelu", allowed are "gelu_new", as is the default of activation_function/,
    ],
    [
      configs.gpt2,
      { "layer_norm_epsilon": undefined, "layer_norm_eps": 1e-3 },
      /layer_norm_eps .*0.001, allowed are 0.00001, as is the default of layer_norm_epsilon/,
    ],
    [configs.bloom, { "layer_norm_eps": 1e-3 }, /layer_norm_eps .*default of layer_norm_epsilon/],
    [
      configs["gpt_neox"],
      { "layer_norm_epsilon": 1e-3 },
      /layer_norm_epsilon .*default of layer_norm_eps/,
    ],
    [
      configs.llama,
      { "rms_norm_eps": undefined, "layer_norm_eps": 1e-3 },
      /layer_norm_eps .*0.001, allowed are 0.000001, as is the default of rms_norm_eps/,
    ],
    [
      configs.llama,
      { "rope_scaling": { factor: 4 } },
      /rope_scaling.factor .*4, allowed are none without rope_type/,
    ],
    [
      configs.llama,
      { "rope_scaling": { "rope_type": "default", type: "linear", factor: 4 } },
      /rope_scaling.type .*"linear", allowed are "default", as rope_type says/,
    ],
    [
      configs.llama,
      {
        "rope_scaling": { type: "linear", factor: 4 },
        "rope_parameters": { "rope_type": "default" },
      },
      /rope_scaling .*"linear".*allowed are what rope_parameters says/,
    ],
    [
      configs.llama,
      {
        "rope_scaling": {
          "rope_type": "llama3",
          factor: 8,
          "low_freq_factor": 4,
          "high_freq_factor": 1,
          "original_max_position_embeddings": 24,
        },
      },
      /rope_scaling.high_freq_factor .*1, allowed are numbers above low_freq_factor, 4/,
    ],
    [
      qwen2,
      { "sliding_window": 5, "layer_types": ["sliding_attention", "full_attention"] },
      /layer_types .*allowed are 2 of "full_attention", as there is no sliding window/,
    ],
    [qwen3, { "layer_types": ["linear_attention", "full_attention"] }, /layer_types/],
    [
      mistral,
      { "sliding_window": null, "layer_types": ["sliding_attention", "full_attention"] },
      /layer_types .*no sliding window/,
    ],
    [
      configs.llama,
      { "layer_types": ["sliding_attention", "full_attention"] },
      /layer_types .*no sliding window/,
    ],
    [configs.gpt2, { "add_cross_attention": true }, /add_cross_attention/],
    [mistral, { "layer_types": ["chunked_attention", "full_attention"] }, /layer_types/],
  ];
  for (const [config, fields, message] of refused) {
    await Deno.writeTextFile(`${folder}/config.json`, JSON.stringify(changed(config, fields)));
    await assert.rejects(loadBackboneWeights(folder), message, JSON.stringify(fields));
  }
});

folderTest(
  "A head beside tied embeddings is their copy, and one file counts before several",
  async (folder) => {
    const config = { ...configs.llama, "tie_word_embeddings": true };
    const model = randomBackbone(await shapeOf(folder, config));
    const tensors = huggingFaceTensors(model);
    const { shape, data } = tensors.get("model.embed_tokens.weight")!;
    await writeHuggingFace(folder, config, new Map(tensors).set("lm_head.weight", { shape, data }));
    equalWeights((await loadBackboneWeights(folder)).weights, model.weights);
    const other = data.with(12 * 30 + 7, 5);
    await writeHuggingFace(
      folder,
      config,
      new Map(tensors).set("lm_head.weight", { shape, data: other }),
    );
    await assert.rejects(
      loadBackboneWeights(folder),
      /"lm_head.weight" differs from the embeddings, first at \[30,7\]: 5 instead of .*tie_word_embeddings/,
    );
    const head = { shape: [31, 11], data: new Float32Array(341) };
    await writeHuggingFace(folder, config, new Map(tensors).set("lm_head.weight", head));
    await assert.rejects(loadBackboneWeights(folder), /\[31,11\] instead of \[31,12\]/);

    // As of the official code; here the others are left from another model.
    const left = new Map(
      [...tensors].map(([name, { shape, data }]) =>
        [name, { shape, data: data.map((x) => 2 * x) }] as const
      ),
    );
    await writeHuggingFace(folder, config, left, { shards: 2 });
    await writeHuggingFace(folder, config, tensors);
    equalWeights((await loadBackboneWeights(folder)).weights, model.weights);
  },
);

folderTest("GPT-NeoX's head is found under its older and its newer name", async (folder) => {
  const neox = configs["gpt_neox"], older = "embed_out.weight", newer = "lm_head.weight";
  const model = randomBackbone(await shapeOf(folder, neox));
  const tensors = huggingFaceTensors(model), head = tensors.get(older)!;
  await writeHuggingFace(folder, neox, new Map(tensors).set(newer, head));
  await assert.rejects(loadBackboneWeights(folder), /"lm_head.weight" .*is not part of the model/);
  tensors.delete(older);
  await writeHuggingFace(folder, neox, new Map(tensors).set(newer, head));
  equalWeights((await loadBackboneWeights(folder)).weights, model.weights);
  await writeHuggingFace(
    folder,
    { ...neox, "tie_word_embeddings": true },
    tensors.set(newer, head),
  );
  await assert.rejects(loadBackboneWeights(folder), /"lm_head.weight" differs from the embeddings/);
});

folderTest("Buffers of positions are no weights", async (folder) => {
  const model = randomBackbone(await shapeOf(folder, configs["gpt_neox"]));
  const buffer = { shape: [2], data: new Float32Array(2) };
  const tensors = new Map(huggingFaceTensors(model)).set("gpt_neox.rotary_emb.inv_freq", buffer);
  await writeHuggingFace(folder, configs["gpt_neox"], tensors);
  equalWeights((await loadBackboneWeights(folder)).weights, model.weights);
});

folderTest("Tensors that are missing, strange or of another shape are named", async (folder) => {
  const config = configs.llama;
  const model = randomBackbone(await shapeOf(folder, config));
  const whole = huggingFaceTensors(model);
  const embeddings = "model.embed_tokens.weight", query = "model.layers.1.self_attn.q_proj.weight";
  const write = (change: (tensors: TensorMap) => void, shards = 1) => {
    const tensors = new Map(whole);
    change(tensors);
    return writeHuggingFace(folder, config, tensors, { shards });
  };
  await write((tensors) => tensors.delete(query));
  await assert.rejects(
    loadBackboneWeights(folder),
    new RegExp(`"${query}" of shape \\[12,12\\] is missing`),
  );
  await write((tensors) => tensors.delete("lm_head.weight")); // not tied
  await assert.rejects(
    loadBackboneWeights(folder),
    /"lm_head.weight" of shape \[31,12\] is missing/,
  );
  await write((tensors) => tensors.set("model.layers.2.mlp.up_proj.weight", whole.get(query)!));
  await assert.rejects(
    loadBackboneWeights(folder),
    /"model.layers.2.mlp.up_proj.weight" .*is not part of the model/,
  );
  await write((tensors) =>
    tensors.set(embeddings, { shape: [12, 31], data: new Float32Array(372) })
  );
  await assert.rejects(loadBackboneWeights(folder), /expected \[31,12\], found \[12,31\]/);
  await write((tensors) =>
    tensors.set(embeddings, { shape: [31, 12], data: new Float32Array(372).fill(NaN) })
  );
  await assert.rejects(loadBackboneWeights(folder), /embed_tokens/);

  await Deno.remove(`${folder}/model.safetensors`);
  await write(() => {}, 2);
  await Deno.remove(`${folder}/model-00002-of-00002.safetensors`);
  await assert.rejects(
    loadBackboneWeights(folder),
    /"model-00002-of-00002.safetensors" is missing/,
  );
  const index = `${folder}/model.safetensors.index.json`;
  await write(() => {}, 2);
  const { "weight_map": map } = JSON.parse(await Deno.readTextFile(index));
  const other = map[query].replace("0000", "0000").includes("00001") ? "2" : "1";
  const lying = { ...map, [query]: `model-0000${other}-of-00002.safetensors` };
  await Deno.writeTextFile(index, JSON.stringify({ "weight_map": lying }));
  await assert.rejects(
    loadBackboneWeights(folder),
    /says that tensor "model.layers.1.self_attn.q_proj.weight" is in/,
  );
  await Deno.writeTextFile(index, JSON.stringify({ "weight_map": { a: "../secret.safetensors" } }));
  await assert.rejects(loadBackboneWeights(folder), /must name files of its folder/);
  await Deno.remove(index);
  await Deno.writeTextFile(`${folder}/model.gguf`, "");
  await assert.rejects(
    loadBackboneWeights(folder),
    /"model.safetensors" is missing: found .*"model.gguf".*, allowed is "pytorch_model.bin", too/,
  );
  const pickle = `${folder}/pytorch_model.bin`;
  await writeTorchFile(pickle, () => new Map([["model", 1]]));
  await assert.rejects(
    loadBackboneWeights(folder),
    /pytorch_model.bin" as it must map names to tensors: "model" is 1/,
  );
  await writeTorchFile(pickle, () => 1);
  await assert.rejects(loadBackboneWeights(folder), /must map names to tensors: it is 1/);
  await assert.rejects(
    loadSideNetWeights(folder, model.shape),
    /is a model of Hugging Face, which has none/,
  );
});

folderTest(
  "Backbones and LongMems of every architecture come back from folders and bare files",
  async (folder) => {
    for (const [i, shape] of smallShapes().entries()) {
      const backbone = randomBackbone(shape),
        sideNet = randomSideNet(backbone),
        path = `${folder}/${i}`;
      const memory = { capacityTokens: 64, chunkTokens: 4, retrievedTokens: 8 };
      await writeBackboneFolder(`${path}/backbone`, backbone);
      await writeLongMemFolder(`${path}/longmem`, { backbone, sideNet, memory });
      await writeSafetensors(`${path}/bare.safetensors`, backbone.weights, backboneMetadata(shape));
      await writeSafetensors(
        `${path}/sidenet.safetensors`,
        sideNet.weights,
        sideNetMetadata({ ...sideNet, memory }),
      );
      for (const file of ["backbone", "longmem", "bare.safetensors"]) {
        const read = await loadBackboneWeights(`${path}/${file}`);
        const { architecture = "longmem_gpt2", ...sizes } = read.shape;
        assert.deepEqual({ architecture, ...sizes }, shape, file);
        equalWeights(read.weights, backbone.weights);
      }
      for (const file of ["longmem", "sidenet.safetensors"]) {
        const read = await loadSideNetWeights(`${path}/${file}`, shape);
        assert.deepEqual(read.shape, sideNet.shape);
        equalWeights(read.weights, sideNet.weights);
      }
    }
  },
);

test("Every architecture that Hugging Face has can be declared by its name", () => {
  const read = architectures().filter(({ huggingFace }) => huggingFace !== undefined);
  const shapes = new Set(smallShapes().map(({ architecture }) => architecture));
  assert.ok(read.length >= 7);
  for (const { name, huggingFace } of read) {
    assert.ok(huggingFace!.modelTypes.includes(name) && shapes.has(name), name);
  }
  assert.ok(smallShapes().every((shape) => describeShape(shape).length > 0));
});
