/** What `config.json` of Gemma's models and their files say. */
import { loadBackboneWeights } from "../../src/checkpoint/checkpoint.ts";
import { readHuggingFaceShape } from "../../src/checkpoint/huggingface.ts";
import { randomBackbone } from "../architectures/small_models.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, test } from "../testing.ts";
import { huggingFaceTensors, settingsOf, writeHuggingFace } from "./huggingface_folder.ts";

type Config = Record<string, unknown>;

const gemma: Config = {
  "model_type": "gemma",
  "num_hidden_layers": 4,
  "hidden_size": 12,
  "num_attention_heads": 4,
  "num_key_value_heads": 1,
  "head_dim": 6,
  "intermediate_size": 10,
  "vocab_size": 31,
};
const gemma2: Config = { ...gemma, "model_type": "gemma2" };
const gemma3: Config = { ...gemma, "model_type": "gemma3_text" };
const linear = { "rope_type": "linear", factor: 8 };

test("Settings of Gemma's models are read, with the defaults of their classes", async () => {
  const common = {
    keyValueHeads: 1,
    headDim: 6,
    epsilon: 1e-6,
    ropeTheta: 10_000,
    activation: "gelu-tanh",
    qkvBias: false,
    outBias: false,
    mlpBias: false,
    tied: true,
  };
  const ofGemma2 = {
    ...common,
    scoreChannels: 256,
    scoreSoftCap: 50,
    logitSoftCap: 30,
    windowTokens: 4096,
    windowedBlocks: [0, 2],
  };
  const ofGemma3 = {
    ...common,
    ropeTheta: 1_000_000,
    windowRopeTheta: 10_000,
    scoreChannels: 256,
    windowTokens: 4096,
    windowedBlocks: [0, 1, 2, 3],
  };
  const scaled = {
    ...ofGemma3,
    ropeTheta: 500,
    windowRopeTheta: 70,
    ropeScaling: { kind: "linear", factor: 8 },
  };
  const cases: [Config, Config, Config][] = [
    [gemma, {}, common],
    [gemma3, {}, ofGemma3],
    [gemma3, {
      "sliding_window_pattern": 2,
      "final_logit_softcapping": 7,
      "attn_logit_softcapping": 9,
    }, {
      ...ofGemma3,
      windowedBlocks: [0, 2],
      logitSoftCap: 7, // the official code has no cap of scores
    }],
    [gemma3, { "layer_types": Array(4).fill("full_attention"), "sliding_window": 5 }, {
      ...ofGemma3,
      windowTokens: 5,
      windowedBlocks: [],
    }],
    [gemma3, { "rope_theta": 500, "rope_local_base_freq": 70, "rope_scaling": linear }, scaled],
    [gemma3, {
      "rope_parameters": {
        "full_attention": { ...linear, "rope_theta": 500 },
        "sliding_attention": { "rope_type": "default", "rope_theta": 70 },
      },
    }, scaled],
    [gemma3, {
      "rope_local_base_freq": 70,
      "rope_parameters": { "full_attention": { ...linear, "rope_theta": 500 } },
    }, scaled],
    [{ "model_type": "gemma3" }, {
      "text_config": { ...gemma3, "num_attention_heads": undefined, "head_dim": 2 },
    }, {
      ...ofGemma3,
      headDim: 2, // of 8 heads
    }],
    [
      gemma,
      { "num_key_value_heads": undefined, "head_dim": undefined, "num_attention_heads": 16 },
      {
        ...common,
        keyValueHeads: 16,
        headDim: 256,
      },
    ],
    // The older field for the activation counts where the newer says nothing.
    [gemma, { "hidden_act": "gelu", "hidden_activation": null }, { ...common, activation: "gelu" }],
    [gemma, { "hidden_act": "gelu", "hidden_activation": "gelu_pytorch_tanh" }, common],
    [gemma, { "rope_parameters": { "rope_type": "default", "rope_theta": 500 } }, {
      ...common,
      ropeTheta: 500,
    }],
    [gemma2, {}, ofGemma2],
    [gemma2, { "num_key_value_heads": undefined }, { ...ofGemma2, keyValueHeads: 4 }],
    [gemma2, { "attn_logit_softcapping": null, "final_logit_softcapping": 7 }, {
      ...ofGemma2,
      scoreSoftCap: null,
      logitSoftCap: 7,
    }],
    [gemma2, {
      "query_pre_attn_scalar": 9,
      "sliding_window": 5,
      "layer_types": [1, 2, 3, 4].map((i) => i < 4 ? "sliding_attention" : "full_attention"),
    }, { ...ofGemma2, scoreChannels: 9, windowTokens: 5, windowedBlocks: [0, 1, 2] }],
  ];
  for (const [config, fields, expected] of cases) {
    const about = JSON.stringify(fields);
    assert.deepEqual(await settingsOf({ ...config, ...fields }), expected, about);
  }
});

test("What Gemma's models cannot be here is named", async () => {
  const refused: [Config, Config, RegExp][] = [
    [
      gemma,
      { "use_bidirectional_attention": true },
      /use_bidirectional_attention .*allowed are false/,
    ],
    [gemma, { "hidden_activation": "mish" }, /hidden_activation .*"mish", allowed are/],
    [
      gemma3,
      { "use_bidirectional_attention": true },
      /use_bidirectional_attention .*allowed are false/,
    ],
    [
      gemma3,
      { "rope_parameters": { "rope_theta": 500 } },
      /rope_parameters .*allowed are those of full_attention and sliding_attention/,
    ],
    [
      gemma3,
      { "rope_parameters": { "sliding_attention": linear } },
      /rope_parameters.sliding_attention.rope_type .*"linear", allowed are "default"/,
    ],
    [
      gemma3,
      { "rope_parameters": { "full_attention": { "rope_theta": 5 } }, "rope_theta": 6 },
      /rope_parameters.full_attention.rope_theta .*5, allowed are 6/,
    ],
    [
      { "model_type": "gemma3", "text_config": gemma3 },
      { "tie_word_embeddings": false },
      /tie_word_embeddings .*false, allowed are true, as text_config says/,
    ],
    [{ "model_type": "gemma3" }, { "text_config": null }, /text_config must be .* value is null/],
    [
      gemma3,
      { "sliding_window_pattern": 6, "layer_types": Array(4).fill("full_attention") },
      /sliding_window_pattern .*6, allowed are what layer_types says/,
    ],
    [gemma2, { "sliding_window": null }, /sliding_window .*null, allowed are positive integers/],
    [gemma2, { "attn_logit_softcapping": 0 }, /attn_logit_softcapping must be a positive number/],
    [gemma2, { "query_pre_attn_scalar": -1 }, /query_pre_attn_scalar must be a positive number/],
    [
      gemma2,
      { "layer_types": ["full_attention"] },
      /layer_types .*allowed are 4 of "full_attention"/,
    ],
  ];
  for (const [config, fields, expected] of refused) {
    await assert.rejects(settingsOf({ ...config, ...fields }), expected);
  }
});

test("The part of Gemma 3 that reads text is found among that which sees images", async () => {
  const config = { "model_type": "gemma3", "text_config": { ...gemma3, "num_hidden_layers": 1 } };
  for (const prefix of ["language_model.model.", "model.language_model."]) {
    await withFolder(async (folder) => {
      await Deno.writeTextFile(`${folder}/config.json`, JSON.stringify(config));
      const model = randomBackbone(await readHuggingFaceShape(folder));
      for (const { data } of model.weights.values()) data.fill(1.5);
      const tensors = huggingFaceTensors(model, { prefix });
      const other = { shape: [1], data: Float32Array.of(7) };
      for (const name of ["vision_tower.x", "multi_modal_projector.y.weight"]) {
        tensors.set(prefix.startsWith("model.") ? `model.${name}` : name, other);
      }
      await writeHuggingFace(folder, config, tensors);
      assert.deepEqual((await loadBackboneWeights(folder)).weights, model.weights);
      tensors.set("audio_tower.x", other);
      await writeHuggingFace(folder, config, tensors);
      await assert.rejects(loadBackboneWeights(folder), /audio_tower\.x/);
    });
  }
});
