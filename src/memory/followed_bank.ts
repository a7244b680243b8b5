import type { BankShape } from "./bank_shape.ts";
import type { BankStorage } from "./bank_storage.ts";
import type { SlotRange } from "./ring.ts";

/** What follows the contents of a bank, such as an index outside the graph. */
export interface BankObserver {
  /** `tensors` still hold what was in the slots. */
  cleared(bank: number, slots: SlotRange): void;
  written(bank: number, slots: SlotRange): Promise<void>;
}

/** What an index sees of the bank that it follows. */
export interface FollowedBank {
  readonly shape: BankShape;
  readonly storage: Pick<BankStorage, "tensors">;
  /** Slots of each bank from the oldest chunk to the newest. */
  readonly occupied: readonly SlotRange[];
  /** Lets something follow the contents. */
  observe(observer: BankObserver): void;
}
