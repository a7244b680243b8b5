import os from "node:os";
import { threadsByDefault } from "../../src/runtime/host_device.ts";
import { isSoftware, openDevice } from "../../src/runtime/open_device.ts";
import { deviceTest, testedDevice, unusableAdapter } from "../graph/devices.ts";
import { assert, test } from "../testing.ts";

test("isSoftware() tells adapters that compute on the CPU", () => {
  const adapter = (info: Partial<GPUAdapterInfo>) =>
    ({
      info: { vendor: "", architecture: "", device: "", description: "", ...info },
    }) as GPUAdapter;
  for (
    const info of [
      { description: "llvmpipe (LLVM 19.1.7, 256 bits)" },
      { vendor: "mesa", device: "lavapipe" },
      { vendor: "google", architecture: "swiftshader" },
      { description: "Microsoft Basic Render Driver" },
      { description: "WARP" },
    ]
  ) assert.ok(isSoftware(adapter(info)), JSON.stringify(info));
  for (
    const info of [
      { vendor: "nvidia", architecture: "hopper", description: "NVIDIA H100 80GB HBM3" },
      { vendor: "amd", description: "AMD Radeon RX 7900 XTX (RADV NAVI31)" },
      { vendor: "apple", architecture: "metal-3" },
      { description: "Quadro warped edition" },
    ]
  ) assert.ok(!isSoftware(adapter(info)), JSON.stringify(info));
});

test("openDevice() says which engine auto took and why", async () => {
  const device = await openDevice("auto", { threads: 1 });
  assert.match(device.reason, /^auto: WebGPU('s adapter is a software one| has )/);
  assert.equal(device.kind === "webgpu", /has a hardware adapter/.test(device.reason));
  if (device.kind === "cpu") assert.match(device.description, /, 1 thread, onnxruntime-node$/);
  await device.close();
});

test("openDevice() takes the threads of LONGMEM_THREADS, or one per core", async () => {
  assert.equal(threadsByDefault("3"), 3);
  assert.equal(threadsByDefault(undefined), os.cpus().length);
  for (const text of ["", "0", "1.5", "two", "1025", "-1"]) {
    assert.throws(() => threadsByDefault(text), {
      name: "RangeError",
      message:
        /^Cannot read LONGMEM_THREADS: current value is ".*", allowed are integers from 1 to 1024$/,
    });
  }
  const device = await openDevice("cpu");
  const threads = threadsByDefault(Deno.env.get("LONGMEM_THREADS"));
  assert.ok(device.description.includes(`, ${threads} thread`), device.description);
  await device.close();
});

deviceTest("Tensors keep every element type, and zeros are zero", async (device) => {
  const values = {
    float32: Float32Array.of(1.5, -2, 3e38),
    int32: Int32Array.of(-5, 2 ** 31 - 1, 0),
    int64: BigInt64Array.of(-1n, 2n ** 40n, 7n),
    float16: Uint16Array.of(0x3c00, 0xc000, 0x7bff), // an odd number of 2-byte elements
    bool: Uint8Array.of(1, 0, 1),
  } as const;
  for (const [type, data] of Object.entries(values)) {
    const tensor = device.tensor(data, [3, 1], type as keyof typeof values);
    assert.equal(tensor.type, type);
    assert.deepEqual(tensor.shape, [3, 1]);
    assert.deepEqual([...await tensor.read()], [...data], type);
    const zeros = device.zeros([3], type as keyof typeof values);
    assert.deepEqual([...await zeros.read()].map(Number), [0, 0, 0], type);
    tensor.dispose();
    zeros.dispose();
  }
});

deviceTest("Device.tensor() refuses data that do not fill the shape", (device) => {
  assert.throws(() => device.tensor(Float32Array.of(1, 2, 3), [2, 2]), {
    name: "RangeError",
    message: "Cannot make a tensor of shape [2,2] from 3 elements",
  });
  return Promise.resolve();
});

deviceTest("A device that is asked for is the one that opens", async (device) => {
  assert.equal(device.reason, "asked for");
  assert.equal(await testedDevice(device.kind), device);
  assert.ok(device.blockBytes >= 2 ** 20);
});

test("unusableAdapter() names the reason and the package that helps", () => {
  const adapter = (description: string, ...features: string[]) =>
    ({
      info: { vendor: "", architecture: "", device: "", description },
      features: new Set(features),
    }) as unknown as GPUAdapter;
  const vulkan = ["shader-f16", "float32-filterable"];
  assert.equal(unusableAdapter(adapter("llvmpipe (LLVM 15.0.6, 256 bits)", ...vulkan)), undefined);
  assert.equal(unusableAdapter(adapter("NVIDIA H100 80GB HBM3")), undefined);
  assert.match(
    unusableAdapter(adapter("llvmpipe (LLVM 15.0.6, 256 bits)"))!,
    /OpenGL's software one \("llvmpipe .*apt-get install mesa-vulkan-drivers/,
  );
  assert.match(unusableAdapter(null)!, /no adapter here; .*apt-get install mesa-vulkan-drivers/);
});
