/**
 * The starts of a SideNet: a file each, and its lines here.
 */
import { Registry } from "../declaration/registry.ts";
import type { StartKind } from "./start.ts";
import { type BlocksStart, blocksStart } from "./starts/blocks.ts";
import { type PaperStart, paperStart } from "./starts/paper.ts";
import { type RandomStart, randomStart } from "./starts/random.ts";

/** Where the weights come from. */
export type SideNetSource = PaperStart | BlocksStart | RandomStart;

/** Which weights a SideNet starts from (specification section 9). */
export type SideNetInitialization = SideNetSource & {
  /**
   * Factor of the weights and biases whose outputs layers add to the stream, after attention and MLP, or of the norms behind them
   * (default 1). A smaller one starts the SideNet closer to its backbone; at 0 it is silent: it starts as the sum of the backbone's
   * residuals.
   */
  readonly outputScale?: number;
  /** Share of the memory in the output of each head, above 0 and below 1, at which its gate starts (default 0.5: the official sigmoid(0)). */
  readonly memoryShare?: number;
};

/** The starts that declarations may name. */
export const starts = new Registry<StartKind<SideNetSource>, SideNetInitialization>({
  blocks: blocksStart,
  paper: paperStart,
  random: randomStart,
});
