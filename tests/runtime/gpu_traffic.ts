/**
 * Work of GPUs, counted at WebGPU's interface, so that ONNX Runtime's calls count as well as our own: costs of a step that a software
 * adapter shows as well as a real one.
 */

/** Calls and bytes of a stretch of a program. */
export interface GpuTraffic {
  /** Devices opened. */
  readonly devices: number;
  /** Buffers that were made, not those that a pool reused. */
  readonly buffers: number;
  /** Of these buffers, those that nobody has freed yet, and their bytes; a device frees its own when it is destroyed. */
  readonly heldBuffers: number;
  readonly heldBytes: number;
  readonly pipelines: number;
  readonly dispatches: number;
  readonly submissions: number;
  /** Bytes from the host to a GPU. */
  readonly writtenBytes: number;
  /** Bytes from a GPU to the host. */
  readonly readBytes: number;
  /** Times that the host waits for a GPU: it maps a buffer, or waits for the end of what it submitted. */
  readonly hostWaits: number;
}

/** The methods of a prototype, with the arguments that WebGPU specifies. */
// deno-lint-ignore no-explicit-any -- arguments and results of any method
type Methods = Record<string, (...args: any[]) => any>;

/**
 * Counts the work of GPUs while `run` runs, whichever code submits it. One count at a time.
 *
 * @returns The result of `run`, and the counts.
 */
export async function countGpuTraffic<T>(
  run: () => Promise<T>,
): Promise<{ result: T; traffic: GpuTraffic }> {
  const count = {
    devices: 0,
    buffers: 0,
    pipelines: 0,
    dispatches: 0,
    submissions: 0,
    writtenBytes: 0,
    readBytes: 0,
    hostWaits: 0,
  };
  const held = new Map<GPUBuffer, GPUDevice>();
  const undo: (() => void)[] = [];
  /** Calls `note` after a method, with its object, its result and its arguments. */
  function watch<O extends object>(
    { prototype }: { prototype: O },
    method: keyof O & string,
    // deno-lint-ignore no-explicit-any -- as the method's
    note: (object: O, result: any, ...args: any[]) => void,
  ): void {
    const methods = prototype as Methods, original = methods[method];
    methods[method] = function (this: O, ...args) {
      const result = original.apply(this, args);
      note(this, result, ...args);
      return result;
    };
    undo.push(() => methods[method] = original);
  }
  const dispatched = () => void count.dispatches++;
  const waited = () => void count.hostWaits++;
  const compiled = () => void count.pipelines++;

  watch(GPUAdapter, "requestDevice", () => void count.devices++);
  watch(GPUDevice, "createComputePipeline", compiled);
  watch(GPUDevice, "createComputePipelineAsync", compiled);
  watch(GPUDevice, "createBuffer", (device, buffer: GPUBuffer, { size, mappedAtCreation }) => {
    count.buffers++;
    held.set(buffer, device);
    if (mappedAtCreation) count.writtenBytes += size;
  });
  watch(GPUBuffer, "destroy", (buffer) => void held.delete(buffer));
  watch(GPUDevice, "destroy", (device) => {
    for (const [buffer, owner] of held) if (owner === device) held.delete(buffer);
  });
  watch(GPUComputePassEncoder, "dispatchWorkgroups", dispatched);
  watch(GPUComputePassEncoder, "dispatchWorkgroupsIndirect", dispatched);
  watch(GPUQueue, "submit", () => void count.submissions++);
  watch(GPUQueue, "writeBuffer", (_queue, _result, _buffer, _offset, data, from, size) => {
    const elementBytes = data.BYTES_PER_ELEMENT ?? 1;
    count.writtenBytes += size === undefined
      ? data.byteLength - (from ?? 0) * elementBytes
      : size * elementBytes;
  });
  watch(GPUQueue, "onSubmittedWorkDone", waited);
  watch(GPUBuffer, "mapAsync", (buffer, _result, mode, from = 0, size = buffer.size - from) => {
    waited();
    if (mode === GPUMapMode.READ) count.readBytes += size;
    else count.writtenBytes += size;
  });
  try {
    const result = await run();
    const heldBytes = held.keys().reduce((sum, { size }) => sum + size, 0);
    return { result, traffic: { ...count, heldBuffers: held.size, heldBytes } };
  } finally {
    for (const restore of undo.reverse()) restore();
  }
}

/** The counts as one line. */
export function describeTraffic(
  { dispatches, submissions, writtenBytes, readBytes, hostWaits }: GpuTraffic,
): string {
  return `${dispatches} dispatches in ${submissions} submissions, ${writtenBytes} bytes to the GPU, ` +
    `${readBytes} bytes from it, ${hostWaits} host waits`;
}
