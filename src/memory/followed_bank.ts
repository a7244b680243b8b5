import type { BankShape } from "./bank_shape.ts";
import type { BankStorage } from "./bank_storage.ts";
import type { SlotRange } from "./ring.ts";

/** Observer of a bank's contents, such as an index outside the graph. */
export interface BankObserver {
  /** `tensors` still hold the former contents of the slots. */
  cleared(bank: number, slots: SlotRange): void;
  written(bank: number, slots: SlotRange): Promise<void>;
}

/** A bank as seen by the index that follows it. */
export interface FollowedBank {
  readonly shape: BankShape;
  readonly storage: Pick<BankStorage, "meanKeys" | "reader">;
  /** Slots of each bank from the oldest chunk to the newest. */
  readonly occupied: readonly SlotRange[];
  /** Lets something follow the contents. */
  observe(observer: BankObserver): void;
}
