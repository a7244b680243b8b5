import { elementCount, type TensorMap } from "../tensor.ts";
import { Random } from "../random.ts";
import { type BackboneShape, backboneTensorShapes, padId } from "./shape.ts";

/**
 * Which random weights a backbone starts from. Biases are 0, LayerNorms 1 and 0, and the embedding of `<pad>` is 0
 * in both.
 *
 * - `official` (specification section 9): matrices and embeddings N(0, 0.02^2).
 * - `scaled`, for narrow backbones, for which 0.02 is far below 1/sqrt(E): matrices N(0, 1/E), but those that write
 *   into the residual stream N(0, 1/(2L fan-in)); embeddings 0.1 times and the head 0.5/sqrt(E) times the same normal
 *   numbers. They are not tied in training.
 */
export type BackboneInitialization = { readonly kind: "official" } | { readonly kind: "scaled" };

/** Standard deviation of the official matrices. */
const officialDeviation = 0.02;

const embeddings = "transformer.wte.weight", head = "lm_head.weight";

/**
 * A backbone from scratch.
 *
 * @param seed The same seed gives the same weights on every machine.
 * @param initialization Distribution of the weights; default `official`.
 * @returns Tensors by their official names without the prefix `decoder.model.`.
 */
export function initializeBackbone(
  shape: BackboneShape,
  seed: number | string,
  initialization: BackboneInitialization = { kind: "official" },
): TensorMap {
  const weights: TensorMap = new Map();
  for (const [name, sizes] of backboneTensorShapes(shape)) {
    const data = new Float32Array(elementCount(sizes));
    if (sizes.length === 2) {
      const deviation = deviationOf(name, shape, initialization);
      // The scaled head has the embeddings' directions.
      const drawn = initialization.kind === "scaled" && name === head ? embeddings : name;
      const random = new Random(`${seed}/${drawn}`);
      for (let i = 0; i < data.length; i++) data[i] = deviation * random.normal();
    } else if (isLayerNormGain(name)) {
      data.fill(1);
    }
    weights.set(name, { shape: sizes, data });
  }
  const { hiddenDim: E } = shape;
  weights.get(embeddings)!.data.fill(0, padId * E, (padId + 1) * E);
  return weights;
}

function deviationOf(
  name: string,
  { layers: L, hiddenDim: E, feedForwardDim: F }: BackboneShape,
  initialization: BackboneInitialization,
): number {
  switch (initialization.kind) {
    case "official":
      return officialDeviation;
    case "scaled":
      if (name === embeddings) return 0.1;
      if (name === head) return 0.5 / Math.sqrt(E);
      if (name.endsWith("attn.out_proj.weight")) return 1 / Math.sqrt(2 * L * E);
      if (name.endsWith("mlp.fc_out.weight")) return 1 / Math.sqrt(2 * L * F);
      return 1 / Math.sqrt(E);
    default:
      return initialization satisfies never;
  }
}

/** Whether a vector of this name multiplies normalised values. */
function isLayerNormGain(name: string): boolean {
  return /\bln_(1|f)\.weight$/.test(name);
}
