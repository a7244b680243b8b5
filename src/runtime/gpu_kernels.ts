import { elementCount } from "../tensor.ts";
import type { DeviceTensor } from "./device.ts";
import { bufferOf, type WebGpuDevice } from "./webgpu_device.ts";

/** Compiled kernels of each GPU, by their keys: compiling takes long, and a process has one device of a GPU. */
const compiled = new WeakMap<GPUDevice, Map<string, unknown>>();

/**
 * Compiles kernels for a GPU, or returns those that were compiled before.
 *
 * @param key The same for the same kernels: file, entry points and constants.
 */
export function compileOnce<T>(gpu: GPUDevice, key: unknown, compile: () => T): T {
  const known = compiled.get(gpu) ?? new Map<string, unknown>();
  compiled.set(gpu, known);
  const name = JSON.stringify(key);
  if (known.has(name)) return known.get(name) as T;
  const kernels = compile();
  known.set(name, kernels);
  if (kernels instanceof Promise) kernels.catch(() => known.delete(name));
  return kernels;
}

/** Most workgroups of a dispatch along one axis. */
const mostGroups = 65_535;

/** Dispatches at least so many workgroups, in rows where they are more than an axis has: number x + y * (groups of a row). */
export function dispatchGroups(pass: GPUComputePassEncoder, groups: number): void {
  const x = Math.min(groups, mostGroups);
  pass.dispatchWorkgroups(x, Math.ceil(groups / x));
}

/** Tensors of 32-bit numbers, and buffers, that a kernel reads and writes, by their binding numbers. */
export type Bindings = Readonly<Record<number, DeviceTensor | GPUBuffer>>;

/** Binds them for a kernel whose layout follows from its code. */
export function bind(gpu: GPUDevice, kernel: GPUComputePipeline, bindings: Bindings): GPUBindGroup {
  return gpu.createBindGroup({
    layout: kernel.getBindGroupLayout(0),
    entries: Object.entries(bindings).map(([binding, bound]) => ({
      binding: Number(binding),
      resource: "shape" in bound
        ? { buffer: bufferOf(bound), size: 4 * elementCount(bound.shape) }
        : { buffer: bound },
    })),
  });
}

/** A dispatch of a kernel. */
export interface KernelRun {
  readonly kernel: GPUComputePipeline;
  readonly bindings: Bindings;
  /** Workgroups: so many as {@linkcode dispatchGroups} has it, or along each axis. */
  readonly groups: number | readonly [x: number, y: number, z: number];
}

/**
 * Runs kernels one after the other, in one submission.
 *
 * @param uniform Contents of binding 0 of all of them, a multiple of 16 bytes.
 * @throws Error that the driver has reported.
 */
export function runKernels(
  device: WebGpuDevice,
  runs: readonly KernelRun[],
  uniform?: ArrayBuffer,
): void {
  const { gpu } = device;
  const own = uniform && gpu.createBuffer({
    label: "uniform",
    size: uniform.byteLength,
    usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
  });
  if (own) gpu.queue.writeBuffer(own, 0, uniform);
  const encoder = gpu.createCommandEncoder(), pass = encoder.beginComputePass();
  for (const { kernel, bindings, groups } of runs) {
    pass.setPipeline(kernel);
    pass.setBindGroup(0, bind(gpu, kernel, own ? { ...bindings, 0: own } : bindings));
    if (typeof groups === "number") dispatchGroups(pass, groups);
    else pass.dispatchWorkgroups(...groups);
  }
  pass.end();
  gpu.queue.submit([encoder.finish()]);
  own?.destroy();
  device.checkErrors();
}

/**
 * The pipelines of a WGSL module's entry points, whose layouts follow from the code; compiled once for a GPU.
 *
 * @param constants The overridable constants of each entry point.
 * @throws Error with the driver's message where they do not compile.
 */
export function compileKernels<E extends string>(
  gpu: GPUDevice,
  { file, code }: { file: string; code: string },
  constants: Readonly<Record<E, Record<string, number>>>,
): Promise<Record<E, GPUComputePipeline>> {
  return compileOnce(gpu, [file, constants], async () => {
    gpu.pushErrorScope("validation");
    const module = gpu.createShaderModule({ label: file, code });
    const pipelines = {} as Record<E, GPUComputePipeline>;
    for (const entryPoint in constants) {
      pipelines[entryPoint] = gpu.createComputePipeline({
        label: `${file} ${entryPoint}`,
        layout: "auto",
        compute: { module, entryPoint, constants: constants[entryPoint] },
      });
    }
    const failure = await gpu.popErrorScope();
    if (failure) throw new Error(`Cannot compile ${file}: ${failure.message}`);
    return pipelines;
  });
}
