/** Costs of training and of a pass on a GPU, in counts, as time on a software adapter says nothing. They go down, never up. */
import { LongMem } from "../../src/longmem/longmem.ts";
import { MemoryBank } from "../../src/memory/memory_bank.ts";
import { followBank } from "../../src/memory/retriever.ts";
import { storageTypes } from "../../src/memory/stored_range.ts";
import type { WebGpuDevice } from "../../src/runtime/webgpu_device.ts";
import { deviceTest } from "../graph/devices.ts";
import { assert } from "../testing.ts";
import {
  inOrder,
  openSideNet,
  randomBatches,
  smallBackbone,
  smallMemory,
  smallSideNet,
  update,
} from "../training/small_training.ts";
import { countGpuTraffic, describeTraffic, type GpuTraffic } from "./gpu_traffic.ts";

const gpuOnly = { kinds: ["webgpu"] } as const;

/** Counts that may not be exceeded; they hold for a software adapter, and others differ a little in their kernels. */
type Bounds = Partial<GpuTraffic>;

/** Prints costs, and holds them to their bounds. */
function assertTraffic(what: string, traffic: GpuTraffic, bounds: Bounds): void {
  // deno-lint-ignore no-console -- the figures that are to go down
  console.log(`${what}: ${describeTraffic(traffic)}`);
  for (const [name, most] of Object.entries(bounds)) {
    const found = traffic[name as keyof GpuTraffic];
    assert.ok(found <= most, `${what}: ${name} is ${found}, allowed is ${most}`);
  }
}

deviceTest("countGpuTraffic() counts calls, bytes and buffers that are held", async (device) => {
  const { gpu } = device as WebGpuDevice;
  const { result, traffic } = await countGpuTraffic(async () => {
    const tensor = device.tensor(Float32Array.of(1, 2, 3, 4, 5), [5]);
    const other = device.zeros([8]);
    gpu.queue.writeBuffer(
      gpu.createBuffer({ size: 16, usage: GPUBufferUsage.COPY_DST }),
      0,
      Uint32Array.of(1, 2, 3),
      1,
    );
    device.copy([{ from: tensor, fromElement: 1, into: other, intoElement: 0, count: 4 }]);
    const read = await other.read();
    tensor.dispose();
    other.dispose();
    return read;
  });
  assert.deepEqual(result, Float32Array.of(2, 3, 4, 5, 0, 0, 0, 0));
  assert.deepEqual(traffic, {
    devices: 0,
    buffers: 4, // one to read by
    heldBuffers: 1,
    heldBytes: 16,
    pipelines: 0,
    dispatches: 0,
    submissions: 2,
    writtenBytes: 20 + 8,
    readBytes: 32,
    hostWaits: 1,
  });
  const { traffic: none } = await countGpuTraffic(() => Promise.resolve());
  assert.deepEqual(new Set(Object.values(none)), new Set([0]));
}, gpuOnly);

deviceTest("a training step costs no more than it did", async (device) => {
  const trainer = await openSideNet(device, {}, { memory: smallMemory, dropout: 0.1 });
  const batches = randomBatches(6), next = inOrder(batches), { signal } = new AbortController();
  // Buffers of the first step are reused by the others, and the second is the first that finds a memory.
  for (let i = 0; i < 2; i++) await update(trainer, next);
  const state = await trainer.save();
  const { traffic: steps } = await countGpuTraffic(async () => {
    for (let i = 0; i < 4; i++) await trainer.advance(next, signal);
  });
  const { result: metrics, traffic: reading } = await countGpuTraffic(() =>
    Array.fromAsync(trainer.results())
  );
  assert.ok(steps.dispatches > 4 * 300, "ONNX Runtime's dispatches count");
  assertTraffic("4 training steps", steps, {
    pipelines: 0,
    dispatches: 4 * 390,
    submissions: 4 * 32,
    writtenBytes: 4 * 20_000,
    readBytes: 0,
    hostWaits: 0,
    heldBuffers: 4 * 2, // the loss and the squares of the gradients, until they are read
  });
  assertTraffic("reading their losses and gradients", reading, {
    dispatches: 0,
    submissions: 2,
    readBytes: 4 * 4 * (1 + state.parameters.size) + 24,
    hostWaits: 2, // for these, and for the check of the memory
    heldBuffers: 0,
  });
  await trainer.restore(state);
  const again = inOrder(batches.slice(2));
  for (const found of metrics) assert.deepEqual(found, await update(trainer, again));
  await trainer.close();
}, gpuOnly);

for (const storage of storageTypes) {
  deviceTest(`a pass with a memory in ${storage} costs no more than it did`, async (device) => {
    const backbone = smallBackbone(), sideNet = smallSideNet(backbone);
    const memory = { ...smallMemory, storage };
    const model = new LongMem(device, { backbone, sideNet, memory });
    const [{ tokens }] = randomBatches(1);
    for (let i = 0; i < 2; i++) await model.forward(tokens, { batch: 2 });
    const { result: { logits }, traffic } = await countGpuTraffic(() =>
      model.forward(tokens, { batch: 2 })
    );
    assertTraffic("a pass", traffic, {
      pipelines: 0,
      dispatches: 140,
      submissions: 15,
      writtenBytes: 9000,
      readBytes: 4 * logits.length + 24,
      hostWaits: 2,
    });
    await model.close();
  }, gpuOnly);
}

deviceTest("an index on the host reads no more from a GPU than what is written", async (device) => {
  const heads = 2, headDim = 3, tokens = 8;
  const index = { kind: "hnsw", m: 8, efConstruction: 20, efSearch: 20 } as const;
  const config = { ...smallMemory, capacityTokens: 2000, index };
  const memory = new MemoryBank(device, config, { rows: 1, heads, headDim });
  const outside = await followBank(memory, device, { seed: 1 });
  const numbers = new Float32Array(tokens * heads * headDim).fill(1);
  const tensor = device.tensor(numbers, [tokens, heads * headDim]);
  const { traffic } = await countGpuTraffic(() => memory.write(tensor, tensor));
  assertTraffic("an update", traffic, {
    readBytes: 4 * heads * headDim * tokens / config.chunkTokens + 24,
    hostWaits: 2, // for the keys, and for the check of the memory before
    heldBuffers: 0,
  });
  outside!.dispose();
  memory.dispose();
}, gpuOnly);
