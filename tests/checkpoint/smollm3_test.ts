/** What `config.json` of SmolLM 3 says. */
import { assert, test } from "../testing.ts";
import { settingsOf } from "./huggingface_folder.ts";

type Config = Record<string, unknown>;

const smolLm3: Config = {
  "model_type": "smollm3",
  "num_hidden_layers": 8,
  "hidden_size": 16,
  "num_attention_heads": 4,
  "intermediate_size": 10,
  "vocab_size": 31,
};

test("Settings of SmolLM 3 are read, with the defaults of its class", async () => {
  const usual = {
    keyValueHeads: 4,
    epsilon: 1e-6,
    ropeTheta: 2_000_000,
    activation: "silu",
    qkvBias: false,
    outBias: false,
    mlpBias: false,
    tied: true,
    unrotatedBlocks: [3, 7],
  };
  const window = { "use_sliding_window": true, "sliding_window": 5 };
  const cases: [Config, Config][] = [
    [{}, usual],
    [{ "no_rope_layer_interval": 3 }, { ...usual, unrotatedBlocks: [2, 5] }],
    [{ "no_rope_layers": [1, 0, 1, 1, 1, 1, 1, 0, 0] }, { ...usual, unrotatedBlocks: [1, 7] }],
    [{ "no_rope_layers": Array(8).fill(1) }, { ...usual, unrotatedBlocks: [] }],
    [window, { ...usual, windowTokens: 5, windowedBlocks: [3, 7] }],
    [{ ...window, "use_sliding_window": false }, usual],
    [{ ...window, "layer_types": ["sliding_attention", ...Array(7).fill("full_attention")] }, {
      ...usual,
      windowTokens: 5,
      windowedBlocks: [0],
    }],
  ];
  for (const [fields, expected] of cases) {
    assert.deepEqual(await settingsOf({ ...smolLm3, ...fields }), expected, JSON.stringify(fields));
  }
});

test("What SmolLM 3 cannot be here is named", async () => {
  const refused: [Config, RegExp][] = [
    [{ "no_rope_layers": [1, 0] }, /no_rope_layers .*allowed are lists of at least 8 of 0, 1/],
    [{ "no_rope_layers": Array(8).fill(2) }, /no_rope_layers .*allowed are lists/],
    [
      { "layer_types": Array(8).fill("sliding_attention") },
      /layer_types .*"full_attention", as there is no sliding window/,
    ],
  ];
  for (const [fields, expected] of refused) {
    await assert.rejects(settingsOf({ ...smolLm3, ...fields }), expected);
  }
});
