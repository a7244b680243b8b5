/**
 * Devices run graphs. A tensor of a device stays there (in GPU memory on `webgpu`) until it is read or disposed.
 */
import type { Program } from "../graph/onnx.ts";
import type { ElementType } from "../tensor.ts";

/** The engines that run graphs. */
export type DeviceKind = "cpu" | "webgpu" | "wasm";

/** What `auto` may become. */
export const deviceKinds = ["auto", "webgpu", "cpu", "wasm"] as const;

/** Most threads that an engine may be asked for: of more, starting them takes all there is. */
export const mostThreads = 1024;

/** Host arrays that tensors are made from and read into. float16 travels as its bits. */
export type HostArray =
  | Float32Array<ArrayBuffer>
  | Int8Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | BigInt64Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>;

/** The host arrays of element types. */
export const hostArrays: Readonly<
  Record<
    ElementType,
    { readonly BYTES_PER_ELEMENT: number; new (content: number | ArrayBuffer): HostArray }
  >
> = {
  float32: Float32Array,
  float16: Uint16Array,
  int8: Int8Array,
  int32: Int32Array,
  int64: BigInt64Array,
  bool: Uint8Array,
};

/** The element type that a host array holds when nothing else is said. */
export function elementType(data: HostArray): ElementType {
  const types = Object.keys(hostArrays) as ElementType[];
  return types.find((type) => data instanceof hostArrays[type])!;
}

export interface DeviceTensor {
  readonly shape: readonly number[];
  readonly type: ElementType;
  /** Copies the values to the host; on `cpu` and `wasm` it is the memory itself. */
  read(): Promise<HostArray>;
  /** Frees the memory. */
  dispose(): void;
}

/** Tensors by the names that a graph gave its inputs or outputs. */
export type Tensors = Record<string, DeviceTensor>;

/** Consecutive elements of 32 bits to be copied from one tensor of a device to another. */
export interface ElementCopy {
  readonly from: DeviceTensor;
  /** First element that is copied. */
  readonly fromElement: number;
  readonly into: DeviceTensor;
  /** Element where it is put. */
  readonly intoElement: number;
  readonly count: number;
}

export interface CompileOptions {
  /** Names of outputs that the host reads after every run (logits, ids): they are not left on the device. */
  hostOutputs?: readonly string[];
}

/** A compiled graph. */
export interface Session {
  /**
   * Runs the graph once.
   *
   * @param feeds One tensor for every input that the outputs need; others are ignored.
   * @param into Tensors of the device that receive outputs; the others are created. On a host one may be among the feeds, where the graph
   * does not read it after it has written it.
   */
  run(feeds: Tensors, into?: Tensors): Promise<Tensors>;
  /** Frees the compiled graph. */
  close(): Promise<void>;
}

/** Which engine runs, and on what. */
export interface DeviceDescription {
  /** The engine. */
  readonly kind: DeviceKind;
  /** Description of the processor or adapter. */
  readonly description: string;
  /** Why `auto` picked it, or that it was asked for. */
  readonly reason: string;
}

/** An engine with its memory. */
export interface Device extends DeviceDescription {
  /**
   * Bytes that one block of attention scores, retrieval scores or logits should take: the size that stays in a processor's
   * cache, or fits one binding of a GPU.
   */
  readonly blockBytes: number;
  /** Whether a run may return before the device has computed its outputs, so that reading them waits for it. */
  readonly runsAhead: boolean;
  /** Whether it computes with float16 tensors. */
  readonly hasFloat16: boolean;
  /** Queries of a block of attention at best, where the engine has a fast node for it; absent: it has none. */
  readonly fusedQueries?: number;
  /** Compiles a program; rejects with the engine's own message. {@linkcode compile} takes graphs. */
  compile(program: Program, options?: CompileOptions): Promise<Session>;
  /** Makes a tensor from host memory. On `cpu` and `wasm` it shares that memory. */
  tensor(data: HostArray, shape: readonly number[], type?: ElementType): DeviceTensor;
  /** Makes a tensor of zeros. */
  zeros(shape: readonly number[], type?: ElementType): DeviceTensor;
  /** Copies the values of several tensors to the host, and waits for the device once; as {@linkcode DeviceTensor.read}. */
  readAll(tensors: readonly DeviceTensor[]): Promise<HostArray[]>;
  /** Copies elements in the device's memory, after the runs that have ended and before those that start later. */
  copy(copies: readonly ElementCopy[]): void;
  /** Frees every tensor that has not been disposed. A GPU itself stays open for the next model of the process. */
  close(): Promise<void>;
}
