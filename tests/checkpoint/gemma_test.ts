/** What `config.json` of Gemma's models says. */
import { readHuggingFaceShape } from "../../src/checkpoint/huggingface.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, test } from "../testing.ts";

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

/** The settings that a configuration gives. */
function settingsOf(config: Config): Promise<Record<string, unknown>> {
  return withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/config.json`, JSON.stringify(config));
    return { ...(await readHuggingFaceShape(folder)).settings };
  });
}

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
  const cases: [Config, Config, Config][] = [
    [gemma, {}, common],
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
    [gemma2, { "sliding_window": null }, /sliding_window is missing/],
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
