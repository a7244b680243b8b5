/**
 * The trainer against real steps of the official trainer: specification sections 6 to 11 in one.
 */
import { learningRateAt } from "../../src/training/config.ts";
import type { Trainer, TrainerOptions, TrainerState } from "../../src/training/trainer.ts";
import type { Device } from "../../src/runtime/device.ts";
import type { TensorMap } from "../../src/tensor.ts";
import type { SegmentBatch } from "../../src/text/segments.ts";
import { assert, assertClose, fixturePath, sharedTest } from "../testing.ts";
import { fixtureMemory, fixtureNetworks, fixtureTest, Golden } from "../longmem/fixture_model.ts";
import { ObservedModel } from "../longmem/observed_model.ts";
import { openTrainer, releasedTraining, update } from "./small_training.ts";
import { sideNetPrefix } from "../../src/longmem/networks/sidenet.ts";

const rows = 2, contextTokens = 16;
const gate = `${sideNetPrefix}layers.2.self_attn.memory_bias`;

/** The batches of the official iterator, in its order. */
async function officialBatches(): Promise<SegmentBatch[]> {
  const data = await Golden.read("data.safetensors");
  const tokens = data.integers("src_tokens").data, targets = data.integers("target").data;
  const size = rows * contextTokens;
  return Array.from({ length: tokens.length / size }, (_, i) => ({
    tokens: tokens.slice(i * size, (i + 1) * size),
    targets: targets.slice(i * size, (i + 1) * size),
    starts: [i === 0, i === 0],
    epoch: 0,
    endsEpoch: false,
  }));
}

/** What the official run recorded of each step. */
async function officialRecord(name: "train_f32mem" | "train_f16mem"): Promise<
  { lr: number; grad_norm: number; loss_sum: number; memory_chunks_after: number }[]
> {
  return JSON.parse(await Deno.readTextFile(fixturePath("config.json")))[name];
}

async function openOfficial(
  device: Device,
  options: { storage?: "float16"; config?: Partial<TrainerOptions["config"]> } = {},
): Promise<Trainer> {
  return await openTrainer({
    device,
    config: { ...releasedTraining, batchSize: rows, contextTokens, ...options.config },
    seed: 1,
    parts: {
      ...await fixtureNetworks(),
      memory: { ...fixtureMemory, ...(options.storage ? { storage: options.storage } : {}) },
    },
  });
}

/** Compares every tensor of a state with the golden ones of `<prefix><name>`. */
function assertTensors(
  actual: TensorMap,
  golden: Golden,
  prefix: string,
  tolerance: number,
): void {
  assert.equal(actual.size, 43);
  for (const [name, { data }] of actual) {
    const goldenName = prefix + name.slice(sideNetPrefix.length);
    assertClose(data, golden.floats(goldenName).data, { tolerance, name: goldenName });
  }
}

fixtureTest(
  "Trainer finds the official gradients of segment 2 after segments 0 and 1",
  async (device) => {
    // Without learning the weights stay, and without inertia Adam's mean is the gradient itself.
    const trainer = await openOfficial(device, { config: { learningRate: 0, betas: [0, 0.98] } });
    const batches = await officialBatches();
    for (let step = 0; step < 3; step++) await update(trainer, () => batches[step]);
    const { means } = await trainer.save();
    assertTensors(means, await Golden.read("grads_f32mem.safetensors"), "grad/", 1e-6);
    await trainer.close();
  },
  ["cpu", "wasm"], // the means of the next test are of gradients, too: a software GPU has enough to do
);

fixtureTest("Trainer repeats three official steps with a float32 memory", async (device) => {
  const golden = await Golden.read("train_f32mem.safetensors");
  const record = await officialRecord("train_f32mem");
  const batches = await officialBatches();
  const trainer = await openOfficial(device);
  const states: TrainerState[] = [];
  for (const [i, official] of record.entries()) {
    const metrics = await update(trainer, () => batches[i]);
    states.push(await trainer.save());
    assert.equal(metrics.step, i + 1);
    assert.equal(metrics.targets, 32);
    assert.ok(Math.abs(metrics.loss - official.loss_sum / 32) < 1e-5, `loss ${metrics.loss}`);
    assert.ok(Math.abs(metrics.gradientNorm - official.grad_norm) < 1e-5);
    assert.ok(Math.abs(metrics.learningRate - official.lr) < 1e-15);
    assert.deepEqual(metrics.memoryFillChunks, [official.memory_chunks_after]);
  }
  assertTensors(states[0].parameters, golden, "step1/param/", 5e-6);
  assertTensors(states[2].parameters, golden, "step3/param/", 5e-6);
  assertTensors(states[2].means, golden, "final/exp_avg/", 1e-6);
  assertTensors(states[2].squares, golden, "final/exp_avg_sq/", 1e-6);

  // The gate takes no part in the step without memory: no decay, no update, no count.
  const { sideNet } = await fixtureNetworks();
  assert.deepEqual(
    states[0].parameters.get(gate)!.data,
    sideNet.weights.get(gate.slice(sideNetPrefix.length))!.data,
  );
  assert.deepEqual(states[0].updates, { always: 1, withMemory: 0 });
  assert.deepEqual(states[2].updates, { always: 3, withMemory: 2 });
  await trainer.close();
});

fixtureTest("Trainer repeats three official steps with a float16 memory", async (device) => {
  const golden = await Golden.read("train_f16mem.safetensors");
  const record = await officialRecord("train_f16mem");
  const batches = await officialBatches();
  const trainer = await openOfficial(device, { storage: "float16" });
  const states: TrainerState[] = [];
  for (const [i, official] of record.entries()) {
    const { loss, gradientNorm } = await update(trainer, () => batches[i]);
    states.push(await trainer.save());
    assert.ok(Math.abs(loss - official.loss_sum / 32) < 2e-5, `loss ${loss}`);
    assert.ok(Math.abs(gradientNorm - official.grad_norm) < 1e-4, `norm ${gradientNorm}`);
  }
  assertTensors(states[2].parameters, golden, "step3/param/", 5e-6);
  // m2 = 0.9 m1 + 0.1 g
  for (const [name, { data }] of states[1].means) {
    const before = states[0].means.get(name)!.data;
    assertClose(
      Float32Array.from(data, (m, i) => (m - 0.9 * before[i]) / 0.1),
      golden.floats(`step2/grad/${name.slice(sideNetPrefix.length)}`).data,
      { tolerance: 2e-6, name },
    );
  }
  await trainer.close();
});

for (const storage of ["float32", "float16"] as const) {
  fixtureTest(
    `Trainer leaves weights and memory that retrieve the official chunks, ${storage}`,
    async (device) => {
      const golden = await Golden.read(
        `train_${storage === "float32" ? "f32" : "f16"}mem.safetensors`,
      );
      const batches = await officialBatches();
      const trainer = await openOfficial(device, storage === "float16" ? { storage } : {});
      const { backbone, sideNet } = await fixtureNetworks();
      // The float16 file says what step 2 retrieves, the other one steps 2 and 3.
      const steps = [2, 3].filter((step) => golden.has(`step${step}/memory_index`));
      assert.equal(steps[0], 2);
      for (const step of steps) {
        await update(trainer, () => batches[step - 2]);
        const { memory } = await trainer.save();
        const weights = await trainer.weights();
        const parts = {
          backbone,
          sideNet: { ...sideNet, weights },
          memory: { ...fixtureMemory, storage },
        };
        const model = new ObservedModel(device, parts, rows);
        await model.bank.restore(memory!);
        const { ages } = await model.pass(batches[step - 1].tokens, { rows, readOnly: true });
        const { data, shape: [H, B, T, n] } = golden.integers(`step${step}/memory_index`);
        const expected: number[] = []; // [H, B, T, n] -> [B, H, T, n]
        for (let b = 0; b < B; b++) {
          for (let h = 0; h < H; h++) {
            const start = (h * B + b) * T * n;
            expected.push(...data.subarray(start, start + T * n));
          }
        }
        assert.deepEqual(Array.from(ages), expected);
        await model.close();
      }
      await trainer.close();
    },
    ["cpu"],
  );
}

sharedTest("learningRateAt() is the official schedule", async () => {
  const { lr_schedule: official } = JSON.parse(await Deno.readTextFile(fixturePath("misc.json")));
  const config = {
    ...releasedTraining,
    learningRate: official.lr,
    totalSteps: official.total_num_update,
    warmupSteps: official.warmup_updates,
  };
  const rates = Object.entries(official.by_num_updates as Record<string, number>);
  assert.ok(rates.length > 5);
  for (const [updates, rate] of rates) {
    const found = learningRateAt(Number(updates) + 1, config);
    assert.ok(Math.abs(found - rate) < 1e-15, `after ${updates} updates: ${found}, not ${rate}`);
  }
});
