import { z } from "zod";
import { nonNegativeIntegers } from "../../declaration/fields.ts";
import { type Problem, wrong } from "../../declaration/problem.ts";
import { copyBlocks, startFields, type StartKind } from "../start.ts";

/** SideNet layer i copies backbone block `blocks[i]`. */
export interface BlocksStart {
  /** Names this start. */
  readonly kind: "blocks";
  /** One 0-based block of the backbone for each SideNet layer. */
  readonly blocks: readonly number[];
}

/** A start of chosen blocks. */
export const blocksStart: StartKind<BlocksStart> = {
  schema: z.strictObject({
    kind: z.literal("blocks"),
    blocks: nonNegativeIntegers,
    ...startFields,
  }),

  check({ blocks }, path, { reductionFactor, layers, field }) {
    if (layers === undefined) return [];
    const problems: Problem[] = [];
    if (layers % reductionFactor === 0 && blocks.length !== layers / reductionFactor) {
      problems.push(wrong(
        `${path}.initialization.blocks`,
        "must name one block for each SideNet layer",
        blocks,
        `lists of ${layers / reductionFactor} blocks`,
      ));
    }
    const outside = blocks.findIndex((block) => block >= layers);
    if (outside >= 0) {
      problems.push(wrong(
        `${path}.initialization.blocks.${outside}`,
        `must be below ${field}`,
        blocks[outside],
        `integers from 0 to ${layers - 1}`,
      ));
    }
    return problems;
  },

  copiedBlock: ({ blocks }, layer) => blocks[layer],

  weights: ({ blocks }, beside) => copyBlocks(blocks, beside),
};
