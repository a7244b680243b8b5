/** Settings of architectures that the models of official_cases.ts do not have: what is refused, and what says the same. */
import { loadLongMem } from "../../src/checkpoint/load.ts";
import { readHuggingFaceShape } from "../../src/checkpoint/huggingface.ts";
import { officialCases } from "../architectures/official_cases.ts";
import { randomBackbone } from "../architectures/small_models.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, test } from "../testing.ts";

type Config = Readonly<Record<string, unknown>>;

/** What is refused of an architecture, beside the fields of its official cases. */
const refused: Readonly<Record<string, readonly [Config, RegExp][]>> = {
  "gpt_bigcode": [
    [{ "add_cross_attention": true }, /add_cross_attention .*true, allowed are false/],
    [{ "multi_query": "yes" }, /multi_query must be true or false/],
  ],
  "gpt_neo": [
    [{ "attention_types": [[["global", "local"], 3]] }, /attention_types .*for 4 blocks/],
    [{ "attention_types": [[["global", "sparse"], 2]] }, /attention_types .*"global", "local"/],
    [{ "attention_types": undefined }, /attention_types .*for 4 blocks/],
    [
      { "attention_layers": ["local", "global", "local", "global"] },
      /attention_layers .*allowed are what attention_types says/,
    ],
  ],
  codegen: [
    [{ "n_head": 2 }, /n_head .*2, allowed are multiples of 4/],
  ],
  cohere: [
    [{ "use_qk_norm": true }, /use_qk_norm .*true, allowed are false/],
    [
      { "rope_theta": undefined },
      /rope_theta is missing: allowed are numbers, as versions of the official/,
    ],
    [{ "rms_norm_eps": 1e-3 }, /rms_norm_eps .*0.001, allowed are 0.00001/],
    [{ "partial_rotary_factor": 0.5 }, /partial_rotary_factor .*0.5, allowed are 1/],
  ],
  cohere2: [
    [{ "sliding_window": null }, /sliding_window .*null, allowed are positive integers/],
    [
      { "sliding_window_pattern": 4, "layer_types": Array(5).fill("sliding_attention") },
      /sliding_window_pattern .*4, allowed are what layer_types says/,
    ],
  ],
  falcon: [
    [{ alibi: true }, /alibi .*true, allowed are false/],
    [
      { "multi_query": false, "num_kv_heads": 1 },
      /num_kv_heads .*1, allowed are 3, as num_attention_heads says/,
    ],
    [
      { "num_ln_in_parallel_attn": 2 },
      /num_ln_in_parallel_attn .*2, allowed are 1 without new_decoder_architecture/,
    ],
    [
      { "new_decoder_architecture": true, "num_ln_in_parallel_attn": 3 },
      /num_ln_in_parallel_attn .*3, allowed are 1, 2/,
    ],
    [
      { "new_decoder_architecture": true, "parallel_attn": false },
      /parallel_attn .*false, allowed are true with new_decoder_architecture/,
    ],
    [{ "partial_rotary_factor": 0.5 }, /partial_rotary_factor .*0.5, allowed are 1/],
    [{ activation: "tanh" }, /activation .*"tanh", allowed are "gelu"/],
  ],
  gptj: [
    [{ "rotary_dim": 7 }, /rotary_dim .*7, allowed are even numbers/],
    [{ "rotary_dim": 14 }, /an even number up to the 12 of a head: current number is 14/],
    [{ "rotary_dim": null }, /rotary_dim is missing/],
    [{ "layer_norm_eps": 1e-3 }, /layer_norm_eps .*0.001, allowed are 0.00001/],
  ],
  phi: [
    [
      { "head_dim": 16 },
      /head_dim .*16, allowed are 8, as hidden_size and num_attention_heads say/,
    ],
    [{ "partial_rotary_factor": 0.4 }, /partial_rotary_factor .*0.4, .* even number/],
    [
      { "partial_rotary_factor": undefined, "rope_parameters": { "partial_rotary_factor": 1.5 } },
      /rope_parameters.partial_rotary_factor .*1.5, allowed are numbers above 0, up to 1/,
    ],
    [
      { "rope_parameters": { "partial_rotary_factor": 0.25 } },
      /rope_parameters.partial_rotary_factor .*0.25, allowed are 0.5, as partial_rotary_factor says/,
    ],
    [{ "num_key_value_heads": 3 }, /heads must be a multiple of keyValueHeads/],
  ],
  "gpt_neox": [[{ "rotary_pct": 1.5 }, /rotary_pct .*1.5, allowed are numbers above 0, up to 1/]],
  granite: [
    [
      { "residual_multiplier": 0 },
      /residual_multiplier must be a positive number: current value is 0/,
    ],
    [{ "logits_scaling": "8" }, /logits_scaling must be a positive number: current value is "8"/],
    [{ "partial_rotary_factor": 0.5 }, /partial_rotary_factor .*0.5, allowed are 1/],
  ],
  stablelm: [
    [{ "qk_layernorm": true }, /qk_layernorm .*true, allowed are false/],
    [{ "partial_rotary_factor": 1.5 }, /partial_rotary_factor .*1.5, allowed are numbers above 0/],
    [{ "norm_eps": 1e-3 }, /norm_eps .*0.001, allowed are 0.00001, .*default of layer_norm_eps/],
  ],
  starcoder2: [
    [{ "rms_norm_eps": 1e-3 }, /rms_norm_eps .*0.001, allowed are 0.00001, .*of norm_epsilon/],
    [{ "hidden_act": "mish" }, /hidden_act .*"mish", allowed are .*"gelu_pytorch_tanh"/],
    [{ "layer_types": Array(3).fill("sliding_attention") }, /layer_types .*no sliding window/],
  ],
  glm: [
    [{ "partial_rotary_factor": 1.5 }, /partial_rotary_factor .*1.5, allowed are numbers above 0/],
    [{ "num_key_value_heads": 3 }, /heads must be a multiple of keyValueHeads/],
  ],
  helium: [[{ "partial_rotary_factor": 0.5 }, /partial_rotary_factor .*0.5, allowed are 1/]],
  nemotron: [
    [
      { "rope_scaling": { "rope_type": "linear", factor: 2 } },
      /rope_scaling.rope_type .*"linear", allowed are "default"/,
    ],
    [{ "norm_eps": undefined, "layer_norm_eps": 1e-3 }, /layer_norm_eps .*default of norm_eps/],
  ],
  arcee: [[{ "hidden_act": "tanh" }, /hidden_act .*"tanh", allowed are .*"relu2"/]],
  exaone4: [
    [{ "layer_types": ["full_attention"] }, /layer_types .*allowed are 4 of "full_attention"/],
    [
      { "sliding_window_pattern": "LLLG" },
      /sliding_window_pattern must be a positive integer: current value is "LLLG"/,
    ],
  ],
  phi3: [
    [
      { "rope_scaling": { type: "linear", factor: 2 } },
      /rope_scaling.type .*"linear", allowed are "default", "longrope", "su", "yarn"/,
    ],
    [{ "rope_scaling": { type: "yarn", factor: 2 } }, /rope_scaling.short_factor is missing/],
    [
      { "rope_scaling": { type: "longrope", "short_factor": [1, -1, 1] } },
      /rope_scaling.short_factor must be a list of positive numbers: current value is \[1,-1,1\]/,
    ],
    [
      { "rope_scaling": { type: "longrope", "short_factor": [1, 2] } },
      /ropeScaling.factors must be half as many as rotated channels: current numbers are 2 and 6/,
    ],
    [
      {
        "original_max_position_embeddings": 8,
        "rope_scaling": {
          type: "longrope",
          "short_factor": [1, 2, 3],
          "original_max_position_embeddings": 16,
        },
      },
      /rope_scaling.original_max_position_embeddings .*16, allowed are 8, as it says outside/,
    ],
    [
      { "partial_rotary_factor": 1.5 },
      /partial_rotary_factor .*1.5, allowed are numbers above 0, up to 1/,
    ],
  ],
  olmo: [
    [{ "clip_qkv": 0 }, /clip_qkv must be a positive number: current value is 0/],
    [{ "partial_rotary_factor": 0.5 }, /partial_rotary_factor .*0.5, allowed are 1/],
  ],
  opt: [
    [{ "do_layer_norm_before": false }, /do_layer_norm_before .*false, allowed are true/],
    [{ "_remove_final_layer_norm": true }, /_remove_final_layer_norm .*true, allowed are false/],
    [{ "word_embed_proj_dim": 16 }, /word_embed_proj_dim .*16, allowed are 24, as hidden_size/],
    [{ "activation_function": "tanh" }, /activation_function .*"tanh", allowed are .*"relu"/],
  ],
};

/** Fields that change nothing; undefined takes one away. */
const same: Readonly<Record<string, readonly Config[]>> = {
  "gpt_bigcode": [
    { "multi_query": undefined, "n_inner": 96, "activation_function": "gelu_pytorch_tanh" },
    { "n_positions": undefined, "max_position_embeddings": 20, "scale_attn_weights": true },
    // Of half precision alone.
    { "attention_softmax_in_fp32": false, "scale_attention_softmax_in_fp32": false },
  ],
  "gpt_neo": [
    { "attention_layers": undefined, "intermediate_size": 96, "activation_function": "gelu_new" },
    { "num_layers": undefined, "num_hidden_layers": 4 },
    { "num_heads": undefined, "num_attention_heads": 3 },
  ],
  cohere: [
    { "rope_theta": undefined, "rope_parameters": { "rope_theta": 10_000 } },
    { "num_key_value_heads": 3, "logit_scale": 0.0625, "tie_word_embeddings": true, "head_dim": 8 },
  ],
  cohere2: [
    {
      "layer_types": ["sliding", "sliding", "sliding", "full", "sliding"].map((kind) =>
        `${kind}_attention`
      ),
    },
    { "sliding_window_pattern": 4, "rope_parameters": { "rope_theta": 10_000 } },
  ],
  falcon: [
    { "num_kv_heads": undefined, alibi: false, bias: false, "multi_query": true },
    { "hidden_size": undefined, "n_embed": 24, activation: "gelu", "ffn_hidden_size": 96 },
    { "rope_parameters": { "rope_type": "default", "rope_theta": 10_000 } },
    { "num_ln_in_parallel_attn": 1 },
  ],
  gptj: [
    { "n_inner": null, "activation_function": "gelu_new", "tie_word_embeddings": false },
    { "n_embd": undefined, "hidden_size": 24, "n_layer": undefined, "num_hidden_layers": 3 },
  ],
  mpt: [
    { "attn_config": null, "learned_pos_emb": undefined },
    { "attn_config": { "clip_qkv": 0, "sliding_window_size": -1 }, "no_bias": undefined },
    { "d_model": undefined, "hidden_size": 24, "n_layers": undefined, "num_hidden_layers": 3 },
    { "n_heads": undefined, "num_attention_heads": 3, "norm_type": "layernorm" },
  ],
  phi: [
    { "partial_rotary_factor": undefined, "num_key_value_heads": null, "head_dim": 8 },
    {
      "partial_rotary_factor": undefined,
      "rope_theta": undefined,
      "rope_parameters": {
        "rope_type": "default",
        "rope_theta": 10_000,
        "partial_rotary_factor": 0.5,
      },
    },
  ],
  granite: [
    { "embedding_multiplier": 1, "attention_multiplier": 1, "residual_multiplier": 1 },
    { "logits_scaling": 1, "attention_bias": false, "mlp_bias": false, "rms_norm_eps": 1e-6 },
  ],
  stablelm: [
    { "use_qkv_bias": false, "use_parallel_residual": false, "qk_layernorm": false },
    { "partial_rotary_factor": 0.25, "layer_norm_eps": 1e-5, "tie_word_embeddings": false },
    { "rope_parameters": { "rope_type": "default", "partial_rotary_factor": 0.25 } },
  ],
  starcoder2: [
    { "use_bias": true, "num_key_value_heads": 2, "hidden_act": "gelu_pytorch_tanh" },
    { "norm_epsilon": 1e-5, "sliding_window": null, "tie_word_embeddings": true },
  ],
  glm: [
    { "num_key_value_heads": 2, "partial_rotary_factor": 0.5, "attention_bias": true },
    { "rms_norm_eps": 1.5625e-7, "hidden_act": "silu", "tie_word_embeddings": false },
  ],
  helium: [
    { "attention_bias": false, "mlp_bias": false, "rms_norm_eps": 1e-8 },
    { "rope_theta": undefined, "rope_parameters": { "rope_type": "default", "rope_theta": 1e5 } },
  ],
  nemotron: [
    { "head_dim": 8, "partial_rotary_factor": 0.5, "hidden_act": "relu2", "norm_eps": 1e-5 },
    { "kv_channels": 8, "ffn_hidden_size": 20, "num_query_groups": 2, "mlp_bias": false },
  ],
  arcee: [
    { "head_dim": null, "num_key_value_heads": null, "rms_norm_eps": 1e-5, "hidden_act": "relu2" },
    { "attention_bias": false, "mlp_bias": false, "tie_word_embeddings": false },
  ],
  "ernie4_5": [
    { "head_dim": null, "num_key_value_heads": 2, "rms_norm_eps": 1e-5, "rope_theta": 500_000 },
    { "use_bias": false, "tie_word_embeddings": true, "hidden_act": "silu" },
  ],
  exaone4: [
    { "sliding_window": 4096, "sliding_window_pattern": 4, "rms_norm_eps": 1e-5 },
    {
      "sliding_window_pattern": "LLLG",
      "layer_types": [...Array(3).fill("sliding_attention"), "full_attention"],
    },
  ],
  phi3: [
    { "num_key_value_heads": null, "head_dim": null, "rms_norm_eps": 1e-5, "sliding_window": null },
    { "rope_parameters": { "rope_type": "default", "partial_rotary_factor": 1 } },
    { "attention_bias": false, "resid_pdrop": 0.1, "hidden_act": "silu" },
  ],
  opt: [
    { "word_embed_proj_dim": undefined, "do_layer_norm_before": undefined },
    { "activation_function": "relu", "enable_bias": true, "tie_word_embeddings": true },
  ],
};

/** Reads the first case of an architecture with other fields. */
function shapeOf(folder: string, name: string, fields: Config = {}) {
  const { cases: [{ config }] } = officialCases.find((official) => official.name === name)!;
  // JSON has no undefined.
  Deno.writeTextFileSync(`${folder}/config.json`, JSON.stringify({ ...config, ...fields }));
  return readHuggingFaceShape(folder);
}

for (const [name, cases] of Object.entries(refused)) {
  test(`${name}: settings that are not supported are named with those that are`, () =>
    withFolder(async (folder) => {
      for (const [fields, message] of cases) {
        await assert.rejects(shapeOf(folder, name, fields), message, JSON.stringify(fields));
      }
    }));
}

for (const [name, cases] of Object.entries(same)) {
  test(`${name}: defaults and other spellings say the same`, () =>
    withFolder(async (folder) => {
      const expected = await shapeOf(folder, name);
      for (const fields of cases) {
        assert.deepEqual(await shapeOf(folder, name, fields), expected, JSON.stringify(fields));
      }
    }));
}

test("phi3: LongRoPE has the short factors under each of its names", () =>
  withFolder(async (folder) => {
    const factors = { "short_factor": [1, 2, 3], "long_factor": [4, 5, 6] };
    const positions = { "max_position_embeddings": 131_072 };
    const expected = {
      kind: "longrope",
      factors: [1, 2, 3],
      originalTokens: 4096,
      magnitude: Math.sqrt(1 + 5 / 12), // 2^5 times 2^12 positions
    };
    const spellings: Config[] = [
      ...["longrope", "su", "yarn"].map((type) => ({ "rope_scaling": { type, ...factors } })),
      // As newer versions write a file of an older one again.
      {
        "original_max_position_embeddings": 4096,
        "rope_parameters": {
          "rope_type": "longrope",
          type: "su",
          "rope_theta": 10_000,
          "partial_rotary_factor": 1,
          "original_max_position_embeddings": 4096,
          ...factors,
        },
      },
    ];
    for (const fields of spellings) {
      const { settings } = await shapeOf(folder, "phi3", { ...positions, ...fields });
      assert.deepEqual(settings?.ropeScaling, expected, JSON.stringify(fields));
    }
    const magnitudes: [Config, number][] = [
      [{ "attention_factor": 1.5 }, 1.5],
      [{ factor: 0.5 }, 1],
      [{ factor: 2 }, Math.sqrt(1 + 1 / 12)],
    ];
    for (const [fields, magnitude] of magnitudes) {
      const { settings } = await shapeOf(folder, "phi3", {
        ...positions,
        "rope_parameters": { "rope_type": "longrope", ...factors, ...fields },
      });
      assert.deepEqual(settings?.ropeScaling, { ...expected, magnitude });
    }
  }));

test("phi3: segments are no longer than before a LongRoPE scaling", () =>
  withFolder(async (folder) => {
    const shape = await shapeOf(folder, "phi3", {
      "original_max_position_embeddings": 6,
      "rope_scaling": { type: "longrope", "short_factor": [1, 2, 3], "long_factor": [4, 5, 6] },
    });
    await using model = await loadLongMem({ backbone: randomBackbone(shape), device: "cpu" });
    const tokens = Int32Array.of(5, 6, 7, 8, 9, 10, 11), options = { network: "backbone" } as const;
    await model.forward(tokens.subarray(1), options);
    await assert.rejects(model.forward(tokens, options), /the backbone has positions for 6/);
  }));

test("cohere2: the window is that of the official class where none is written", () =>
  withFolder(async (folder) => {
    const { settings } = await shapeOf(folder, "cohere2", { "sliding_window": undefined });
    assert.equal(settings!.windowTokens, 4096);
  }));
