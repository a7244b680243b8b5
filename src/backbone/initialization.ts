import { elementCount, type TensorMap } from "../tensor.ts";
import { Random } from "../text/random.ts";
import { type BackboneShape, backboneTensorShapes } from "./shape.ts";

/** Standard deviation of the matrices. */
const deviation = 0.02;

/** Id of `<pad>` (specification section 1), whose embedding starts as zero. */
const padId = 1;

/**
 * A backbone from scratch (specification section 9): matrices and embeddings N(0, 0.02^2), biases 0, the embedding of
 * `<pad>` 0, LayerNorms 1 and 0.
 *
 * @param seed The same seed gives the same weights on every machine.
 * @returns Tensors by their official names without the prefix `decoder.model.`.
 */
export function initializeBackbone(shape: BackboneShape, seed: number | string): TensorMap {
  const weights: TensorMap = new Map();
  for (const [name, sizes] of backboneTensorShapes(shape)) {
    const data = new Float32Array(elementCount(sizes));
    if (sizes.length === 2) {
      const random = new Random(`${seed}/${name}`);
      for (let i = 0; i < data.length; i++) data[i] = deviation * random.normal();
    } else if (isLayerNormGain(name)) {
      data.fill(1);
    }
    weights.set(name, { shape: sizes, data });
  }
  const { hiddenDim: E } = shape;
  weights.get("transformer.wte.weight")!.data.fill(0, padId * E, (padId + 1) * E);
  return weights;
}

/** Whether a vector of this name multiplies normalised values. */
function isLayerNormGain(name: string): boolean {
  return /\bln_(1|f)\.weight$/.test(name);
}
