import type { Part } from "../../declaration/part.ts";
import type { Device } from "../../runtime/device.ts";
import type { FollowedBank } from "../followed_bank.ts";
import type { OutsideIndex } from "./chunk_index.ts";

/** What an index is opened for. */
export interface IndexSurroundings {
  readonly bank: FollowedBank;
  readonly device: Device;
  /** Chunks that a query retrieves. */
  readonly retrievedChunks: number;
  /** Decides what is random about the index. */
  readonly seed: number;
}

/** A kind of index: the fields that declare it, and how it retrieves. */
export interface IndexKind<Declaration, Config>
  extends Part<Declaration, Config, void, { readonly retrievedChunks: number }> {
  /** Whether it finds what the graph's own search finds, so that {@linkcode open} may leave retrieval to the graph. */
  readonly isExact: boolean;
  /** Opens what retrieves from a bank outside of the graph; undefined where the graph does it. */
  open(config: Config, surroundings: IndexSurroundings): Promise<OutsideIndex | undefined>;
}
