import { z } from "zod";
import { wrong } from "../../declaration/problem.ts";
import { copyBlocks, startFields, type StartKind } from "../start.ts";

/** SideNet layer i copies backbone block `r*i + 1`, r being the reduction factor. */
export interface PaperStart {
  /** Names this start. */
  readonly kind: "paper";
}

/** The paper's start. */
export const paperStart: StartKind<PaperStart> = {
  schema: z.strictObject({ kind: z.literal("paper"), ...startFields }),

  check: (_start, path, { reductionFactor }) =>
    reductionFactor > 1 ? [] : [wrong(
      `${path}.initialization.kind`,
      `must not be paper where ${path}.reductionFactor is 1: blocks r*i+1 end beyond the backbone`,
      "paper",
      "blocks, random",
    )],

  copiedBlock: (_start, layer, reductionFactor) => blockOf(layer, reductionFactor),

  weights(_start, beside) {
    const { layers, reductionFactor } = beside.shape;
    return copyBlocks(
      Array.from({ length: layers }, (_, i) => blockOf(i, reductionFactor)),
      beside,
    );
  },
};

function blockOf(layer: number, reductionFactor: number): number {
  return reductionFactor * layer + 1;
}
