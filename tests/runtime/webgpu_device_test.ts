import { deviceTest } from "../graph/devices.ts";
import { LongMem } from "../../src/longmem/longmem.ts";
import { compileOnce } from "../../src/runtime/gpu_kernels.ts";
import { openDevice } from "../../src/runtime/open_device.ts";
import type { WebGpuDevice } from "../../src/runtime/webgpu_device.ts";
import { assert, test } from "../testing.ts";
import {
  randomBatches,
  smallBackbone,
  smallMemory,
  smallSideNet,
} from "../training/small_training.ts";
import { countGpuTraffic } from "./gpu_traffic.ts";

const gpuOnly = { kinds: ["webgpu"] } as const;

deviceTest("WebGpuDevice refuses a tensor that no buffer could hold", (device) => {
  const { maxBufferSize } = (device as WebGpuDevice).gpu.limits;
  const size = Math.floor(maxBufferSize / 4) + 4;
  assert.throws(
    () => device.zeros([size]),
    {
      name: "RangeError",
      message:
        `Cannot make a tensor of shape [${size}] as this GPU's buffers end at ${maxBufferSize} bytes: ` +
        `current size is ${Math.ceil(size / 4) * 16}`,
    },
  );
  device.zeros([1024]).dispose();
  return Promise.resolve();
}, gpuOnly);

deviceTest("models opened one after the other share a GPU device and leave nothing", async () => {
  const backbone = smallBackbone(), sideNet = smallSideNet(backbone);
  const loadAndPass = async () => {
    const device = await openDevice("webgpu");
    const parts = { backbone, sideNet, memory: smallMemory };
    const model = new LongMem(device, parts, { ownsDevice: true });
    const { logits } = await model.forward(randomBatches(1)[0].tokens, { batch: 2 });
    device.zeros([1024]); // left to the device
    await model.close();
    return logits;
  };
  const first = await loadAndPass();
  const { result: second, traffic } = await countGpuTraffic(loadAndPass);
  assert.deepEqual(second, first);
  assert.ok(traffic.buffers > 50, "the model used the GPU");
  assert.equal(traffic.devices, 0);
  assert.deepEqual([traffic.heldBuffers, traffic.heldBytes], [0, 0]);
  assert.ok(traffic.pipelines <= 26, "pipelines of our own are kept");
}, gpuOnly);

deviceTest("closing a GPU device leaves the tensors of another", async () => {
  const other = await openDevice("webgpu"), kept = other.tensor(Float32Array.of(3), [1]);
  const { traffic } = await countGpuTraffic(async () => {
    const one = await openDevice("webgpu");
    for (let i = 0; i < 3; i++) one.zeros([8]);
    one.zeros([8]).dispose();
    await one.close();
  });
  assert.deepEqual([traffic.buffers, traffic.heldBuffers], [4, 0]);
  assert.deepEqual(await kept.read(), Float32Array.of(3));
  await other.close();
}, gpuOnly);

test("compileOnce() compiles again what is for another GPU, has other constants, or failed", async () => {
  const gpu = {} as GPUDevice;
  let count = 0;
  const compile = () => ++count;
  assert.equal(compileOnce(gpu, ["file", { D: 1 }], compile), 1);
  assert.equal(compileOnce(gpu, ["file", { D: 1 }], compile), 1);
  assert.equal(compileOnce(gpu, ["file", { D: 2 }], compile), 2);
  assert.equal(compileOnce({} as GPUDevice, ["file", { D: 1 }], compile), 3);
  const failing = () => Promise.reject(new Error(`failure ${++count}`));
  await assert.rejects(compileOnce(gpu, "broken", failing), { message: "failure 4" });
  await assert.rejects(compileOnce(gpu, "broken", failing), { message: "failure 5" });
});
