/** The kernel updates parameters as the formulae of graph/adam.ts say, in double precision. */
import { createGpuAdam } from "../../src/training/gpu_adam.ts";
import type { WebGpuDevice } from "../../src/runtime/webgpu_device.ts";
import { Random } from "../../src/random.ts";
import { deviceTest } from "../graph/devices.ts";
import { assert, assertClose } from "../testing.ts";

const gpuOnly = { kinds: ["webgpu"] } as const;
const betas = [0.9, 0.98] as const, [beta1, beta2] = betas, epsilon = 1e-3;

for (const clipNorm of [undefined, 0.1, 1e6]) {
  deviceTest(`the kernel of Adam follows its formulae, clipped to ${clipNorm}`, async (device) => {
    const random = new Random("adam"), sizes = [1, 37, 300], steps = 4;
    const options = { betas, epsilon, ...(clipNorm !== undefined && { clipNorm }) };
    const adam = await createGpuAdam(device as WebGpuDevice, options);
    const draw = (size: number) => Float32Array.from({ length: size }, () => random.normal());
    const parameters = sizes.map((size) => {
      const start = draw(size), zeros = new Float64Array(size);
      const tensor = (data: Float32Array<ArrayBuffer>) => device.tensor(data, [size]);
      const means = () => ({ before: device.zeros([size]), after: tensor(draw(size)) });
      return {
        expected: [Float64Array.from(start), zeros, zeros.slice()],
        state: [{ before: tensor(start), after: device.zeros([size]) }, means(), means()],
      };
    });
    for (let step = 1; step <= steps; step++) {
      const gradients = sizes.map(draw);
      const squares = gradients.map((g) => g.reduce((sum, x) => sum + x * x, 0));
      const norm = Math.sqrt(squares.reduce((a, b) => a + b));
      const factor = clipNorm === undefined ? 1 : Math.min(1, clipNorm / (norm + 1e-6));
      const decay = Math.fround(1 - 0.1 / step);
      // The second parameter rests in step 3.
      const stepSizes = [0.3 / step, step === 3 ? undefined : 0.2, 0.3 / step];
      const updates = parameters.map(({ state: [parameter, mean, square] }, p) => ({
        gradient: device.tensor(gradients[p], [sizes[p]]),
        ...{ parameter, mean, square, stepSize: stepSizes[p] },
      }));
      adam(updates, { squares: device.tensor(Float32Array.from(squares), [3]), decay });
      for (const [p, { expected: [parameter, mean, square], state }] of parameters.entries()) {
        const stepSize = stepSizes[p];
        for (let i = 0; stepSize !== undefined && i < sizes[p]; i++) {
          const g = gradients[p][i] * factor;
          mean[i] = beta1 * mean[i] + (1 - beta1) * g;
          square[i] = beta2 * square[i] + (1 - beta2) * g ** 2;
          parameter[i] = parameter[i] * decay -
            stepSize * mean[i] / (Math.sqrt(square[i]) + epsilon);
        }
        state.forEach(({ before, after }, k) => state[k] = { before: after, after: before });
      }
    }
    for (const [p, { expected, state }] of parameters.entries()) {
      const found = await device.readAll(state.map(({ before }) => before)) as Float32Array[];
      found.forEach((values, k) =>
        assertClose(values, expected[k], { tolerance: 2e-6, name: `tensor ${k} of ${p}` })
      );
    }
  }, gpuOnly);
}

deviceTest("the kernel of Adam reaches the end of a large parameter", async (device) => {
  const size = 65_535 * 64 + 3;
  const adam = await createGpuAdam(device as WebGpuDevice, { betas, epsilon });
  const filled = (value: number) => device.tensor(new Float32Array(size).fill(value), [size]);
  const replaced = (value: number) => ({ before: filled(value), after: device.zeros([size]) });
  const [parameter, mean, square] = [replaced(5), replaced(0), replaced(0)];
  const updates = [{ gradient: filled(2), parameter, mean, square, stepSize: 0.5 }];
  adam(updates, { squares: device.tensor(Float32Array.of(4 * size), [1]), decay: 1 });
  const values = await parameter.after.read() as Float32Array;
  const expected = 5 - 0.5 * 0.2 / (Math.sqrt(0.02 * 4) + epsilon);
  for (const i of [0, 65_535 * 64 - 1, size - 1]) {
    assert.ok(Math.abs(values[i] - expected) < 1e-5, `${values[i]} at ${i}`);
  }
  for (const { before, after } of [parameter, mean, square]) {
    before.dispose();
    after.dispose();
  }
}, gpuOnly);
