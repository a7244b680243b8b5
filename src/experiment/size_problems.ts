import type { Experiment } from "./declaration.ts";
import type { Problem } from "../declaration/problem.ts";

/** Sizes of a backbone, and the block that a SideNet caches: with the values that each may have. */
const neededSizes = {
  backbone: {
    layers: "positive integers",
    hiddenDim: "positive integers",
    heads: "positive integers",
  },
  sidenet: { memoryBlock: "integers from 0" },
} as const;

/** Sizes that are neither declared nor those of a named size, and the name of one that decides nothing. */
export function sizeProblems({ backbone, sidenet }: Experiment): Problem[] {
  const problems: Problem[] = [];
  if (backbone.kind === "pretrain") {
    const missing = missingSizes("backbone", backbone);
    if (backbone.size === undefined) problems.push(...missing);
    else if (missing.length === 0) {
      const fields = Object.keys(neededSizes.backbone).join(", ");
      problems.push({
        path: "backbone.size",
        message: `must not be named beside ${fields}, as it would decide nothing`,
      });
    }
  }
  if (sidenet && sidenet.kind !== "checkpoint" && sidenet.size === undefined) {
    problems.push(...missingSizes("sidenet", sidenet));
  }
  return problems;
}

function missingSizes(part: keyof typeof neededSizes, declared: object): Problem[] {
  return Object.entries(neededSizes[part]).filter(([field]) => !(field in declared))
    .map(([field, allowed]) => ({
      path: `${part}.${field}`,
      message: `is missing, as no size is named: allowed are ${allowed}`,
    }));
}
