/** A backbone whose matrices a device holds in float16 is the backbone with these matrices rounded. */
import { backbonePrefix } from "../../src/backbone/backbone_graph.ts";
import { loadLongMem } from "../../src/checkpoint/load.ts";
import { LongMem } from "../../src/longmem/longmem.ts";
import type { LongMemParts } from "../../src/longmem/parts.ts";
import type { Device } from "../../src/runtime/device.ts";
import { deviceTest } from "../graph/devices.ts";
import { assert, assertClose, test } from "../testing.ts";
import type { BackboneCheckpoint, FrozenType } from "../../src/backbone/shape.ts";
import type { TensorMap } from "../../src/tensor.ts";
import {
  inOrder,
  openSideNet,
  randomBatches,
  smallBackbone,
  smallMemory,
  smallSideNet,
  update,
} from "../training/small_training.ts";
import { randomTokens, smallParts } from "./random_model.ts";

/** Logits of a second segment, which reads what the first one wrote, and bytes of the backbone's weights on the device. */
async function secondSegment(device: Device, parts: LongMemParts) {
  const model = new LongMem(device, parts);
  await model.forward(randomTokens(24, "first"), { batch: 2 });
  const { logits } = await model.forward(randomTokens(24, "second"), { batch: 2 });
  let bytes = 0;
  for (const [name, tensor] of Object.entries(model.weights)) {
    if (name.startsWith(backbonePrefix)) bytes += (await tensor.read()).byteLength;
  }
  await model.close();
  return { logits, bytes };
}

/** Weights of which the matrices are rounded to float16. */
function roundedMatrices(weights: TensorMap): TensorMap {
  return new Map(
    [...weights].map(([name, tensor]) => [
      name,
      tensor.shape.length === 2
        ? { ...tensor, data: Float32Array.from(new Float16Array(tensor.data)) }
        : tensor,
    ]),
  );
}

deviceTest(
  "a backbone held in float16 has its matrices rounded, and float32 else",
  async (device) => {
    const parts = smallParts();
    const { shape, weights } = parts.backbone;
    const whole = await secondSegment(device, parts);
    const held = await secondSegment(device, {
      ...parts,
      backbone: { ...parts.backbone, frozenType: "float16" },
    });
    const expected = await secondSegment(device, {
      ...parts,
      backbone: { shape, weights: roundedMatrices(weights) },
    });
    assertClose(held.logits, expected.logits, { tolerance: 1e-5 });
    const largest = whole.logits.reduce(
      (most, x, i) => Math.max(most, Math.abs(x - held.logits[i])),
      0,
    );
    assert.ok(largest > 1e-4, "rounding shows");
    const matrices = [...weights.values()].filter(({ shape }) => shape.length === 2)
      .reduce((sum, { data }) => sum + data.byteLength, 0);
    assert.equal(held.bytes, whole.bytes - matrices / 2);
  },
);

deviceTest("a SideNet is trained beside a backbone held in float16", async (device) => {
  const trained = async (backbone: BackboneCheckpoint) => {
    const options = { backbone, sideNet: smallSideNet(smallBackbone()), memory: smallMemory };
    const trainer = await openSideNet(device, { learningRate: 1e-2 }, options);
    const next = inOrder(randomBatches(4));
    for (let step = 0; step < 4; step++) await update(trainer, next);
    const weights = await trainer.weights();
    await trainer.close();
    return weights;
  };
  const { shape, weights } = smallBackbone();
  const whole = await trained({ shape, weights });
  const held = await trained({ shape, weights, frozenType: "float16" });
  const expected = await trained({ shape, weights: roundedMatrices(weights) });
  let moved = 0;
  for (const [name, { data }] of held) {
    assertClose(data, expected.get(name)!.data, { tolerance: 2e-5, name });
    data.forEach((x, i) => moved = Math.max(moved, Math.abs(x - whole.get(name)!.data[i])));
  }
  assert.ok(moved > 1e-4, `rounding shows: ${moved}`);
});

test("loadLongMem() with frozenWeights holds the backbone as they say", async () => {
  const { backbone } = smallParts();
  const load = async (frozenWeights?: FrozenType, frozenType?: FrozenType) => {
    await using model = await loadLongMem({
      backbone: { ...backbone, ...(frozenType && { frozenType }) },
      device: "cpu",
      memory: { capacityTokens: 28, chunkTokens: 4, retrievedTokens: 8 },
      ...(frozenWeights && { frozenWeights }),
    });
    return (await model.forward(randomTokens(12, "tokens"))).logits;
  };
  assert.deepEqual(await load("float32"), await load());
  assert.notDeepEqual(await load("float16"), await load());
  // That of a run counts, where none is given.
  assert.deepEqual(await load(undefined, "float16"), await load("float16"));
  assert.deepEqual(await load("float32", "float16"), await load());
  await assert.rejects(load("bfloat16" as "float16"), /frozenWeights .*"bfloat16".*float16/);
  const [name, tensor] = [...backbone.weights].find(([, { shape }]) => shape.length === 2)!;
  tensor.data[3] = 7e4;
  await assert.rejects(load("float16"), {
    name: "RangeError",
    message:
      `Cannot hold weight "${name}" in float16 as that ends at 65504: current value is 70000 at element 3; ` +
      `frozenWeights "float32" would help`,
  });
});
