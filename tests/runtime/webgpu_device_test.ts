import { deviceTest } from "../graph/devices.ts";
import type { WebGpuDevice } from "../../src/runtime/webgpu_device.ts";
import { assert } from "../testing.ts";

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
}, { kinds: ["webgpu"] });
