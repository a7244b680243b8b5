import type { Part } from "../../declaration/part.ts";
import type { Device } from "../../runtime/device.ts";
import type { FollowedBank } from "../followed_bank.ts";
import type { OutsideIndex } from "./chunk_index.ts";

/** Bank, device and settings for which an index is opened. */
export interface IndexSurroundings {
  readonly bank: FollowedBank;
  readonly device: Device;
  /** Chunks that a query retrieves. */
  readonly retrievedChunks: number;
  /** Seed of the index's random choices. */
  readonly seed: number;
}

/** A kind of index: the fields that declare it, and how it retrieves. */
export interface IndexKind<Declaration, Config>
  extends Part<Declaration, Config, void, { readonly retrievedChunks: number }> {
  /** Whether it finds the same chunks as the graph's own search, so that {@linkcode open} may leave retrieval to the graph. */
  readonly isExact: boolean;
  /** Opens retrieval from a bank outside the graph; undefined where the graph does it. */
  open(config: Config, surroundings: IndexSurroundings): Promise<OutsideIndex | undefined>;
}
