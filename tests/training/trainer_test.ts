import { hashTensors } from "../../src/formats/tensor_hash.ts";
import {
  initializeMemorizing,
  type MemorizingPart,
} from "../../src/longmem/networks/memorizing_transformer.ts";
import type { Device, DeviceTensor } from "../../src/runtime/device.ts";
import { type StorageType, storageTypes } from "../../src/memory/stored_range.ts";
import { elementCount, type TensorMap } from "../../src/tensor.ts";
import { Random } from "../../src/random.ts";
import type { SegmentBatch } from "../../src/text/segments.ts";
import type { TrainingConfig } from "../../src/training/config.ts";
import type { Trainer, TrainerState } from "../../src/training/trainer.ts";
import { deviceTest, notingDevice, testedDevice } from "../graph/devices.ts";
import { referenceBackbone, referenceMemorizing } from "../longmem/reference_backbone.ts";
import { ReferenceMemory, type ReferenceParts, referencePass } from "../longmem/reference_model.ts";
import { assert, assertClose } from "../testing.ts";
import {
  inOrder,
  openSideNet,
  openTrainer,
  randomBatches,
  releasedTraining,
  type SideNetOptions,
  smallBackbone,
  smallMemory,
  smallSideNet,
  update,
} from "./small_training.ts";
import type { BackboneCheckpoint } from "../../src/backbone/shape.ts";

const padId = 1;
const onCpu = { kinds: ["cpu"] } as const;

/** Weights stay, and Adam's mean is the (clipped) gradient of the last update itself. */
const showsGradients = { learningRate: 0, betas: [0, 0.98] } as const;

/** Makes updates from batches, one after the other, and tells what came of it. */
async function updates(trainer: Trainer, batches: readonly SegmentBatch[], count: number) {
  const next = inOrder(batches), metrics = [];
  for (let i = 0; i < count; i++) metrics.push(await update(trainer, next));
  return metrics;
}

/** Opens, updates, saves, closes. */
async function trained(
  opening: Promise<Trainer>,
  batches: readonly SegmentBatch[],
  count: number,
): Promise<{ metrics: Awaited<ReturnType<typeof updates>>; state: TrainerState }> {
  const trainer = await opening;
  try {
    return { metrics: await updates(trainer, batches, count), state: await trainer.save() };
  } finally {
    await trainer.close();
  }
}

/** Ends rows of a batch early: their last tokens and targets become `<pad>`. */
function endRows(batch: SegmentBatch, ends: readonly number[]): SegmentBatch {
  const T = batch.tokens.length / ends.length;
  const cut = (ids: Int32Array) =>
    Int32Array.from(ids, (id, i) => i % T < ends[Math.floor(i / T)] ? id : padId);
  return { ...batch, tokens: cut(batch.tokens), targets: cut(batch.targets) };
}

function assertSame(actual: TensorMap, expected: TensorMap): void {
  assert.deepEqual([...actual.keys()], [...expected.keys()]);
  for (const [name, { data }] of actual) assert.deepEqual(data, expected.get(name)!.data, name);
}

// Gradients and losses against plain loops in double precision.

/** Mean loss of the targets that are not padding, by the reference. */
function referenceLoss(
  parts: ReferenceParts,
  memory: ReferenceMemory,
  batch: SegmentBatch,
  options: { network?: "backbone" | "longmem"; readOnly?: boolean } = {},
): number {
  const pass = referencePass(parts, memory, batch.tokens, {
    rows: batch.starts.length,
    readOnly: options.readOnly ?? false,
  });
  return meanLoss(
    options.network === "backbone" ? pass.backboneLogits : pass.logits,
    batch.targets,
  );
}

/** Mean loss of the targets that are not padding, from logits. */
function meanLoss(logits: readonly Float64Array[], targets: Int32Array): number {
  let loss = 0, count = 0;
  targets.forEach((target, n) => {
    if (target === padId) return;
    const largest = logits[n].reduce((a, b) => Math.max(a, b));
    const total = logits[n].reduce((sum, x) => sum + Math.exp(x - largest), 0);
    loss += largest + Math.log(total) - logits[n][target];
    count++;
  });
  return loss / count;
}

/**
 * Compares gradients with central differences of the reference's loss at a few elements of each tensor: where the
 * gradient is largest, and anywhere.
 */
function assertGradients(
  gradients: TensorMap,
  weights: TensorMap,
  prefix: string,
  loss: () => number,
): void {
  const random = new Random("elements");
  assert.equal(gradients.size, weights.size);
  for (const [name, { data: gradient }] of gradients) {
    const { data } = weights.get(name.slice(prefix.length))!;
    const largest = gradient.reduce((at, g, i) => Math.abs(g) > Math.abs(gradient[at]) ? i : at, 0);
    assert.ok(Math.abs(gradient[largest]) > 1e-4, `${name}: a gradient of 0 proves nothing`);
    for (const i of new Set([largest, random.below(data.length), random.below(data.length)])) {
      const value = data[i];
      data[i] = value + 1e-3;
      const above = data[i], lossAbove = loss();
      data[i] = value - 1e-3;
      const slope = (lossAbove - loss()) / (above - data[i]);
      data[i] = value;
      assertClose([gradient[i]], [slope], { tolerance: 1e-5, name: `${name}[${i}]` });
    }
  }
}

deviceTest("Trainer pretrains by the gradients of double precision", async (device) => {
  const backbone = smallBackbone();
  const batch = endRows(randomBatches(1)[0], [8, 5]);
  const { metrics: [{ loss, targets }], state } = await trained(
    openTrainer({
      device,
      config: { ...releasedTraining, ...showsGradients },
      seed: 1,
      parts: { backbone },
    }),
    [batch],
    1,
  );
  const parts = { backbone, sideNet: smallSideNet(backbone), memory: smallMemory };
  const reference = () =>
    referenceLoss(parts, new ReferenceMemory(smallMemory, 2), batch, { network: "backbone" });
  assert.equal(targets, 13);
  assertClose([loss], [reference()], { tolerance: 1e-5 });
  assertGradients(state.means, backbone.weights, "backbone.", reference);
}, onCpu);

deviceTest(
  "Trainer adapts by the gradients of double precision, rows that remember different lengths",
  async (device) => {
    const backbone = smallBackbone(), sideNet = smallSideNet(backbone);
    // Row 0 begins a document at the third batch, when row 1 remembers two segments of its own.
    const [first, second, third] = randomBatches(3);
    const batches = [first, second, endRows({ ...third, starts: [true, false] }, [8, 5])];
    const { metrics, state } = await trained(
      openSideNet(device, showsGradients, { memory: smallMemory }),
      batches,
      3,
    );
    const parts = { backbone, sideNet, memory: smallMemory };
    const memory = new ReferenceMemory(smallMemory, 2);
    const expected = [first, second].map((batch) => referenceLoss(parts, memory, batch));
    memory.reset([0]);
    const reference = () => referenceLoss(parts, memory, batches[2], { readOnly: true });
    assertClose(metrics.map(({ loss }) => loss), [...expected, reference()], { tolerance: 1e-5 });
    assert.deepEqual(metrics.map(({ targets }) => targets), [16, 16, 13]);
    // 8 tokens are 4 chunks a row and segment.
    assert.deepEqual(state.memory!.rings.map(({ count }) => count), [4, 12]);
    assertGradients(state.means, sideNet.weights, "sidenet.", reference);
  },
  onCpu,
);

/** Opens the training of a Memorizing Transformer, gates away from 0. */
function openMemorizing(
  device: Device,
  config: Partial<TrainingConfig>,
  dropout = 0,
  zeros: RegExp = /^$/,
  gate: "learned" | "fixed" = "learned",
): { trainer: Promise<Trainer>; backbone: BackboneCheckpoint; memorizing: MemorizingPart } {
  const backbone = smallBackbone();
  const memorizing = initializeMemorizing({ memoryBlock: 2 }, backbone);
  memorizing.weights.get("transformer.h.2.attn.memory_bias")!.data.set([0.4, -0.7]);
  for (const [name, { data }] of memorizing.weights) if (zeros.test(name)) data.fill(0);
  const trainer = openTrainer({
    device,
    config: { ...releasedTraining, ...config },
    seed: 1,
    parts: {
      backbone,
      other: memorizing,
      memory: smallMemory,
    },
    dropout,
    gate,
  });
  return { trainer, backbone, memorizing };
}

deviceTest(
  "Trainer trains a Memorizing Transformer by the gradients of double precision, none through the memory",
  async (device) => {
    const [first, second] = randomBatches(2);
    const batches = [first, endRows(second, [8, 5])];
    const { trainer, backbone, memorizing } = openMemorizing(device, showsGradients);
    const { metrics, state } = await trained(trainer, batches, 2);
    const memory = new ReferenceMemory(smallMemory, 2);
    const gates = memorizing.weights.get("transformer.h.2.attn.memory_bias")!.data;
    const pass = ({ tokens }: SegmentBatch) =>
      referenceBackbone(
        backbone.shape,
        (name) => (memorizing.weights.get(name) ?? backbone.weights.get(name)!).data,
        tokens,
        {
          rows: 2,
          attention: referenceMemorizing(backbone.shape.heads, 2, memory, gates),
        },
      );
    const written = pass(first).projections[2];
    const losses = [meanLoss(pass(first).logits, first.targets)];
    // Written once, by the weights as they are: central differences do not change it.
    memory.write(written.k, written.v);
    const reference = () => meanLoss(pass(batches[1]).logits, batches[1].targets);
    assertClose(metrics.map(({ loss }) => loss), [...losses, reference()], { tolerance: 1e-5 });
    assert.deepEqual(state.memory!.rings.map(({ count }) => count), [8, 8]);
    assertGradients(state.means, memorizing.weights, "memorizing.", reference);
  },
  onCpu,
);

deviceTest(
  "Trainer leaves the backbone below and beside a Memorizing Transformer as it is, and resumes to the same bytes",
  async (device) => {
    const config = { learningRate: 1e-2, clipNorm: 1 };
    const batches = randomBatches(6);
    const whole = openMemorizing(device, config, 0.3);
    const before = hashTensors(whole.backbone.weights);
    const starts = new Map(
      [...whole.memorizing.weights].map(([name, { data }]) => [name, data.slice()]),
    );
    const trainer = await whole.trainer;
    await updates(trainer, batches, 3);
    const half = await trainer.save();
    const metrics = await updates(trainer, batches.slice(3), 3);
    const weights = await trainer.weights(), state = await trainer.save();
    await trainer.close();
    assert.equal(hashTensors(whole.backbone.weights), before);
    assert.deepEqual([...weights.keys()].sort(), [...starts.keys()].sort());
    for (const [name, { data }] of weights) {
      assert.ok(data.some((x, i) => Math.abs(x - starts.get(name)![i]) > 1e-3), `${name} learns`);
    }
    const resumed = await openMemorizing(device, config, 0.3).trainer;
    await resumed.restore(half);
    assert.deepEqual(await updates(resumed, batches.slice(3), 3), metrics);
    const again = await resumed.save();
    for (const part of ["parameters", "means", "squares"] as const) {
      assertSame(again[part], state[part]);
    }
    assert.deepEqual(again.memory, state.memory);
    await resumed.close();
    // Where the blocks have no attention, or no MLP, only the other's dropout can show.
    for (const zeros of [/out_proj/, /fc_out/]) {
      const losses = [0, 0.3].map(async (dropout) => {
        const { trainer } = openMemorizing(device, config, dropout, zeros);
        return (await trained(trainer, batches, 1)).metrics[0].loss;
      });
      const [without, dropped] = await Promise.all(losses);
      assert.ok(Math.abs(without - dropped) > 1e-3, `no dropout without ${zeros}`);
    }
  },
  onCpu,
);

deviceTest("Trainer empties a memory of epochs after the last batch of one", async (device) => {
  const batches = randomBatches(4).map((batch, i) => ({
    ...batch,
    starts: [true, true], // a memory of epochs does not mind documents
    endsEpoch: i === 1,
  }));
  const trainer = await openSideNet(device, showsGradients, {
    memory: { ...smallMemory, reset: "epoch" },
  });
  const metrics = await updates(trainer, batches, 4);
  const fills = metrics.map(({ memoryFillChunks }) => memoryFillChunks);
  assert.deepEqual(fills, [[4, 4], [0, 0], [4, 4], [8, 8]]);
  // Steps 1 and 3 had nothing to remember, so that the gates had no gradient.
  assert.deepEqual((await trainer.save()).updates, { always: 4, withMemory: 2 });
  await trainer.close();
}, onCpu);

// Updates.

deviceTest("Trainer moves every parameter as AdamW with decay on all of them", async (device) => {
  const config = { learningRate: 0.01, weightDecay: 5, totalSteps: 4 };
  const batches = randomBatches(3);
  const trainer = await openSideNet(device, config, { memory: smallMemory });
  const next = inOrder(batches);
  let before = await trainer.save();
  for (let step = 1; step <= 3; step++) {
    await update(trainer, next);
    const after = await trainer.save();
    const rate = 0.01 * (1 - (step - 1) / 4);
    for (const [name, { data }] of after.parameters) {
      const gate = name.endsWith("memory_bias");
      const old = before.parameters.get(name)!.data;
      if (gate && step === 1) {
        assert.deepEqual(data, old, "gates rest without memory");
        continue;
      }
      const n = gate ? step - 1 : step;
      const mean = after.means.get(name)!.data, square = after.squares.get(name)!.data;
      const expected = Float64Array.from(old, (p, i) =>
        p * (1 - rate * 5) -
        rate * Math.sqrt(1 - 0.98 ** n) / (1 - 0.9 ** n) * mean[i] / (Math.sqrt(square[i]) + 1e-6));
      assertClose(data, expected, { tolerance: 1e-6, name: `step ${step} ${name}` });
      assert.ok(expected.some((p, i) => Math.abs(p - old[i]) > 1e-3), `${name} does not move`);
    }
    before = after;
  }
  await trainer.close();
}, onCpu);

deviceTest(
  "Trainer with two batches to an update averages over their targets; memory moves between them",
  async (device) => {
    const batches = randomBatches(4);
    batches[0] = endRows(batches[0], [3, 8]);
    batches[3] = endRows(batches[3], [6, 2]);
    // One by one on the CPU, whose steps are the official ones: a software GPU takes long enough for one training.
    const cpu = await testedDevice("cpu");
    const single = await openSideNet(cpu, showsGradients, { memory: smallMemory });
    const next = inOrder(batches);
    const alone = [];
    for (let i = 0; i < 4; i++) {
      alone.push({ metrics: await update(single, next), gradients: (await single.save()).means });
    }
    await single.close();

    const trainer = await openSideNet(
      device,
      { ...showsGradients, accumulationSteps: 2 },
      { memory: smallMemory },
    );
    const accumulated = inOrder(batches);
    for (const [first, second] of [[alone[0], alone[1]], [alone[2], alone[3]]]) {
      const metrics = await update(trainer, accumulated);
      const n = first.metrics.targets, m = second.metrics.targets;
      assert.equal(metrics.targets, n + m);
      const loss = (first.metrics.loss * n + second.metrics.loss * m) / (n + m);
      assertClose([metrics.loss], [loss], { tolerance: 1e-5 });
      let squares = 0;
      for (const [name, { data }] of (await trainer.save()).means) {
        const a = first.gradients.get(name)!.data, b = second.gradients.get(name)!.data;
        const expected = Float64Array.from(data, (_, i) => (a[i] * n + b[i] * m) / (n + m));
        assertClose(data, expected, { tolerance: device === cpu ? 1e-6 : 1e-5, name });
        squares += expected.reduce((sum, g) => sum + g * g, 0);
      }
      assertClose([metrics.gradientNorm], [Math.sqrt(squares)], { tolerance: 1e-5 });
      assert.deepEqual(metrics.memoryFillChunks, second.metrics.memoryFillChunks);
    }
    const state = await trainer.save();
    assert.equal(state.step, 2);
    // The gates had a gradient in the second batch of the first update.
    assert.deepEqual(state.updates, { always: 2, withMemory: 2 });
    await trainer.close();
  },
);

for (const accumulationSteps of [1, 2]) {
  deviceTest(
    `Trainer clips to clipNorm / (norm + 1e-6), ${accumulationSteps} batches to an update`,
    async (device) => {
      const batches = randomBatches(2);
      const gradientsWith = async (clipNorm?: number) => {
        const clip = clipNorm === undefined ? {} : { clipNorm };
        const config = { ...showsGradients, accumulationSteps, ...clip };
        const { metrics, state } = await trained(openSideNet(device, config), batches, 1);
        return { norm: metrics[0].gradientNorm, gradients: state.means };
      };
      const free = await gradientsWith();
      assert.ok(free.norm > 0.5);
      const loose = await gradientsWith(free.norm * 1.01);
      assertSame(loose.gradients, free.gradients);
      // The 1e-6 of the formula shows where the norm to clip to is not far above it.
      for (const clipNorm of [free.norm / 3, free.norm * (1 + 1e-7)]) {
        const clipped = await gradientsWith(clipNorm);
        assertClose([clipped.norm], [free.norm], { tolerance: 1e-6, name: "norm before clipping" });
        const factor = Math.min(1, clipNorm / (free.norm + 1e-6));
        for (const [name, { data }] of clipped.gradients) {
          const expected = free.gradients.get(name)!.data.map((g) => g * factor);
          assertClose(data, expected, { tolerance: 1e-7, name });
        }
      }
    },
    onCpu,
  );
}

// Dropout and determinism.

deviceTest("Trainer draws dropout from seed, step and batch", async (device) => {
  const config = { learningRate: 1e-2 };
  const batches = randomBatches(4);
  const run = (options: SideNetOptions) =>
    trained(openSideNet(device, config, { memory: smallMemory, ...options }), batches, 4);
  const first = await run({ dropout: 0.3 });
  const again = await run({ dropout: 0.3 });
  assert.deepEqual(again.metrics, first.metrics);
  assertSame(again.state.parameters, first.state.parameters);
  const otherSeed = await run({ dropout: 0.3, seed: 2 });
  assert.notEqual(otherSeed.metrics[0].loss, first.metrics[0].loss);
  const none = await run({}), zero = await run({ dropout: 0 });
  assert.deepEqual(zero.metrics, none.metrics);
  assertSame(zero.state.parameters, none.state.parameters);
  assert.notEqual(none.metrics[0].loss, first.metrics[0].loss);

  // The same batch again, without memory and learning: only the masks differ.
  const [batch] = batches;
  const still = { learningRate: 0 };
  const steps = await trained(openSideNet(device, still, { dropout: 0.3 }), [batch, batch], 2);
  const [{ loss }, { loss: second }] = steps.metrics;
  assert.notEqual(second, loss);
  const together = { ...still, accumulationSteps: 2 };
  const both = await trained(openSideNet(device, together, { dropout: 0.3 }), [batch, batch], 1);
  assert.ok(Math.abs(both.metrics[0].loss - loss) > 1e-4, "both batches of an update have a mask");
}, onCpu);

deviceTest("Trainer goes on after restore() as if never stopped", async (device) => {
  const config = { learningRate: 1e-2, accumulationSteps: 2, clipNorm: 1 };
  const options = { memory: smallMemory, dropout: 0.3 };
  const batches = randomBatches(8);
  const trainer = await openSideNet(device, config, options);
  await updates(trainer, batches, 2);
  const half = await trainer.save();
  const metrics = await updates(trainer, batches.slice(4), 2);
  const whole = await trainer.save();
  await trainer.close();
  const resumed = await openSideNet(device, config, options);
  await resumed.restore(half);
  assert.deepEqual(await updates(resumed, batches.slice(4), 2), metrics);
  const state = await resumed.save();
  for (const part of ["parameters", "means", "squares"] as const) {
    assertSame(state[part], whole[part]);
  }
  assert.deepEqual(state.memory, whole.memory);
  assert.deepEqual(state.updates, whole.updates);
  await resumed.close();
});

// Invariants.

/** A device that remembers the tensors it makes from host memory, as long as they are not freed. */
function watched(device: Device): { device: Device; made: Set<DeviceTensor> } {
  const made = new Set<DeviceTensor>();
  const watch = (tensor: DeviceTensor) => {
    made.add(tensor);
    const dispose = tensor.dispose.bind(tensor);
    tensor.dispose = () => {
      made.delete(tensor);
      dispose();
    };
    return tensor;
  };
  const proxy = new Proxy(device, {
    get(target, key) {
      if (key === "tensor") {
        return (...args: Parameters<Device["tensor"]>) => watch(target.tensor(...args));
      }
      if (key === "zeros") {
        return (...args: Parameters<Device["zeros"]>) => watch(target.zeros(...args));
      }
      const value = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return { device: proxy, made };
}

deviceTest("Trainer leaves the frozen backbone on the device as it was", async (device) => {
  const backbone = smallBackbone(), sideNet = smallSideNet(backbone);
  const untouched = hashTensors(smallBackbone().weights);
  const { device: watching, made } = watched(device);
  const trainer = await openTrainer({
    device: watching,
    config: { ...releasedTraining, learningRate: 0.1 },
    seed: 1,
    parts: { backbone, sideNet, memory: smallMemory },
    dropout: 0.1,
  });
  await updates(trainer, randomBatches(3), 3);

  const onDevice = [];
  for (const tensor of made) onDevice.push({ tensor, data: await tensor.read() });
  for (const [name, { data, shape }] of smallBackbone().weights) {
    const found = onDevice.find(({ tensor, data: read }) =>
      String(tensor.shape) === String(shape) &&
      read.every((value, i) => value === data[i])
    );
    assert.ok(found, `${name} is not on the device as it was`);
  }
  assert.equal(hashTensors(backbone.weights), untouched);
  assert.equal(hashTensors(sideNet.weights), hashTensors(smallSideNet(backbone).weights));

  const weights = await trainer.weights();
  assert.deepEqual([...weights.keys()].sort(), [...sideNet.weights.keys()].sort());
  for (const [name, { data }] of weights) {
    const start = sideNet.weights.get(name)!.data;
    assert.ok(data.some((value, i) => value !== start[i]), `${name} has not been trained`);
  }
  await trainer.close();
});

deviceTest("Trainer frees what a step made, and at the end everything", async (device) => {
  const { device: watching, made } = watched(device);
  const config = { accumulationSteps: 2 };
  const trainer = await openSideNet(watching, config, { memory: smallMemory, dropout: 0.1 });
  const batches = randomBatches(6);
  const next = inOrder(batches);
  await update(trainer, next);
  const afterOne = made.size;
  await update(trainer, next);
  assert.equal(made.size, afterOne);
  await trainer.restore(await trainer.save());
  assert.equal(made.size, afterOne);
  await trainer.close();
  assert.equal(made.size, 0);
}, { kinds: ["webgpu"] });

deviceTest("Trainer's graph sorts no scores on a GPU", async (opened) => {
  const { device, operators } = notingDevice(opened);
  await assert.rejects(openSideNet(device, {}, { memory: smallMemory }), { message: "Noted" });
  assert.ok(operators.has("Softmax"), "the graph was seen");
  assert.equal(operators.has("TopK"), device.kind !== "webgpu");
});

deviceTest("Trainer without memory leaves the gates alone", async (device) => {
  const trainer = await openSideNet(device, { learningRate: 0.1 });
  await updates(trainer, randomBatches(2), 2);
  const weights = await trainer.weights();
  const gate = [...weights].find(([name]) => name.endsWith("memory_bias"))!;
  assert.deepEqual(gate[1].data, Float32Array.of(0.4, -0.7));
  assert.ok(!(await trainer.save()).parameters.has(`sidenet.${gate[0]}`));
  await trainer.close();
}, onCpu);

deviceTest(
  "Trainer with a fixed gate adapts all else by the same gradients, through a gate that stays",
  async (device) => {
    const batches = randomBatches(2);
    const options = { memory: smallMemory, dropout: 0 };
    const openFixed = (config: Partial<TrainingConfig>) =>
      openSideNet(device, config, { ...options, gate: "fixed" });
    const learned = await trained(openSideNet(device, showsGradients, options), batches, 2);
    const fixed = await trained(openFixed(showsGradients), batches, 2);
    assert.deepEqual(
      fixed.metrics.map(({ loss }) => loss),
      learned.metrics.map(({ loss }) => loss),
    );
    const isGate = (name: string) => name.endsWith("memory_bias");
    assert.deepEqual(
      [...fixed.state.means.keys()],
      [...learned.state.means.keys()].filter((name) => !isGate(name)),
    );
    for (const [name, { data }] of fixed.state.means) {
      assertClose(data, learned.state.means.get(name)!.data, { tolerance: 1e-7, name });
    }
    for (const accumulationSteps of [1, 2]) {
      const trainer = await openFixed({ learningRate: 0.1, accumulationSteps });
      await updates(trainer, randomBatches(2 * accumulationSteps), 2);
      for (const [name, { data }] of await trainer.weights()) {
        const start = smallSideNet(smallBackbone()).weights.get(name)!.data;
        assert.equal(data.some((value, i) => value !== start[i]), !isGate(name), name);
      }
      await trainer.close();
    }
    const { trainer: opening } = openMemorizing(device, { learningRate: 0.1 }, 0, /^$/, "fixed");
    const memorizing = await opening;
    await updates(memorizing, batches, 2);
    const [, { data }] = [...await memorizing.weights()].find(([name]) => isGate(name))!;
    assert.deepEqual(data, Float32Array.of(0.4, -0.7));
    await memorizing.close();
  },
  onCpu,
);

deviceTest("Trainer learns a text that repeats itself", async (device) => {
  const text = Array.from({ length: 200 }, (_, i) => [4, 7, 5, 12, 6, 9, 4, 8][i % 8]);
  const batches = Array.from({ length: 60 }, (_, i) => ({
    tokens: Int32Array.from({ length: 16 }, (_, n) => text[i + n]),
    targets: Int32Array.from({ length: 16 }, (_, n) => text[i + n + 1]),
    starts: [i === 0, i === 0],
    epoch: 0,
    endsEpoch: false,
  }));
  const { metrics } = await trained(
    openTrainer({
      device,
      config: { ...releasedTraining, learningRate: 0.03, totalSteps: 60 },
      seed: 1,
      parts: { backbone: smallBackbone() },
    }),
    batches,
    60,
  );
  assert.ok(metrics[0].loss > 2, `first loss ${metrics[0].loss}`); // uniform: ln 13 = 2.56
  assert.ok(metrics[59].loss < 0.2, `last loss ${metrics[59].loss}`);
}, onCpu);

// What cannot go on.

for (const accumulationSteps of [1, 2]) {
  deviceTest(
    `Trainer stops at a loss that is no number, ${accumulationSteps} batches to an update`,
    async (device) => {
      const config = { learningRate: 0.1, accumulationSteps };
      const trainer = await openSideNet(device, config, { memory: smallMemory });
      const next = inOrder(randomBatches(5 * accumulationSteps));
      await update(trainer, next);
      const good = await trainer.save(), name = "sidenet.layers.0.fc1.bias";
      good.parameters.get(name)!.data[3] = NaN;
      await trainer.restore(good);
      const message =
        /^InputError: Cannot continue training as the loss of step 2 is NaN: .* values after step 1$/;
      await assert.rejects(update(trainer, next), message);
      assert.equal(trainer.step, 1);
      const { data } = (await trainer.weights()).get("layers.0.fc1.bias")!;
      assert.deepEqual(data, good.parameters.get(name)!.data);
      // Adam's means may have been written.
      await assert.rejects(trainer.save(), message);
      await assert.rejects(update(trainer, next), message);
      good.parameters.get(name)!.data[3] = 0;
      const fresh = await openSideNet(device, config, { memory: smallMemory });
      const states = [];
      for (const one of [trainer, fresh]) {
        await one.restore(good);
        await update(one, inOrder(randomBatches(accumulationSteps)));
        states.push(await one.save());
        await one.close();
      }
      assert.deepEqual(...states as [TrainerState, TrainerState]);
    },
    onCpu,
  );

  deviceTest(
    `Trainer names the gradient that is not finite, ${accumulationSteps} batches to an update`,
    async (device) => {
      // Logits are those of a modest model, but the square of d loss / d gain is beyond float32.
      const backbone = smallBackbone();
      for (const [name, factor] of [["lm_head.weight", 1e25], ["transformer.ln_f.weight", 1e-25]]) {
        const { data } = backbone.weights.get(name as string)!;
        data.forEach((value, i) => data[i] = value * (factor as number));
      }
      backbone.weights.get("transformer.ln_f.bias")!.data.fill(0);
      const trainer = await openTrainer({
        device,
        config: { ...releasedTraining, accumulationSteps },
        seed: 1,
        parts: { backbone },
      });
      const start = await trainer.save();
      const message =
        /^InputError: Cannot continue training as the gradient of "backbone\.transformer\.ln_f\.weight" in step 1 is not finite: .* after step 0$/;
      await assert.rejects(update(trainer, inOrder(randomBatches(2))), message);
      assert.equal(trainer.step, 0);
      const left = [...await trainer.weights()].map(([name, one]) =>
        [`backbone.${name}`, one] as const
      );
      assertSame(new Map(left), start.parameters);
      await assert.rejects(trainer.save(), message);
      await trainer.close();
    },
    onCpu,
  );
}

deviceTest("Trainer.advance() makes the same updates where they are read later", async (device) => {
  const ahead = { ...device, runsAhead: true };
  for (const accumulationSteps of [1, 3]) {
    const config = { learningRate: 0.05, accumulationSteps };
    const batches = randomBatches(5 * accumulationSteps);
    const open = (device: Device) => openSideNet(device, config, { memory: smallMemory });
    const { metrics, state } = await trained(open(device), batches, 5);
    const trainer = await open(ahead), next = inOrder(batches), { signal } = new AbortController();
    for (let i = 0; i < 2; i++) assert.ok(await trainer.advance(next, signal));
    await assert.rejects(trainer.save(), /before the results of its updates have been read/);
    // The newest are read when others have followed.
    assert.deepEqual(await Array.fromAsync(trainer.results({ latest: false })), []);
    for (let i = 2; i < 5; i++) assert.ok(await trainer.advance(next, signal));
    const first = await Array.fromAsync(trainer.results({ latest: false }));
    assert.deepEqual(first, metrics.slice(0, 2));
    assert.deepEqual(await Array.fromAsync(trainer.results()), metrics.slice(2));
    assert.deepEqual(await Array.fromAsync(trainer.results()), []);
    assert.deepEqual(await trainer.save(), state);
    await trainer.close();
  }
}, onCpu);

deviceTest("Trainer saves among batches whose losses have not been read", async (device) => {
  const config = { learningRate: 0.05, accumulationSteps: 3 }, batches = randomBatches(3);
  const open = (device: Device) => openSideNet(device, config, { memory: smallMemory });
  const { metrics, state } = await trained(open(device), batches, 1);
  const ahead = { ...device, runsAhead: true }, stopping = new AbortController();
  const trainer = await open(ahead), next = inOrder(batches);
  const stopAfterTwo = () => {
    const batch = next();
    if (batch === batches[1]) stopping.abort();
    return batch;
  };
  assert.equal(await trainer.advance(stopAfterTwo, stopping.signal), false);
  const resumed = await open(ahead);
  await resumed.restore(await trainer.save());
  for (const one of [trainer, resumed]) {
    assert.ok(await one.advance(() => batches[2], new AbortController().signal));
    assert.deepEqual(await Array.fromAsync(one.results()), metrics);
    assert.deepEqual(await one.save(), state);
    await one.close();
  }
}, onCpu);

deviceTest("Trainer finds late that a loss is no number, and saves no more", async (device) => {
  const trainer = await openSideNet({ ...device, runsAhead: true }, { learningRate: 0.05 }, {
    memory: smallMemory,
  });
  const next = inOrder(randomBatches(5)), { signal } = new AbortController();
  await update(trainer, next);
  const broken = await trainer.save();
  broken.parameters.get("sidenet.layers.0.fc1.bias")!.data[3] = NaN;
  await trainer.restore(broken);
  for (let i = 0; i < 3; i++) await trainer.advance(next, signal);
  const message =
    /^InputError: Cannot continue training as the loss of step 2 is NaN: the parameters have been updated up to step 4, and checkpoints are from before step 2$/;
  await assert.rejects(Array.fromAsync(trainer.results()), message);
  await assert.rejects(trainer.save(), message);
  await trainer.close();
}, onCpu);

deviceTest("Trainer saves nothing after any failure among its batches", async (device) => {
  const trainer = await openSideNet(device, { accumulationSteps: 2 });
  const [batch] = randomBatches(1), given = [batch];
  const unreadable = () => {
    const next = given.shift();
    if (!next) throw new Error("The text cannot be read");
    return next;
  };
  await assert.rejects(update(trainer, unreadable), /^Error: The text cannot be read$/);
  await assert.rejects(trainer.save(), /^Error: The text cannot be read$/);
  await assert.rejects(update(trainer, () => batch), /^Error: The text cannot be read$/);
  await trainer.close();
}, onCpu);

deviceTest("Trainer has one buffer for each of Adam's means on a host", async (device) => {
  let zeros = 0;
  const counting: Device = {
    ...device,
    zeros(shape, type) {
      zeros += elementCount(shape);
      return device.zeros(shape, type);
    },
  };
  const trainer = await openSideNet(counting), { parameters } = await trainer.save();
  const sizes = [...parameters.values()].map(({ data }) => data.length);
  // With the parameters' second buffers.
  assert.equal(zeros, 3 * sizes.reduce((sum, size) => sum + size, 0));
  await trainer.close();
}, onCpu);

deviceTest("Trainer.restore() refuses tensors of another model", async (device) => {
  const trainer = await openSideNet(device);
  const state = await trainer.save();
  const name = "sidenet.layers.1.fc1.weight";
  const means = new Map(state.means);
  means.set(name, { shape: [8, 16], data: new Float32Array(128) });
  await assert.rejects(
    trainer.restore({ ...state, means }),
    /^RangeError: Cannot resume as tensor "sidenet.layers.1.fc1.weight" must be \[16,8\]: current shape is \[8,16\]$/,
  );
  const parameters = new Map(state.parameters);
  parameters.delete(name);
  await assert.rejects(
    trainer.restore({ ...state, parameters }),
    /must be \[16,8\]: current shape is absent$/,
  );
  await trainer.close();
}, onCpu);

deviceTest("Trainer refuses a network without weights of its own", async (device) => {
  const other = { network: "infllm", shape: { distanceTokens: 4 } } as const;
  const parts = { backbone: smallBackbone(), other };
  await assert.rejects(
    openTrainer({ device, config: releasedTraining, seed: 1, parts }),
    /^TypeError: Cannot train network "infllm" as it has no weights of its own$/,
  );
}, onCpu);

deviceTest("Trainer refuses a memory that an update does not fit into", async (device) => {
  await assert.rejects(
    openSideNet(device, {}, { memory: { ...smallMemory, capacityTokens: 6 } }),
    /^RangeError: Cannot make a memory as memory.capacityTokens must hold one update, of 8 tokens each: current value is 6, allowed are integers from 8$/,
  );
}, onCpu);

deviceTest("a diagnosed update is the same update, and says what it did", async (device) => {
  const config = { batchSize: 2, learningRate: 0.02, weightDecay: 0 };
  const batches = randomBatches(4);
  const plain = await openSideNet(device, config, { memory: smallMemory });
  const diagnosed = await openSideNet(device, config, { memory: smallMemory });
  const nextPlain = inOrder(batches), next = inOrder(batches);
  for (let i = 0; i < 3; i++) {
    const before = await diagnosed.weights();
    const expected = await update(plain, nextPlain);
    const { diagnostics, ...metrics } = await update(diagnosed, next, {
      diagnoses: true,
    });
    assert.deepEqual(metrics, expected);
    const after = await diagnosed.weights();
    assert.deepEqual(after, await plain.weights());
    const norms = (names: string[]) => {
      const sum = (of: (name: string, i: number) => number) =>
        Math.sqrt(names.reduce(
          (total, name) =>
            before.get(name)!.data.reduce((sum, _, i) => sum + of(name, i) ** 2, total),
          0,
        ));
      const value = (tensors: TensorMap) => (name: string, i: number) => tensors.get(name)!.data[i];
      return sum((name, i) => value(after)(name, i) - value(before)(name, i)) / sum(value(before));
    };
    const names = [...before.keys()], { updateToWeightOfLayers: layers } = diagnostics!;
    assertClose([diagnostics!.updateToWeight], [norms(names)], { tolerance: 1e-6 });
    assert.deepEqual(Object.keys(layers).sort(), ["layers.0", "layers.1", "other"]);
    for (const layer of ["layers.0", "layers.1"]) {
      const own = names.filter((name) => name.startsWith(`${layer}.`));
      assertClose([layers[layer]], [norms(own)], { tolerance: 1e-6 });
    }
    assert.ok(diagnostics!.updateToWeight > 1e-3);
    const { data } = [...before].find(([name]) => name.endsWith("memory_bias"))![1];
    const gates = [...data].map((bias) => 1 / (1 + Math.exp(-bias)));
    assertClose(diagnostics!.gates!, gates, { tolerance: 1e-6 });
    // The first batch finds nothing in memory.
    const share = i === 0 ? 0 : (gates[0] + gates[1]) / 2;
    assertClose([diagnostics!.memoryShare!], [share], { tolerance: 1e-6 });
  }
  await plain.close();
  await diagnosed.close();
  // A training without memory has no gates.
  const without = await openSideNet(device, config);
  const { diagnostics } = await update(without, inOrder(batches), { diagnoses: true });
  assert.deepEqual(Object.keys(diagnostics!), ["updateToWeight", "updateToWeightOfLayers"]);
  await without.close();
}, onCpu);

deviceTest(
  "a diagnosed update counts batches that were made before anybody asked",
  async (device) => {
    const config = { batchSize: 2, accumulationSteps: 2 }, batches = randomBatches(4);
    const trainer = await openSideNet(device, config, { memory: smallMemory });
    const next = inOrder(batches);
    await update(trainer, next);
    const abort = new AbortController();
    const nextAborting = () => {
      abort.abort();
      return next();
    };
    assert.equal(await trainer.advance(nextAborting, abort.signal), false);
    const resumed = await openSideNet(device, config, { memory: smallMemory });
    await resumed.restore(await trainer.save());
    const { diagnostics } = await update(resumed, next, { diagnoses: true });
    const { gates, memoryShare } = diagnostics!;
    assertClose([memoryShare!], [(gates![0] + gates![1]) / 2], { tolerance: 1e-6 });
    await trainer.close();
    await resumed.close();
  },
  onCpu,
);

deviceTest("a SideNet is trained with a packed memory as on a CPU", async (device) => {
  const steps = async (on: Device, storage: StorageType) => {
    const memory = { ...smallMemory, storage };
    const opening = openSideNet(on, showsGradients, { memory });
    const { metrics } = await trained(opening, randomBatches(4), 4);
    return metrics.flatMap(({ loss, gradientNorm }) => [loss, gradientNorm]);
  };
  const cpu = await testedDevice("cpu"), found: number[][] = [];
  for (const storage of storageTypes) {
    found.push(await steps(device, storage));
    assertClose(found.at(-1)!, await steps(cpu, storage), { tolerance: 3e-6, name: storage });
  }
  // A memory of another storage is further away.
  const [whole, ...rounded] = found;
  for (const metrics of rounded) {
    assert.ok(Math.max(...metrics.map((x, i) => Math.abs(x - whole[i]))) > 4e-6);
  }
}, { kinds: ["webgpu"] });
