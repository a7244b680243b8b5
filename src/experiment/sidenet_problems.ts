/**
 * What a SideNet and the blocks of its backbone do not agree in.
 */
import type { BackboneConfig, InitializedSideNetConfig, SideNetConfig } from "./declaration.ts";
import { type Problem, wrong } from "../declaration/problem.ts";

/** All of a SideNet from a file is checked once it is read, the blocks of a backbone from one by {@linkcode checkBlocks}. */
export function sidenetProblems(sidenet: SideNetConfig, backbone: BackboneConfig): Problem[] {
  if (sidenet.kind === "checkpoint") {
    const { layers, reductionFactor } = sidenet.shape ?? {};
    const { layers: blocks } = backbone.kind === "pretrain" ? backbone : backbone.shape ?? {};
    if (!layers || !reductionFactor || !blocks || layers * reductionFactor === blocks) return [];
    return [wrong(
      "sidenet.shape.layers",
      "must be the backbone's layers divided by sidenet.shape.reductionFactor",
      layers,
      `${blocks / reductionFactor} for ${blocks} layers`,
    )];
  }
  const { reductionFactor, initialization } = sidenet;
  const problems: Problem[] = [];
  if (initialization.kind === "paper" && reductionFactor === 1) {
    problems.push(wrong(
      "sidenet.initialization.kind",
      "must not be paper where sidenet.reductionFactor is 1: blocks r*i+1 end beyond the backbone",
      "paper",
      "blocks, random",
    ));
  }
  const declared = backbone.kind === "pretrain" ? backbone.layers : backbone.shape?.layers;
  if (declared === undefined) return problems;
  const field = backbone.kind === "pretrain" ? "backbone.layers" : "backbone.shape.layers";
  return [...problems, ...blockProblems(sidenet, declared, field)];
}

/** What a new SideNet and the blocks of its backbone do not agree in. */
export function blockProblems(
  { reductionFactor, memoryBlock, initialization }: InitializedSideNetConfig,
  layers: number,
  field: string,
): Problem[] {
  const problems: Problem[] = [];
  if (layers % reductionFactor !== 0) {
    const divisors = Array.from({ length: layers }, (_, i) => i + 1).filter((r) =>
      layers % r === 0
    );
    problems.push(wrong(
      "sidenet.reductionFactor",
      `must divide ${field}`,
      reductionFactor,
      `${divisors.join(", ")} for ${layers} layers`,
    ));
  }
  if (memoryBlock >= layers) {
    problems.push(wrong(
      "sidenet.memoryBlock",
      `must be below ${field}`,
      memoryBlock,
      `integers from 0 to ${layers - 1}`,
    ));
  }
  if (initialization.kind === "blocks") {
    const { blocks } = initialization;
    if (layers % reductionFactor === 0 && blocks.length !== layers / reductionFactor) {
      problems.push(wrong(
        "sidenet.initialization.blocks",
        "must name one block for each SideNet layer",
        blocks,
        `lists of ${layers / reductionFactor} blocks`,
      ));
    }
    const outside = blocks.findIndex((block) => block >= layers);
    if (outside >= 0) {
      problems.push(wrong(
        `sidenet.initialization.blocks.${outside}`,
        `must be below ${field}`,
        blocks[outside],
        `integers from 0 to ${layers - 1}`,
      ));
    }
  }
  return problems;
}
