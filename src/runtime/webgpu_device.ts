import { type EngineModules, importEngine } from "../engine_packages.ts";
import type { Program } from "../graph/onnx.ts";
import { Turns } from "../turns.ts";
import { elementCount, type ElementType } from "../tensor.ts";
import {
  type CompileOptions,
  type Device,
  type DeviceTensor,
  type ElementCopy,
  elementType,
  type HostArray,
  hostArrays,
  type Session,
  type Tensors,
} from "./device.ts";
import { checkedFeeds, type SessionInput, sessionInputs } from "./feeds.ts";
import { createSession } from "./host_device.ts";
import { InputRangeError, messageOf } from "../errors.ts";

type Ort = EngineModules["webgpu"];
type OrtTensor = InstanceType<Ort["Tensor"]>;

/** A GPU device that also gives its WebGPU objects to our own kernels. */
export interface WebGpuDevice extends Device {
  readonly kind: "webgpu";
  readonly gpu: GPUDevice;
  /** Most bytes of a buffer that a kernel binds. */
  readonly bindingBytes: number;
  /** Whether WebGPU works by OpenGL here, as far as an adapter shows it: that lacks a feature which the other interfaces have. */
  readonly isOpenGl: boolean;
  /** A tensor in a buffer of our own. */
  fromBuffer(buffer: GPUBuffer, shape: readonly number[], type: ElementType): DeviceTensor;
  /** Throws the errors that the driver reported since the last call. */
  checkErrors(): void;
}

/** The buffer in which a tensor of the GPU lies. */
export function bufferOf(tensor: DeviceTensor): GPUBuffer {
  return (tensor as WebGpuTensor).ortTensor.gpuBuffer as GPUBuffer;
}

/** Most bytes that tensors share a buffer for, on their way to the host. */
const readAtOnceBytes = 64 * 2 ** 20;

/** ORT Web runs one call at a time, over all sessions. */
const calls = new Turns();

/** Opens onnxruntime-web's WebGPU provider on an adapter. */
export async function openWebGpuDevice(
  adapter: GPUAdapter,
  options: { reason: string },
): Promise<WebGpuDevice> {
  const gpu = await (shared ??= requestDevice(adapter));
  const ort = await importEngine("webgpu");
  ort.env.wasm.numThreads = 1;
  return new OrtWebGpuDevice(ort, gpu, adapter, options.reason);
}

/** The GPU's device of this process. Another one for each model would stay, as ONNX Runtime keeps every device that it has seen. */
let shared: Promise<GPUDevice> | undefined;

/** Opens a device with all that the adapter has; the next call follows the loss of this one. */
async function requestDevice(adapter: GPUAdapter): Promise<GPUDevice> {
  try {
    const gpu = await requestWholeDevice(adapter);
    gpu.lost.then(() => shared = undefined);
    return gpu;
  } catch (error) {
    shared = undefined;
    throw error;
  }
}

function requestWholeDevice(adapter: GPUAdapter): Promise<GPUDevice> {
  const limits = [
    "maxStorageBufferBindingSize",
    "maxBufferSize",
    "maxComputeWorkgroupStorageSize",
    "maxStorageBuffersPerShaderStage",
    "maxComputeInvocationsPerWorkgroup",
    "maxComputeWorkgroupSizeX",
    "maxComputeWorkgroupSizeY",
    "maxComputeWorkgroupsPerDimension",
  ] as const;
  return adapter.requestDevice({
    requiredFeatures: (["shader-f16", "subgroups"] as GPUFeatureName[]).filter((name) =>
      adapter.features.has(name)
    ),
    requiredLimits: Object.fromEntries(limits.map((name) => [name, adapter.limits[name]])),
  });
}

class OrtWebGpuDevice implements WebGpuDevice {
  readonly kind = "webgpu";
  readonly runsAhead = true;
  readonly description: string;
  readonly blockBytes: number;
  readonly bindingBytes: number;
  readonly isOpenGl: boolean;
  readonly hasFloat16: boolean;
  /** Buffers of tensors that have not been disposed. */
  readonly #buffers = new Set<GPUBuffer>();
  #error: Error | undefined;

  constructor(
    readonly ort: Ort,
    readonly gpu: GPUDevice,
    adapter: GPUAdapter,
    readonly reason: string,
  ) {
    const { vendor, architecture, device, description } = adapter.info;
    this.description =
      [vendor, architecture, device, description].filter((part) => part).join(" ") ||
      "unknown adapter";
    this.hasFloat16 = gpu.features.has("shader-f16");
    this.isOpenGl = !adapter.features.has("bgra8unorm-storage");
    const { maxStorageBufferBindingSize, maxBufferSize } = gpu.limits;
    this.bindingBytes = Math.min(maxStorageBufferBindingSize, maxBufferSize);
    // Half of a binding, as blocks of logits are twice as large. Beyond a binding some operators of onnxruntime-web 1.30 (Softmax,
    // Where) compute nonsense without an error.
    this.blockBytes = Math.min(this.bindingBytes / 2, 128 * 2 ** 20);
    gpu.addEventListener("uncapturederror", this.#noteError);
    const handle = new WeakRef(this); // the device outlives it
    gpu.lost.then(({ message, reason }) => handle.deref()?.noteLoss(message, reason));
  }

  /** Notes an error of the driver: of whichever model's calls, as these share the device. */
  readonly #noteError = (event: Event) => {
    event.preventDefault();
    const { message } = (event as GPUUncapturedErrorEvent).error;
    this.#error ??= new Error(`WebGPU reported an error: ${message}`);
  };

  noteLoss(message: string, reason: string): void {
    this.#error ??= new Error(`WebGPU lost its device (${reason}): ${message}`);
  }

  async compile(
    program: Program,
    options: CompileOptions = {},
  ): Promise<Session> {
    const locations: Record<string, "cpu" | "gpu-buffer"> = {};
    for (const name of program.outputs.keys()) {
      locations[name] = options.hostOutputs?.includes(name) ? "cpu" : "gpu-buffer";
    }
    const session = await calls.take(() =>
      createSession(this.ort as unknown as EngineModules["cpu"], program, {
        // deno-lint-ignore no-explicit-any -- the types of the native package lack this provider's options
        executionProviders: [{ name: "webgpu", device: this.gpu } as any],
        preferredOutputLocation: locations,
      })
    );
    this.checkErrors();
    return new WebGpuSession(this, session, sessionInputs(program));
  }

  tensor(
    data: HostArray,
    shape: readonly number[],
    type: ElementType = elementType(data),
  ): DeviceTensor {
    if (data.length !== elementCount(shape)) {
      throw new RangeError(
        `Cannot make a tensor of shape [${shape}] from ${data.length} elements`,
      );
    }
    const buffer = this.#buffer(shape, type);
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const aligned = bytes.length % 4 === 0
      ? bytes
      : new Uint8Array(Math.ceil(bytes.length / 4) * 4);
    if (aligned !== bytes) aligned.set(bytes);
    this.gpu.queue.writeBuffer(buffer, 0, aligned);
    return this.fromBuffer(buffer, shape, type);
  }

  zeros(shape: readonly number[], type: ElementType = "float32"): DeviceTensor {
    return this.fromBuffer(this.#buffer(shape, type), shape, type); // WebGPU clears new buffers
  }

  fromBuffer(buffer: GPUBuffer, shape: readonly number[], type: ElementType): DeviceTensor {
    const tensor = this.ort.Tensor.fromGpuBuffer(buffer as never, {
      dataType: type as "float32",
      dims: [...shape],
    });
    return new WebGpuTensor(this, tensor as OrtTensor, shape, type, buffer);
  }

  async readAll(tensors: readonly DeviceTensor[]): Promise<HostArray[]> {
    const arrays = tensors.map((tensor) => (tensor as WebGpuTensor).hostArray);
    const parts: { i: number; source: GPUBuffer; offset: number; bytes: number }[] = [];
    let size = 0;
    const read = async () => {
      if (size === 0) return;
      const data = await this.#copyToHost(parts, size);
      for (const { i, offset, bytes } of parts) {
        arrays[i] = new hostArrays[tensors[i].type](data.slice(offset, offset + bytes));
      }
      parts.length = size = 0;
    };
    for (const [i, { shape, type }] of tensors.entries()) {
      if (arrays[i]) continue;
      const bytes = elementCount(shape) * hostArrays[type].BYTES_PER_ELEMENT;
      if (size + bytes > readAtOnceBytes) await read();
      parts.push({ i, source: bufferOf(tensors[i]), offset: size, bytes });
      size += Math.ceil(bytes / 4) * 4;
    }
    await read();
    return arrays as HostArray[];
  }

  /** Copies the beginnings of buffers to places of one array. */
  async #copyToHost(
    parts: readonly { source: GPUBuffer; offset: number; bytes: number }[],
    size: number,
  ): Promise<ArrayBuffer> {
    const { gpu } = this;
    const usage = GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ;
    const staging = gpu.createBuffer({ label: "read", size, usage });
    try {
      const encoder = gpu.createCommandEncoder();
      for (const { source, offset, bytes } of parts) {
        encoder.copyBufferToBuffer(source, 0, staging, offset, Math.ceil(bytes / 4) * 4);
      }
      gpu.queue.submit([encoder.finish()]);
      await staging.mapAsync(GPUMapMode.READ);
      const data = staging.getMappedRange().slice(0);
      staging.unmap();
      this.checkErrors();
      return data;
    } finally {
      staging.destroy();
    }
  }

  copy(copies: readonly ElementCopy[]): void {
    const encoder = this.gpu.createCommandEncoder();
    for (const { from, fromElement, into, intoElement, count } of copies) {
      encoder.copyBufferToBuffer(
        bufferOf(from),
        4 * fromElement,
        bufferOf(into),
        4 * intoElement,
        4 * count,
      );
    }
    this.gpu.queue.submit([encoder.finish()]);
    this.checkErrors();
  }

  #buffer(shape: readonly number[], type: ElementType): GPUBuffer {
    const bytes = elementCount(shape) * hostArrays[type].BYTES_PER_ELEMENT;
    const size = Math.ceil(bytes / 16) * 16;
    // Beyond one binding ONNX Runtime splits its inputs; Softmax and Where do not, and graphs keep theirs below it.
    if (size > this.gpu.limits.maxBufferSize) {
      throw new InputRangeError(
        `Cannot make a tensor of shape [${shape}] as this GPU's buffers end at ${this.gpu.limits.maxBufferSize} bytes: current size is ${size}`,
      );
    }
    const buffer = this.gpu.createBuffer({
      label: `tensor [${shape}]`,
      size,
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    });
    this.#buffers.add(buffer);
    return buffer;
  }

  /** Frees the buffer of a tensor. */
  free(buffer: GPUBuffer): void {
    buffer.destroy();
    this.#buffers.delete(buffer);
  }

  checkErrors(): void {
    const error = this.#error;
    this.#error = undefined;
    if (error) throw error;
  }

  async close(): Promise<void> {
    await calls.take(() => Promise.resolve());
    for (const buffer of this.#buffers) this.free(buffer);
    this.gpu.removeEventListener("uncapturederror", this.#noteError);
  }
}

class WebGpuTensor implements DeviceTensor {
  constructor(
    readonly device: OrtWebGpuDevice,
    readonly ortTensor: OrtTensor,
    readonly shape: readonly number[],
    readonly type: ElementType,
    /** A buffer of our own; absent for results, which ONNX Runtime owns. */
    readonly ownBuffer?: GPUBuffer,
  ) {}

  /** The values, where ONNX Runtime has copied them to the host already. */
  get hostArray(): HostArray | undefined {
    return this.ortTensor.location === "cpu" ? this.ortTensor.data as HostArray : undefined;
  }

  async read(): Promise<HostArray> {
    const [data] = await this.device.readAll([this]);
    return data;
  }

  dispose(): void {
    if (this.ownBuffer) this.device.free(this.ownBuffer);
    else this.ortTensor.dispose();
  }
}

class WebGpuSession implements Session {
  constructor(
    readonly device: OrtWebGpuDevice,
    readonly session: Awaited<ReturnType<EngineModules["cpu"]["InferenceSession"]["create"]>>,
    readonly inputs: readonly SessionInput[],
  ) {}

  async run(feeds: Tensors, into: Tensors = {}): Promise<Tensors> {
    const ortFeeds: Record<string, OrtTensor> = {};
    for (const [name, tensor] of Object.entries(checkedFeeds(this.inputs, feeds))) {
      ortFeeds[name] = (tensor as WebGpuTensor).ortTensor;
    }
    const fetches: Record<string, OrtTensor | null> = {};
    for (const name of this.session.outputNames) {
      fetches[name] = (into[name] as WebGpuTensor | undefined)?.ortTensor ?? null;
    }
    const results = await calls.take(async () => {
      try {
        return await this.session.run(ortFeeds as never, fetches as never);
      } catch (error) {
        this.device.checkErrors();
        throw new Error(`Cannot run a graph on WebGPU: ${messageOf(error)}`, { cause: error });
      }
    });
    this.device.checkErrors();
    const outputs: Tensors = {};
    for (const [name, result] of Object.entries(results as unknown as Record<string, OrtTensor>)) {
      outputs[name] = into[name] ??
        new WebGpuTensor(this.device, result, result.dims, result.type as ElementType);
    }
    return outputs;
  }

  async close(): Promise<void> {
    await calls.take(() => this.session.release());
  }
}
