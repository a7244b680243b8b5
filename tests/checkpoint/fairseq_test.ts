// deno-lint-ignore-file camelcase -- the names are fairseq's
import {
  readFairseq,
  readFairseqBackbone,
  readFairseqSideNet,
} from "../../src/checkpoint/fairseq.ts";
import { readSafetensors } from "../../src/formats/safetensors.ts";
import type { TensorMap } from "../../src/tensor.ts";
import { assert, fixturePath, sharedTest, test } from "../testing.ts";
import { withFolder } from "../temporary_folder.ts";
import {
  backboneShape,
  backboneWeights,
  type Change,
  fairseqBackboneBytes,
  fairseqLongMemBytes,
  memory,
  sideNetShape,
  sideNetWeights,
} from "./tiny_models.ts";
import {
  floatStorage,
  TensorToWrite,
  torchBytes,
  type ValueToWrite,
} from "../formats/torch_archive.ts";

sharedTest("readFairseqBackbone() reads the official checkpoint bit for bit", async () => {
  const backbone = await readFairseqBackbone(fixturePath("backbone.pt"));
  assert.deepEqual(backbone.shape, {
    layers: 8,
    hiddenDim: 32,
    heads: 4,
    feedForwardDim: 128,
    vocabSize: 97,
  });
  assert.equal(backbone.contextTokens, 16);
  await assertEqualsFixture(backbone.weights, "backbone.safetensors", "decoder.model.");
});

sharedTest("readFairseq() reads the official checkpoint bit for bit", async () => {
  const longMem = await readFairseq(fixturePath("longmem.pt"));
  assert.ok("sideNet" in longMem);
  const { backbone, sideNet, memory } = longMem;
  assert.equal(backbone.shape.vocabSize, 97);
  assert.deepEqual(sideNet.shape, { layers: 4, reductionFactor: 2, memoryBlock: 5 });
  assert.deepEqual(memory, { capacityTokens: 128, chunkTokens: 4, retrievedTokens: 8 });
  await assertEqualsFixture(sideNet.weights, "sidenet.safetensors", "");
  await assertEqualsFixture(backbone.weights, "backbone.safetensors", "decoder.model.");
});

async function assertEqualsFixture(weights: TensorMap, fixture: string, prefix: string) {
  const { tensors } = await readSafetensors(fixturePath(fixture));
  assert.equal(weights.size, tensors.size);
  for (const [name, tensor] of weights) {
    const expected = tensors.get(prefix + name)!;
    assert.deepEqual(tensor.shape, expected.shape);
    assert.deepEqual(
      new Uint8Array(tensor.data.buffer),
      new Uint8Array(expected.data.buffer),
      name,
    );
  }
}

for (const configKind of ["dictionary", "namespace"] as const) {
  test(`readFairseq() and readFairseqBackbone() read a configuration as ${configKind}`, () =>
    withFolder(async (folder) => {
      await Deno.writeFile(`${folder}/backbone.pt`, fairseqBackboneBytes({ configKind }));
      await Deno.writeFile(`${folder}/longmem.pt`, fairseqLongMemBytes({ configKind }));
      const backbone = { shape: backboneShape, contextTokens: 32, weights: backboneWeights };
      const sideNet = { shape: sideNetShape, weights: sideNetWeights };
      assert.deepEqual(await readFairseqBackbone(`${folder}/backbone.pt`), backbone);
      assert.deepEqual(await readFairseqBackbone(`${folder}/longmem.pt`), backbone);
      const longMem = await readFairseq(`${folder}/longmem.pt`);
      assert.deepEqual(longMem, { backbone, sideNet, memory });
      const alone = await readFairseqSideNet(`${folder}/longmem.pt`);
      assert.deepEqual(alone, { sideNet, memory, backboneShape });
    }));
}

test("readFairseqBackbone() widens float16 weights and reads without tokens_per_sample", () =>
  withFolder(async (folder) => {
    await Deno.writeFile(
      `${folder}/a.pt`,
      fairseqBackboneBytes({ config: { tokens_per_sample: undefined } }),
    );
    assert.ok(!("contextTokens" in await readFairseqBackbone(`${folder}/a.pt`)));
    await Deno.writeFile(`${folder}/half.pt`, halfBackboneBytes());
    const { weights } = await readFairseqBackbone(`${folder}/half.pt`);
    const wte = backboneWeights.get("transformer.wte.weight")!.data;
    assert.deepEqual(weights.get("transformer.wte.weight")!.data, wte.map((x) => Math.f16round(x)));
  }));

function halfBackboneBytes(): Uint8Array {
  const storages = [...backboneWeights.values()].map(({ data }, i) => {
    return {
      storageClass: "HalfStorage",
      key: `${i}`,
      data: new Float16Array(data),
      elements: data.length,
    };
  });
  const model = new Map<string, ValueToWrite>(
    [...backboneWeights].map(([name, { shape }], i) => {
      return ["decoder.model." + name, new TensorToWrite(storages[i], [...shape])];
    }),
  );
  const config = { embed_dim: 6, num_layers: 4, num_attention_heads: 3 };
  return torchBytes({ cfg: { model: config }, model }, storages);
}

const some = (...shape: number[]) => {
  return { shape, data: new Float32Array(shape.reduce((product, size) => product * size, 1)) };
};

const refusedBackbones: { name: string; change: Change; message: RegExp }[] = [
  {
    name: "another mode of position",
    change: { config: { newgpt_mode: "rotary" } },
    message:
      /cfg\.model\.newgpt_mode is not supported: current value is "rotary", allowed is "alibi"/,
  },
  {
    name: "a missing size",
    change: { config: { num_layers: undefined } },
    message: /cfg\.model\.num_layers must be a whole number from 1: current value is nothing/,
  },
  {
    name: "a size that is no number",
    change: { config: { embed_dim: "6" } },
    message: /cfg\.model\.embed_dim must be a whole number from 1: current value is "6"/,
  },
  {
    name: "more layers than any model has",
    change: { config: { num_layers: 1_000_000_000 } },
    message: /layers must be at most 10000: current value is 1000000000/,
  },
  {
    name: "heads that do not divide the width",
    change: { config: { num_attention_heads: 4 } },
    message: /hiddenDim must be a multiple of heads: current values are 6 and 4/,
  },
  {
    name: "a missing tensor",
    change: { tensors: { "decoder.model.lm_head.bias": undefined } },
    message: /tensor "decoder\.model\.lm_head\.bias" of shape \[5\] is missing$/,
  },
  {
    name: "a missing embedding",
    change: { tensors: { "decoder.model.transformer.wte.weight": undefined } },
    message: /tensor "decoder\.model\.transformer\.wte\.weight" is missing/,
  },
  {
    name: "too few layers declared",
    change: { config: { num_layers: 3 } },
    message:
      /tensor "decoder\.model\.transformer\.h\.3\.ln_1\.weight" of shape \[6\] is not part of the model, and 9 more/,
  },
  {
    name: "a tensor of another shape",
    change: { tensors: { "decoder.model.transformer.h.1.attn.q_proj.weight": some(6, 5) } },
    message: /h\.1\.attn\.q_proj\.weight" has another shape: expected \[6,6\], found \[6,5\]/,
  },
  {
    name: "a tensor that is unknown",
    change: { tensors: { "decoder.other": some(2) } },
    message: /tensor "decoder\.other" of shape \[2\] is not part of the model/,
  },
  {
    // Without the prefix a name of the model must not pass for the model's own.
    name: "a tensor without the prefix",
    change: { tensors: { "lm_head.bias": some(5) } },
    message: /tensor "lm_head\.bias" of shape \[5\] is not part of the model/,
  },
];

for (const { name, change, message } of refusedBackbones) {
  test(`readFairseqBackbone() refuses ${name}`, () =>
    refuses(readFairseqBackbone, fairseqBackboneBytes(change), message));
}

const wte = "decoder.pretrained_model.decoder.model.transformer.wte.weight";
const refusedLongMems: { name: string; change: Change; message: RegExp }[] = [
  {
    name: "an absent version",
    change: { tensors: { "decoder.version": undefined } },
    message: /"decoder\.version" must be at least 3: it is absent; the official loader would drop/,
  },
  {
    name: "an ancient version",
    change: { tensors: { "decoder.version": { shape: [1], data: Float32Array.of(2) } } },
    message: /"decoder\.version" must be at least 3: current value is 2/,
  },
  {
    name: "an input embedding that differs from the backbone's",
    change: { tensors: { "decoder.embed_tokens.weight": some(5, 6) } },
    message: /tensor "decoder\.embed_tokens\.weight" must equal "decoder\.pretrained_model\..*wte/,
  },
  {
    name: "an output projection of another shape",
    change: {
      tensors: {
        "decoder.output_projection.weight": {
          shape: [6, 5],
          data: backboneWeights.get("lm_head.weight")!.data,
        },
      },
    },
    message: /tensor "decoder\.output_projection\.weight" must equal .*lm_head\.weight"/,
  },
  {
    name: "a missing gate",
    change: { tensors: { "decoder.layers.1.self_attn.memory_bias": undefined } },
    message: /tensor "decoder\.layers\.1\.self_attn\.memory_bias" of shape \[3\] is missing/,
  },
  {
    name: "a gate in another layer",
    change: { tensors: { "decoder.layers.0.self_attn.memory_bias": some(3) } },
    message: /"decoder\.layers\.0\.self_attn\.memory_bias" of shape \[3\] is not part of the model/,
  },
  {
    name: "a missing tensor of the backbone",
    change: { tensors: { [wte.replace("wte", "ln_f")]: undefined } },
    message: /"decoder\.pretrained_model\.decoder\.model\.transformer\.ln_f\.weight" .* is missing/,
  },
  {
    name: "an unknown tensor of the backbone",
    change: { tensors: { [wte.replace("wte", "wpe")]: some(2) } },
    message: /"decoder\.pretrained_model\.decoder\.model\.transformer\.wpe\.weight" .* is not part/,
  },
  {
    name: "an unknown tensor beside the backbone",
    change: { tensors: { "decoder.pretrained_model.other": some(2) } },
    message: /"decoder\.pretrained_model\.other" of shape \[2\] is not part of the model/,
  },
  {
    name: "a memory block beyond the backbone",
    change: { config: { retrieval_layer_index: 4 } },
    message: /memoryBlock must be a block of the backbone: current value is 4, allowed are 0 to 3/,
  },
  {
    name: "another activation",
    change: { config: { activation_fn: "relu" } },
    message:
      /cfg\.model\.activation_fn is not supported: current value is "relu", allowed is "gelu"/,
  },
  {
    name: "a SideNet without a final LayerNorm",
    change: { config: { no_decoder_final_norm: true } },
    message: /cfg\.model\.no_decoder_final_norm is not supported: current value is true/,
  },
  {
    name: "normalisation behind the attention",
    change: { config: { decoder_normalize_before: false } },
    message: /cfg\.model\.decoder_normalize_before is not supported: current value is false/,
  },
  ...["memory_size", "chunk_size", "k", "layer_reduction_factor"].map((key) => ({
    name: `an absent ${key}`,
    change: { config: { [key]: undefined } },
    message: new RegExp(
      `cfg\\.model\\.${key} must be a whole number from 1: current value is nothing`,
    ),
  })),
];

for (const { name, change, message } of refusedLongMems) {
  test(`readFairseq() refuses ${name}`, () =>
    refuses(readFairseq, fairseqLongMemBytes(change), message));
}

test("readFairseqSideNet() refuses a checkpoint of the backbone alone", () =>
  refuses(readFairseqSideNet, fairseqBackboneBytes(), /it is a checkpoint of a backbone alone/));

const x = floatStorage("0", Float32Array.of(1));
const foreign: { name: string; content: ValueToWrite; message: RegExp }[] = [
  {
    name: "a bare state dict",
    content: { "layer.weight": new TensorToWrite(x, [1]) },
    message:
      /not a fairseq checkpoint: expected a dictionary with "cfg" and "model", found "layer\.weight"/,
  },
  {
    name: "a tensor",
    content: new TensorToWrite(x, [1]),
    message: /and "model", found TorchTensor/,
  },
  {
    name: "a model that is no state dict",
    content: { model: { a: 1 }, cfg: {} },
    message: /its model must map names to tensors: "a" is 1/,
  },
  {
    name: "another model",
    content: { model: { "encoder.weight": new TensorToWrite(x, [1]) }, cfg: { model: {} } },
    message: /neither a backbone .* nor a LongMem .*: found "encoder\.weight"/,
  },
  {
    name: "a checkpoint without a configuration",
    content: { model: { "decoder.model.x": new TensorToWrite(x, [1]) }, cfg: null },
    message: /cfg\.model must be a dictionary or a namespace: current value is nothing/,
  },
];

for (const { name, content, message } of foreign) {
  test(`readFairseqBackbone() refuses ${name}`, () =>
    refuses(readFairseqBackbone, torchBytes(content, [x]), message));
}

test("readFairseqBackbone() refuses tensors that would take far more memory than the file", () => {
  const shared = floatStorage("0", new Float32Array(4000 * 4000 / 100));
  const names = [...backboneWeights.keys()];
  // All names look at one storage: shapes as the configuration wants them, E = 200, F = 800.
  const model = new Map<string, ValueToWrite>(names.map((name) => {
    const sizes = [...backboneWeights.get(name)!.shape].map((size) =>
      size === 6 ? 200 : size === 24 ? 800 : size
    );
    return ["decoder.model." + name, new TensorToWrite(shared, sizes)];
  }));
  const config = { embed_dim: 200, num_layers: 4, num_attention_heads: 2 };
  const bytes = torchBytes({ cfg: { model: config }, model }, [shared]);
  return refuses(readFairseqBackbone, bytes, /tensors would take \d+ bytes: the file has \d+/);
});

async function refuses(
  read: (path: string) => Promise<unknown>,
  bytes: Uint8Array,
  message: RegExp,
): Promise<void> {
  await withFolder(async (folder) => {
    const path = `${folder}/some.pt`;
    await Deno.writeFile(path, bytes);
    await assert.rejects(read(path), (error: Error) => {
      assert.match(error.message, message);
      assert.ok(error.message.includes(path), error.message);
      return true;
    });
  });
}
