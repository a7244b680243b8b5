import type { DeviceTensor } from "../runtime/device.ts";
import { bind, compileKernels, dispatchGroups } from "../runtime/gpu_kernels.ts";
import { bufferOf, type WebGpuDevice } from "../runtime/webgpu_device.ts";
import { elementCount } from "../tensor.ts";
import code from "./adam.wgsl" with { type: "text" };
import type { StepOptions } from "./step_graph.ts";

/** A parameter, or one of its running means: its values, and where those after the step go. */
export interface Replaced {
  readonly before: DeviceTensor;
  readonly after: DeviceTensor;
}

/** What a step does to one parameter. */
export interface ParameterUpdate {
  readonly gradient: DeviceTensor;
  readonly parameter: Replaced;
  readonly mean: Replaced;
  readonly square: Replaced;
  /** As `AdamScalars.stepSize`; absent where it rests. */
  readonly stepSize: number | undefined;
}

/** Updates parameters on a GPU. */
export type GpuAdam = (
  updates: readonly ParameterUpdate[],
  options: { squares: DeviceTensor; decay: number },
) => void;

/** What decides the kernel's results, for the hash of a training. */
export function gpuAdamSource(options: StepOptions): string {
  return JSON.stringify([code, constantsOf(options)]);
}

/**
 * The update of parameters as a kernel, one dispatch for each of them: as operators of the graph it takes twelve and more.
 *
 * @throws Error with the driver's message where the kernel does not compile.
 */
export async function createGpuAdam(device: WebGpuDevice, options: StepOptions): Promise<GpuAdam> {
  const { gpu } = device;
  const constants = { update: constantsOf(options) };
  const { update } = await compileKernels(gpu, { file: "adam.wgsl", code }, constants);
  return (updates, { squares, decay }) => {
    const uniforms = new Map<number, GPUBuffer>();
    const uniformOf = (stepSize: number) => {
      const known = uniforms.get(stepSize);
      if (known) return known;
      const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
      const uniform = gpu.createBuffer({ label: "step", size: 16, usage });
      gpu.queue.writeBuffer(uniform, 0, Float32Array.of(stepSize, decay));
      uniforms.set(stepSize, uniform);
      return uniform;
    };
    const copies: Replaced[] = [];
    const encoder = gpu.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(update);
    for (const { gradient, parameter, mean, square, stepSize } of updates) {
      if (stepSize === undefined) {
        copies.push(parameter, mean, square);
        continue;
      }
      const bindings = [uniformOf(stepSize), squares, gradient];
      bindings.push(parameter.before, mean.before, square.before);
      bindings.push(parameter.after, mean.after, square.after);
      pass.setBindGroup(0, bind(gpu, update, { ...bindings }));
      dispatchGroups(pass, Math.ceil(elementCount(gradient.shape) / 64));
    }
    pass.end();
    for (const { before, after } of copies) {
      const bytes = 4 * elementCount(before.shape);
      encoder.copyBufferToBuffer(bufferOf(before), 0, bufferOf(after), 0, bytes);
    }
    gpu.queue.submit([encoder.finish()]);
    for (const uniform of uniforms.values()) uniform.destroy();
    device.checkErrors();
  };
}

function constantsOf({ betas: [beta1, beta2], epsilon, clipNorm = 0 }: StepOptions) {
  return { BETA1: beta1, BETA2: beta2, EPSILON: epsilon, CLIP_NORM: clipNorm };
}
