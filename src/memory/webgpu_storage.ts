import type { DeviceTensor } from "../runtime/device.ts";
import { compileOnce, dispatchGroups } from "../runtime/gpu_kernels.ts";
import { bufferOf, type WebGpuDevice } from "../runtime/webgpu_device.ts";
import type { BankShape } from "./bank_shape.ts";
import { checkChunks, checkSaved, meanKeyReader } from "./host_storage.ts";
import type { BankStorage, StorageOptions } from "./bank_storage.ts";
import { type OutOfRange, rangeError, storedLimit } from "./stored_range.ts";
import { emptyScore } from "./memory_graph.ts";
import { runsOf, type SlotRange } from "./ring.ts";
import code from "./bank.wgsl" with { type: "text" };
import { InputRangeError } from "../errors.ts";
import { elementCount } from "../tensor.ts";

/** Tensors whose numbers the kernel `write` may refuse, in the order of its buffer. */
const refusable = ["key", "value", "mean key"] as const satisfies OutOfRange["what"][];

/** Last component of the mean key of a stored chunk. */
const stored = Float32Array.of(0);

/** Stands for no element in that buffer. */
const noElement = 0xffff_ffff;

/** The buffer at first: for each, no element and size 0. */
const noRefusals = Uint32Array.from(
  { length: 2 * refusable.length },
  (_, i) => i % 2 === 0 ? noElement : 0,
);

/**
 * Keys and values in buffers of a GPU: float32, rounded to the type of the memory.
 */
export function createWebGpuStorage(
  device: WebGpuDevice,
  shape: BankShape,
  options: StorageOptions,
): BankStorage {
  const { gpu } = device;
  const { banks: G, heads: H, headDim: D, capacityChunks: P, chunkTokens: c } = shape;
  const tensors = {
    keys: device.zeros([G * H * P, c * D]),
    values: device.zeros([G * H * P, c * D]),
    meanKeys: device.zeros([G, H, D + 1, P]),
  };
  const refusedBits = new Uint32Array(Float32Array.of(storedLimit(options.type)).buffer)[0];
  const refusals = gpu.createBuffer({
    label: "refusals",
    size: 4 * noRefusals.length,
    usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
  });
  const refusalsOnHost = gpu.createBuffer({
    label: "refusals on the host",
    size: refusals.size,
    usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
  });
  const constants = {
    ...{ H, D, P, C: c },
    TYPE: ["float32", "float16", "int8"].indexOf(options.type),
    REFUSED_SIZE: refusedBits,
  };
  const { layout, ...pipelines } = compileOnce(
    gpu,
    ["bank.wgsl", constants],
    () => compileBankKernels(gpu, constants),
  );
  const nothing = [0, 1].map(() =>
    gpu.createBuffer({ label: "no source", size: 16, usage: GPUBufferUsage.STORAGE })
  );

  function dispatch(
    kernel: keyof typeof pipelines,
    bank: number,
    slots: SlotRange,
    source?: { keys: DeviceTensor; values: DeviceTensor; firstToken: number },
  ): void {
    if (slots.count === 0) return;
    const range = new ArrayBuffer(32);
    new Uint32Array(range).set([bank, slots.start, slots.count, source?.firstToken ?? 0]);
    new Float32Array(range)[4] = emptyScore;
    const uniform = gpu.createBuffer({
      label: "range",
      size: 32,
      usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    });
    gpu.queue.writeBuffer(uniform, 0, range);
    const buffers = [
      uniform,
      ...[tensors.keys, tensors.values, tensors.meanKeys].map(bufferOf),
      source ? bufferOf(source.keys) : nothing[0],
      source ? bufferOf(source.values) : nothing[1],
      refusals,
    ];
    const bindGroup = gpu.createBindGroup({
      layout,
      entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
    });
    const encoder = gpu.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipelines[kernel]);
    pass.setBindGroup(0, bindGroup);
    dispatchGroups(pass, Math.ceil(slots.count * H * D / 64));
    pass.end();
    gpu.queue.submit([encoder.finish()]);
    uniform.destroy();
    device.checkErrors();
  }

  function forgive(): void {
    gpu.queue.writeBuffer(refusals, 0, noRefusals);
  }

  /** The checks follow one another, as they have one buffer on the host. */
  let lastVerified: Promise<void> = Promise.resolve();
  function verify(): Promise<void> {
    return lastVerified = lastVerified.then(readRefusals, readRefusals);
  }

  async function readRefusals(): Promise<void> {
    const encoder = gpu.createCommandEncoder();
    encoder.copyBufferToBuffer(refusals, 0, refusalsOnHost, 0, refusals.size);
    gpu.queue.submit([encoder.finish()]);
    await refusalsOnHost.mapAsync(GPUMapMode.READ);
    const found = refusalsOnHost.getMappedRange().slice(0);
    refusalsOnHost.unmap();
    const elements = new Uint32Array(found), sizes = new Float32Array(found);
    for (const [i, what] of refusable.entries()) {
      if (elements[2 * i] === noElement) continue;
      throw rangeError(
        { what, element: elements[2 * i], largest: sizes[2 * i + 1] },
        { ...options, heads: H, headDim: D },
      );
    }
  }

  forgive();
  for (let bank = 0; bank < G; bank++) dispatch("clear", bank, { start: 0, count: P });
  return {
    tensors,
    take: (source) => Promise.resolve(source),
    verify,
    forgive,
    clear: (bank, slots) => dispatch("clear", bank, slots),
    write: (bank, slots, source) => dispatch("write", bank, slots, source),
    async save() {
      const copy = async (tensor: DeviceTensor) => ({
        shape: tensor.shape,
        data: await tensor.read() as Float32Array<ArrayBuffer>,
      });
      return {
        keys: await copy(tensors.keys),
        values: await copy(tensors.values),
        meanKeys: await copy(tensors.meanKeys),
      };
    },
    restore(saved) {
      const names = ["keys", "values", "meanKeys"] as const;
      for (const name of names) {
        checkSaved(saved[name], {
          size: elementCount(tensors[name].shape),
          type: name === "meanKeys" ? "float32" : options.type,
        });
      }
      for (const name of names) {
        gpu.queue.writeBuffer(bufferOf(tensors[name]), 0, saved[name].data);
      }
    },
    async reader(name) {
      const data = await tensors[name].read() as Float32Array;
      if (name === "meanKeys") return meanKeyReader(data, shape);
      const width = c * D;
      return (head, slot, out, at) => {
        const first = (head * P + slot) * width;
        out.set(data.subarray(first, first + width), at);
      };
    },
    put(bank, slots, chunks) {
      checkChunks(chunks, options);
      const { count } = slots;
      // Slots of one head lie side by side, chunks in a file do not.
      const side = (from: (i: number) => Float32Array, width: number) => {
        const data = new Float32Array(count * width);
        for (let i = 0; i < count; i++) data.set(from(i), i * width);
        return data;
      };
      const write = (tensor: DeviceTensor, data: Float32Array<ArrayBuffer>, row: number) => {
        const width = data.length / slots.count, buffer = bufferOf(tensor);
        for (const { slot, first, count } of runsOf(slots, P)) {
          const run = data.subarray(first * width, (first + count) * width);
          gpu.queue.writeBuffer(buffer, 4 * (row + slot * width), run);
        }
      };
      for (let h = 0; h < H; h++) {
        const head = bank * H + h;
        for (const name of ["keys", "values"] as const) {
          const width = c * D;
          const ofHead = (i: number) =>
            chunks[name].subarray((i * H + h) * width, (i * H + h + 1) * width);
          write(tensors[name], side(ofHead, width), head * P * width);
        }
        for (let d = 0; d <= D; d++) {
          const ofHead = (i: number) =>
            d < D ? chunks.meanKeys.subarray((i * H + h) * D + d, (i * H + h) * D + d + 1) : stored;
          write(tensors.meanKeys, side(ofHead, 1), (head * (D + 1) + d) * P);
        }
      }
    },
    dispose() {
      for (const tensor of Object.values(tensors)) tensor.dispose();
      for (const buffer of [...nothing, refusals, refusalsOnHost]) buffer.destroy();
    },
  };
}

/**
 * Refuses a bank that no kernel of the GPU could bind: its keys and values or, where these lie on the host, its mean keys.
 *
 * @throws RangeError with the size and the largest.
 */
export function checkGpuSize(
  { gpu: { limits } }: WebGpuDevice,
  { banks, heads, headDim, capacityChunks, chunkTokens }: BankShape,
  place: StorageOptions["place"],
): void {
  const width = place === "file" ? headDim + 1 : Math.max(chunkTokens * headDim, headDim + 1);
  const bytes = 4 * banks * heads * capacityChunks * width;
  if (bytes <= limits.maxStorageBufferBindingSize) return;
  throw new InputRangeError(
    `Cannot make a memory of ${banks} x ${
      capacityChunks * chunkTokens
    } tokens on this GPU as its keys take ${bytes} bytes: ` +
      `allowed are ${limits.maxStorageBufferBindingSize}; a smaller memory.capacityTokens or device cpu would help`,
  );
}

/** The kernels of `bank.wgsl`, and the buffers that they bind. */
function compileBankKernels(gpu: GPUDevice, constants: Record<string, number>) {
  const module = gpu.createShaderModule({ label: "bank.wgsl", code });
  const types = [
    "uniform",
    ...["storage", "storage", "storage"] as const,
    ...["read-only-storage", "read-only-storage"] as const,
    "storage",
  ] as const satisfies GPUBufferBindingType[];
  const layout = gpu.createBindGroupLayout({
    entries: types.map((type, binding) => ({
      binding,
      visibility: GPUShaderStage.COMPUTE,
      buffer: { type },
    })),
  });
  const pipeline = (entryPoint: string) =>
    gpu.createComputePipeline({
      label: `bank.wgsl ${entryPoint}`,
      layout: gpu.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module, entryPoint, constants },
    });
  return { layout, write: pipeline("write"), clear: pipeline("clear") };
}
