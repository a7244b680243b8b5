import { initializeBackbone } from "../../src/backbone/initialization.ts";
import { initializeSideNet } from "../../src/longmem/initialization.ts";
import { type SideNetShape, sideNetTensorShapes } from "../../src/longmem/sidenet_shape.ts";
import { checkMoments, joined } from "../backbone/distribution.ts";
import { assert, sharedTest, test } from "../testing.ts";
import { fixtureNetworks, Golden } from "./fixture_model.ts";

const shape = { layers: 6, hiddenDim: 64, heads: 4, feedForwardDim: 256, vocabSize: 11 };
const sideNet: SideNetShape = { layers: 3, reductionFactor: 2, memoryBlock: 3 };
const backbone = { shape, weights: initializeBackbone(shape, "backbone") };

sharedTest("initializeSideNet() copies what the official constructor copies", async () => {
  const golden = await Golden.read("sidenet_init.safetensors");
  const { backbone, sideNet } = await fixtureNetworks();
  const weights = initializeSideNet(sideNet.shape, backbone, { kind: "paper" }, 1);
  assert.deepEqual([...weights.keys()].sort(), [...golden.content.tensors.keys()].sort());
  for (const [name, { data, shape }] of weights) {
    assert.deepEqual({ data, shape }, golden.floats(name), name);
  }
});

test("initializeSideNet() copies the blocks that it is given, and shares no memory with them", () => {
  const weights = initializeSideNet(sideNet, backbone, { kind: "blocks", blocks: [5, 0, 5] }, 1);
  const block = (i: number, name: string) => backbone.weights.get(`transformer.h.${i}.${name}`)!;
  for (const [i, source] of [5, 0, 5].entries()) {
    const layer = (name: string) => weights.get(`layers.${i}.${name}`);
    assert.deepEqual(layer("self_attn.q_proj.weight"), block(source, "attn.q_proj.weight"));
    assert.deepEqual(layer("self_attn.out_proj.weight"), block(source, "attn.out_proj.weight"));
    assert.deepEqual(layer("fc1.weight"), block(source, "mlp.fc_in.weight"));
    assert.deepEqual(layer("fc2.bias"), block(source, "mlp.fc_out.bias"));
    assert.deepEqual(layer("ln_1.weight"), block(source, "ln_1.weight"));
  }
  assert.deepEqual([...weights.get("layers.1.self_attn.memory_bias")!.data], [0, 0, 0, 0]);
  weights.get("layers.0.fc1.weight")!.data.fill(7);
  assert.notEqual(weights.get("layers.2.fc1.weight")!.data[0], 7);
  assert.notEqual(block(5, "mlp.fc_in.weight").data[0], 7);
});

test("initializeSideNet() scales the projections whose outputs are added to the stream alone", () => {
  for (const source of [{ kind: "paper" }, { kind: "random" }] as const) {
    const whole = initializeSideNet(sideNet, backbone, source, 1);
    const scaled = initializeSideNet(sideNet, backbone, { ...source, outputScale: 0.25 }, 1);
    for (const [name, { data }] of scaled) {
      const isOutput = /\.(self_attn\.out_proj\.weight|fc2\.(weight|bias))$/.test(name);
      const expected = whole.get(name)!.data.map((x) => isOutput ? 0.25 * x : x);
      assert.deepEqual(data, expected, name);
    }
  }
  for (const outputScale of [-0.5, NaN, Infinity]) {
    assert.throws(
      () => initializeSideNet(sideNet, backbone, { kind: "paper", outputScale }, 1),
      {
        name: "RangeError",
        message:
          `Cannot initialise a SideNet as outputScale must be a number from 0: current value is ${outputScale}`,
      },
    );
  }
});

test("initializeSideNet() starts all gates at the given share and nothing else", () => {
  for (const source of [{ kind: "paper" }, { kind: "random" }] as const) {
    const half = initializeSideNet(sideNet, backbone, source, 1);
    const less = initializeSideNet(sideNet, backbone, { ...source, memoryShare: 0.1 }, 1);
    for (const [name, { data }] of less) {
      if (name !== "layers.1.self_attn.memory_bias") {
        assert.deepEqual(data, half.get(name)!.data, name);
        continue;
      }
      assert.equal(data.length, 4);
      for (const bias of data) assert.ok(Math.abs(1 / (1 + Math.exp(-bias)) - 0.1) < 1e-7);
    }
  }
  for (const memoryShare of [0, 1, -0.5, NaN]) {
    assert.throws(() => initializeSideNet(sideNet, backbone, { kind: "paper", memoryShare }, 1), {
      name: "RangeError",
      message:
        `Cannot initialise a SideNet as memoryShare must be above 0 and below 1: current value is ${memoryShare}`,
    });
  }
});

test("initializeSideNet() draws the official distributions", () => {
  const weights = initializeSideNet(sideNet, backbone, { kind: "random" }, 1);
  assert.deepEqual(
    new Map([...weights].map(([name, { shape }]) => [name, [...shape]])),
    sideNetTensorShapes(sideNet, shape),
  );
  const bounds: [RegExp, number][] = [
    [/[qkv]_proj\.weight$/, Math.sqrt(3 / 128)],
    [/out_proj\.weight$/, Math.sqrt(3 / 64)],
    [/fc1\.weight$/, 1 / 8],
    [/fc1\.bias$/, 1 / 8],
    [/fc2\.weight$/, 1 / 16],
    [/fc2\.bias$/, 1 / 16],
  ];
  for (const [pattern, bound] of bounds) {
    const data = joined(weights, pattern);
    const largest = data.reduce((a, x) => Math.max(a, Math.abs(x)), 0);
    assert.ok(largest <= bound && largest > 0.95 * bound, `${pattern} ends at ${largest}`);
    checkMoments(data, bound / Math.sqrt(3), pattern);
  }
  assert.ok(joined(weights, /(ln_1|layer_norm)\.weight$/).every((x) => x === 1));
  assert.ok(joined(weights, /(ln_1|layer_norm)\.bias$|memory_bias$/).every((x) => x === 0));
});

test("initializeSideNet() gives the same numbers for the same seed only", () => {
  const draw = (seed: number) => initializeSideNet(sideNet, backbone, { kind: "random" }, seed);
  assert.deepEqual(draw(3), draw(3));
  const [a, b] = [draw(3), draw(4)];
  assert.notDeepEqual(a.get("layers.0.fc1.weight"), b.get("layers.0.fc1.weight"));
  assert.notDeepEqual(a.get("layers.0.fc1.weight"), a.get("layers.1.fc1.weight"));
});

test("initializeSideNet() refuses blocks that are not one for each layer", () => {
  for (const blocks of [[1, 2], [1, 2, 6], [1, 2, -1], [1, 2, 0.5]]) {
    assert.throws(() => initializeSideNet(sideNet, backbone, { kind: "blocks", blocks }, 1), {
      name: "RangeError",
      message:
        `Cannot initialise a SideNet as its 3 layers must copy one block each: current blocks are ${
          blocks.join(", ")
        }, allowed are 0 to 5`,
    });
  }
  const every: SideNetShape = { layers: 6, reductionFactor: 1, memoryBlock: 3 };
  assert.throws(() => initializeSideNet(every, backbone, { kind: "paper" }, 1), {
    message: /current blocks are 1, 2, 3, 4, 5, 6/,
  });
});

test("initializeSideNet() names a tensor that the backbone lacks", () => {
  const weights = new Map(backbone.weights);
  weights.delete("transformer.h.3.mlp.fc_in.bias");
  assert.throws(() => initializeSideNet(sideNet, { shape, weights }, { kind: "paper" }, 1), {
    name: "RangeError",
    message: /"layers.1.fc1.bias" from "transformer.h.3.mlp.fc_in.bias" .* \[256\]: .* missing/,
  });
});
