/** Files of named tensors, whichever their format. */
import type { HostTensor } from "../tensor.ts";
import type { IntegerTensor } from "./safetensors.ts";

/** An open file whose tensors are read one by one; close it with `using`. */
export interface TensorFile extends Disposable {
  /** Path, for messages. */
  readonly path: string;
  /** The tensors by name. */
  readonly entries: ReadonlyMap<string, { readonly shape: readonly number[] }>;
  /** Reads one tensor: float32 for the floating-point types, int32 for the integers. */
  read(name: string): Promise<HostTensor | IntegerTensor>;
  /** Reads rows of one tensor, its elements along the first axis, likewise. */
  readRows(
    name: string,
    rows: { start: number; count: number },
  ): Promise<Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer>>;
}
