import { type EngineModules, importEngine } from "../engine_packages.ts";
import { allottedCores } from "../cluster/cluster_task.ts";
import { encodeOnnx, type Program } from "../graph/onnx.ts";
import { elementCount, type ElementType } from "../tensor.ts";
import {
  type Device,
  type DeviceKind,
  type DeviceTensor,
  elementType,
  type HostArray,
  hostArrays,
  mostThreads,
  type Session,
  type Tensors,
} from "./device.ts";
import { InputRangeError, messageOf } from "../errors.ts";
import { checkedFeeds, type SessionInput, sessionInputs } from "./feeds.ts";
import { counted } from "../quantities.ts";
import { environmentVariable, machineCores, processorName } from "../system.ts";

type Ort = EngineModules["cpu"];
type OrtTensor = InstanceType<Ort["Tensor"]>;
/** Options of creating a session. */
type SessionOptions = NonNullable<Parameters<Ort["InferenceSession"]["create"]>[1]>;

/** How a host engine runs. */
export interface HostDeviceOptions {
  reason: string;
  /** Threads of one operator of the `cpu` engine; the default is LONGMEM_THREADS, or one for each core that the process may use. */
  threads?: number | undefined;
}

/** Opens onnxruntime-node (native code) or onnxruntime-web's WebAssembly build. */
export async function openHostDevice(
  kind: Exclude<DeviceKind, "webgpu">,
  options: HostDeviceOptions,
): Promise<Device> {
  const ort = await loadOrt(kind);
  const threads = kind === "cpu"
    ? options.threads ?? threadsByDefault(environmentVariable("LONGMEM_THREADS"))
    : 1;
  return {
    kind,
    description: kind === "cpu"
      ? `${processorName() ?? "unknown processor"}, ${counted(threads, "thread")}, onnxruntime-node`
      : "WebAssembly, 1 thread, onnxruntime-web",
    reason: options.reason,
    blockBytes: 2 * 2 ** 20, // two cores' second-level caches
    runsAhead: false,
    hasFloat16: true,
    fusedQueries: 128,
    async compile(program) {
      const session = await createSession(ort, program, {
        executionProviders: [kind],
        intraOpNumThreads: threads,
        interOpNumThreads: 1,
        // Reusing freed blocks by size is enough; patterns would hold the largest run's memory twice.
        enableMemPattern: false,
        extra: {
          session: {
            // ALiBi's far ends give probabilities around 1e-40, and arithmetic with such numbers takes a hundred times as long.
            // The engine sets this for the calling thread, too, once and for good: from the first session on, JavaScript takes
            // float64 below 2.2e-308 and float32 below 1.2e-38 for 0 (5e-324 > 0 is false). float16's smallest numbers stay.
            set_denormal_as_zero: "1",
            // How long threads that have nothing to do keep their processors. By default it is tens of milliseconds, in which another
            // session, as of passes that read and passes that score, shares the processors with them.
            intra_op: { spin_duration_us: "500" },
          },
        },
      });
      return new HostSession(ort, session, sessionInputs(program), kind);
    },
    tensor: (data, shape, type) =>
      new HostTensorOnDevice(ort, data, shape, type ?? elementType(data)),
    zeros: (shape, type = "float32") =>
      new HostTensorOnDevice(ort, new hostArrays[type](elementCount(shape)), shape, type),
    readAll: (tensors) => Promise.all(tensors.map((tensor) => tensor.read())),
    copy(copies) {
      for (const { from, fromElement, into, intoElement, count } of copies) {
        const source = (from as HostTensorOnDevice).data as Float32Array;
        const target = (into as HostTensorOnDevice).data as Float32Array;
        target.set(source.subarray(fromElement, fromElement + count), intoElement);
      }
    },
    close: () => Promise.resolve(),
  };
}

/**
 * Threads of an operator where nobody says how many.
 *
 * @param text The value of LONGMEM_THREADS; undefined: one for each core that the process may use.
 * @throws {RangeError} If it is not a number of threads.
 */
export function threadsByDefault(text: string | undefined): number {
  // Those of the process's job, where a cluster runs it, and its affinity.
  if (text === undefined) return Math.min(allottedCores() ?? Infinity, machineCores());
  const threads = Number(text);
  if (/^\d+$/.test(text) && threads >= 1 && threads <= mostThreads) return threads;
  throw new InputRangeError(
    `Cannot read LONGMEM_THREADS: current value is "${text}", allowed are integers from 1 to ${mostThreads}`,
  );
}

async function loadOrt(kind: "cpu" | "wasm"): Promise<Ort> {
  if (kind === "cpu") return await importEngine("cpu");
  const ort = await importEngine("wasm");
  ort.env.wasm.numThreads = 1; // the threaded build starts blob workers, which Deno refuses
  return ort as unknown as Ort;
}

/** Compiles, and turns an engine's failure into an error that names the graph. */
export async function createSession(
  ort: Pick<Ort, "InferenceSession">,
  program: Program,
  options: SessionOptions,
) {
  try {
    return await ort.InferenceSession.create(encodeOnnx(program), {
      logSeverityLevel: 3,
      ...options,
    });
  } catch (error) {
    throw new Error(
      `Cannot compile a graph with outputs ${[...program.outputs.keys()].slice(0, 4).join(", ")}: ${
        messageOf(error)
      }`,
      { cause: error },
    );
  }
}

class HostTensorOnDevice implements DeviceTensor {
  readonly ortTensor: OrtTensor;

  constructor(
    ort: Ort,
    readonly data: HostArray,
    readonly shape: readonly number[],
    readonly type: ElementType,
  ) {
    if (data.length !== elementCount(shape)) {
      throw new RangeError(
        `Cannot make a tensor of shape [${shape}] from ${data.length} elements`,
      );
    }
    this.ortTensor = new ort.Tensor(type, data as Float32Array, [...shape]) as OrtTensor;
    // The package wraps the bits in a Float16Array, which the native binding cannot read.
    if (type === "float16") Object.assign(this.ortTensor, { cpuData: data });
  }

  read(): Promise<HostArray> {
    return Promise.resolve(this.data);
  }

  dispose(): void {}
}

/**
 * Frees the copy that onnxruntime-node returns of an output, even of one that it has written into a given tensor. A training makes as much
 * as its parameters and means at every step, which the garbage collector would free late.
 */
function discard(copy: HostArray, written: HostArray): void {
  if (copy.buffer !== written.buffer) copy.buffer.transfer?.(0); // Node 20 has no transfer()
}

class HostSession implements Session {
  constructor(
    readonly ort: Ort,
    readonly session: Awaited<ReturnType<Ort["InferenceSession"]["create"]>>,
    readonly inputs: readonly SessionInput[],
    readonly kind: "cpu" | "wasm",
  ) {}

  async run(feeds: Tensors, into: Tensors = {}): Promise<Tensors> {
    const tensors = checkedFeeds(this.inputs, feeds);
    const ortFeeds: Record<string, OrtTensor> = {};
    for (const [name, tensor] of Object.entries(tensors)) {
      ortFeeds[name] = (tensor as HostTensorOnDevice).ortTensor;
    }
    // Native code writes into given tensors; WebAssembly has a heap of its own and copies results out of it.
    const shares = this.kind === "cpu";
    const fetches: Record<string, OrtTensor | null> = {};
    for (const name of this.session.outputNames) {
      fetches[name] = shares && into[name] ? (into[name] as HostTensorOnDevice).ortTensor : null;
    }
    let results;
    try {
      results = await this.session.run(ortFeeds, fetches);
    } catch (error) {
      throw new Error(`Cannot run a graph: ${messageOf(error)}`, { cause: error });
    }
    const outputs: Tensors = {};
    for (const [name, result] of Object.entries(results)) {
      const target = into[name] as HostTensorOnDevice | undefined;
      if (target) {
        if (shares) discard(result.data as HostArray, target.data);
        else target.data.set(result.data as never);
      }
      outputs[name] = target ??
        new HostTensorOnDevice(
          this.ort,
          result.data as HostArray,
          result.dims,
          result.type as ElementType,
        );
    }
    return outputs;
  }

  async close(): Promise<void> {
    await this.session.release();
  }
}
