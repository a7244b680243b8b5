import type { DeviceTensor } from "../runtime/device.ts";
import type { HostTensor } from "../tensor.ts";
import type { StorageType } from "./stored_range.ts";
import type { SlotRange } from "./ring.ts";
import type { VectorTable } from "./vector_table.ts";

export interface StorageOptions {
  /** Type in which keys and values are kept. */
  readonly type: StorageType;
  /** Where its arrays lie. */
  readonly place: "ram" | "file";
  /** Block of the backbone whose keys and values it holds, for messages. */
  readonly block: number | undefined;
  /** Whether graphs read keys and values. A GPU keeps them as float32 then, rounded to the type, as graphs cannot read packed ones. */
  readonly readByGraphs: boolean;
  /** Buffers of a GPU for each of keys, values and mean keys: as many heads in each, the last may have fewer. */
  readonly tables: number;
}

/** Tables of a bank: of each chunk and head its keys and values [c*D], and their mean key [D]. */
export type BankTensorName = "keys" | "values" | "meanKeys";

/** Copies what a head of a bank holds of one of some chunks to out[at..]. */
export type ChunkReader = (head: number, chunk: number, out: Float32Array, at: number) => void;

/** Chunks one after the other, as float32. */
export interface StoredChunks {
  /** [n, H, c*D] */
  readonly keys: Float32Array;
  /** [n, H, c*D] */
  readonly values: Float32Array;
  /** [n, H, D] */
  readonly meanKeys: Float32Array;
}

/** Keys and values of tokens in order, [N, E] each. */
export interface KeysAndValues {
  readonly keys: DeviceTensor;
  readonly values: DeviceTensor;
}

/** Keys and values in buffers of a GPU, as vectors of words (`packed_vectors.ts`) in the order of their rows [G*H*P, c], table after table. */
export interface GpuTables {
  readonly keys: readonly DeviceTensor[];
  readonly values: readonly DeviceTensor[];
  /** Type in which the vectors are packed. */
  readonly type: StorageType;
}

/** Where the keys and values of a bank lie: arrays of the host, or buffers of a GPU. */
export interface BankStorage {
  /**
   * What graphs can read: mean keys [G, H, D+1, P], unless they lie in several tables; keys and values [G*H*P, c*D], of int8 with
   * their scales [G*H*P, c], unless only the host or kernels of a GPU read them.
   */
  readonly tensors: Partial<Record<BankTensorName | "keyScales" | "valueScales", DeviceTensor>>;
  /** Mean keys, table after table. */
  readonly meanKeys: readonly DeviceTensor[];
  /** Keys and values that lie on the host, vectors in the order of their rows [G*H*P, c]. */
  readonly hostTables?: { readonly keys: VectorTable; readonly values: VectorTable };
  /** Keys and values that kernels of a GPU read. */
  readonly gpuTables?: GpuTables;
  /**
   * Takes keys and values [N, E] that are to be written, and refuses what it cannot hold. Those in buffers of a GPU are looked at by
   * the kernel that writes them, and refused by {@linkcode verify}.
   *
   * @returns The same, where {@linkcode write} reads them.
   * @throws RangeError naming key or value, its size and its place.
   */
  take(source: KeysAndValues): Promise<KeysAndValues>;
  /**
   * Resolves when everything written so far is known to be in range. A storage that has written something else holds
   * infinities: it refuses until all of its banks have been emptied.
   *
   * @throws RangeError as {@linkcode take}.
   */
  verify(): Promise<void>;
  /** Ends the refusals of {@linkcode verify}: all banks are empty. */
  forgive(): void;
  /** Empties slots of a bank: zero keys and values, `emptyScore` for retrieval. */
  clear(bank: number, slots: SlotRange): void;
  /** Stores the chunks of tokens firstToken.. of keys and values [N, E] in slots of a bank. */
  write(
    bank: number,
    slots: SlotRange,
    source: KeysAndValues & { firstToken: number },
  ): void;
  /** Copies of the three tensors on the host, as float32. */
  save(): Promise<Record<"keys" | "values" | "meanKeys", HostTensor>>;
  restore(saved: Record<"keys" | "values" | "meanKeys", HostTensor>): void;
  /** Reads the chunks in slots of a bank on the host, from the storage itself or from a copy; to be used before the next write. */
  reader(name: BankTensorName, bank: number, slots: SlotRange): Promise<ChunkReader>;
  /**
   * Puts chunks that are whole in slots of a bank.
   *
   * @throws RangeError where a number of them is not finite or beyond the storage's type.
   */
  put(bank: number, slots: SlotRange, chunks: StoredChunks): void;
  dispose(): void;
}
