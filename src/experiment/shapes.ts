/**
 * Sizes of the networks of an experiment, as far as its declaration says them, and their parameters.
 */
import type { BackboneShape } from "../backbone/shape.ts";
import { readFolderShape } from "../checkpoint/folder.ts";
import type { SideNetConfig } from "../longmem/config.ts";
import type { SideNetShape } from "../longmem/sidenet_shape.ts";
import { elementCount } from "../tensor.ts";
import { vocabulary } from "../text/chronicle/vocabulary.ts";
import { backbones } from "./backbones.ts";
import type { ResolvedExperiment, TokenizerConfig } from "./declaration.ts";

/** Vocabulary of the fairseq dictionary of GPT-2's tokens (specification section 1). */
const gpt2VocabSize = 51_200;

/** Sizes of the backbone, as far as the declaration says all of them. */
export function backboneShape(
  { backbone, tokenizer }: Pick<ResolvedExperiment, "backbone" | "tokenizer">,
): BackboneShape | undefined {
  const { shape } = backbones.get(backbone.kind).shapeOf(backbone, "backbone");
  const vocabSize = shape.vocabSize ??
    (backbone.kind === "pretrain" ? vocabSizeOf(tokenizer) : undefined);
  const { layers, hiddenDim, heads, feedForwardDim } = shape;
  return layers && hiddenDim && heads && feedForwardDim && vocabSize
    ? { ...shape, layers, hiddenDim, heads, feedForwardDim, vocabSize }
    : undefined;
}

/** Sizes of a backbone whose checkpoint is a folder that can be read; of any other, the run reports what is wrong. */
export async function shapeOnFile(
  { backbone }: Pick<ResolvedExperiment, "backbone">,
): Promise<BackboneShape | undefined> {
  if (backbone.kind !== "checkpoint") return undefined;
  return await readFolderShape(backbone.path).catch(() => undefined);
}

/** Sizes of the SideNet, as far as the declaration says them. */
export function sideNetShape(
  sidenet: SideNetConfig,
  { layers }: BackboneShape,
): SideNetShape | undefined {
  const { memoryBlock, reductionFactor } = sidenet.kind === "checkpoint"
    ? sidenet.shape ?? {}
    : sidenet;
  return memoryBlock === undefined || reductionFactor === undefined
    ? undefined
    : { layers: layers / reductionFactor, reductionFactor, memoryBlock };
}

/** The size of the vocabulary, unless only a file knows it. */
function vocabSizeOf(tokenizer: TokenizerConfig): number | undefined {
  switch (tokenizer.kind) {
    case "bpe":
      return tokenizer.vocabSize;
    case "gpt2":
      return gpt2VocabSize;
    case "chronicle":
      return vocabulary.length;
    case "file":
      return undefined;
    default:
      return tokenizer satisfies never;
  }
}

/**
 * Parameters of a network, by the shapes of its tensors.
 *
 * @param options `countedLayers`: layers of which all tensors are counted; what those of more layers have follows from two.
 */
export function countParameters<Shape extends { readonly layers: number }>(
  shape: Shape,
  tensorShapes: (shape: Shape) => ReadonlyMap<string, readonly number[]>,
  { countedLayers = 1000 }: { readonly countedLayers?: number } = {},
): number {
  const count = (layers: number) =>
    [...tensorShapes({ ...shape, layers }).values()]
      .reduce((total, sizes) => total + elementCount(sizes), 0);
  const { layers } = shape;
  if (layers <= countedLayers) return count(layers);
  const [less, more] = [countedLayers - 1, countedLayers].map(count);
  return more + (layers - countedLayers) * (more - less);
}
