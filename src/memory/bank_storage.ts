import type { DeviceTensor } from "../runtime/device.ts";
import type { HostTensor } from "../tensor.ts";
import type { SlotRange } from "./ring.ts";

/** Where the keys and values of a bank lie: arrays of the host, or buffers of a GPU. */
export interface BankStorage {
  /** Keys and values [G*H*P, c*D], mean keys [G, H, D+1, P]. */
  readonly tensors: { keys: DeviceTensor; values: DeviceTensor; meanKeys: DeviceTensor };
  /** Empties slots of a bank: zero keys and values, `emptyScore` for retrieval. */
  clear(bank: number, slots: SlotRange): void;
  /** Stores the chunks of tokens firstToken.. of keys and values [N, E] in slots of a bank. */
  write(
    bank: number,
    slots: SlotRange,
    source: { keys: DeviceTensor; values: DeviceTensor; firstToken: number },
  ): void;
  /** Copies of the three tensors on the host, as float32. */
  save(): Promise<Record<"keys" | "values" | "meanKeys", HostTensor>>;
  restore(saved: Record<"keys" | "values" | "meanKeys", HostTensor>): void;
  dispose(): void;
}
