/**
 * Sizes of the networks of an experiment, as far as its declaration says them, and their parameters.
 */
import type { BackboneShape } from "../backbone/shape.ts";
import { readFolderShape } from "../checkpoint/folder.ts";
import { type SideNetConfig, sideNetKindOf } from "../checkpoint/sidenets.ts";
import type { SideNetShape } from "../longmem/sidenet_shape.ts";
import { elementCount } from "../tensor.ts";
import { tokenizers } from "../text/tokenizers/tokenizers.ts";
import { backbones, pretrainingOf } from "./backbones.ts";
import type { ResolvedExperiment } from "./declaration.ts";

/** Sizes of the backbone, as far as the declaration says all of them. */
export function backboneShape(
  { backbone, tokenizer }: Pick<ResolvedExperiment, "backbone" | "tokenizer">,
): BackboneShape | undefined {
  const { shape } = backbones.get(backbone.kind).shapeOf(backbone, "backbone");
  const vocabSize = shape.vocabSize ??
    (pretrainingOf(backbone) && tokenizers.get(tokenizer.kind).vocabSize?.(tokenizer));
  const { layers, hiddenDim, heads, feedForwardDim } = shape;
  return layers && hiddenDim && heads && feedForwardDim && vocabSize
    ? { ...shape, layers, hiddenDim, heads, feedForwardDim, vocabSize }
    : undefined;
}

/** Sizes of a backbone whose weights are in a folder that can be read; of any other, the run reports the error. */
export async function shapeOnFile(
  { backbone }: Pick<ResolvedExperiment, "backbone">,
): Promise<BackboneShape | undefined> {
  const kind = backbones.get(backbone.kind);
  const [weights] = kind.stored ? await kind.files(backbone, "backbone") : [];
  return weights && await readFolderShape(weights.path).catch(() => undefined);
}

/** Sizes of the SideNet, as far as the declaration says them. */
export function sideNetShape(
  sidenet: SideNetConfig,
  { layers }: BackboneShape,
): SideNetShape | undefined {
  const { memoryBlock, reductionFactor } = sideNetKindOf(sidenet).shapeOf(sidenet);
  return memoryBlock === undefined || reductionFactor === undefined
    ? undefined
    : { layers: layers / reductionFactor, reductionFactor, memoryBlock };
}

/**
 * Parameters of a network, by the shapes of its tensors.
 *
 * @param options `countedLayers`: layers of which all tensors are counted; larger counts are extrapolated from two.
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
