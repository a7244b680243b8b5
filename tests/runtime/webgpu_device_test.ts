import { deviceTest } from "../graph/devices.ts";
import type { WebGpuDevice } from "../../src/runtime/webgpu_device.ts";
import { assert } from "../testing.ts";

deviceTest("WebGpuDevice refuses a tensor that no shader could read", (device) => {
  const { maxBufferSize, maxStorageBufferBindingSize } = (device as WebGpuDevice).gpu.limits;
  const largest = Math.min(maxBufferSize, maxStorageBufferBindingSize);
  assert.throws(
    () => device.zeros([largest / 4 + 4]),
    {
      name: "RangeError",
      message:
        `Cannot make a tensor of shape [${
          largest / 4 + 4
        }] as this GPU reads at most ${largest} bytes of a buffer: ` +
        `current size is ${largest + 16}`,
    },
  );
  device.zeros([1024]).dispose();
  return Promise.resolve();
}, { kinds: ["webgpu"] });
