import { z } from "zod";
import { architectureOf } from "../../backbone/architectures.ts";
import { Random } from "../../random.ts";
import { elementCount, type TensorMap } from "../../tensor.ts";
import { sideNetTensorShapes, splitTensorName } from "../sidenet_shape.ts";
import { startFields, type StartKind } from "../start.ts";

/** Random weights, as the official code has them without `--reload-ptm-layer`. */
export interface RandomStart {
  /** Names this start. */
  readonly kind: "random";
}

/** A start of random weights: the same seed gives the same weights on every machine. */
export const randomStart: StartKind<RandomStart> = {
  schema: z.strictObject({ kind: z.literal("random"), ...startFields }),

  weights(_start, { shape, backbone, seed }) {
    const { sideNet } = architectureOf(backbone.shape);
    const weights: TensorMap = new Map();
    for (const [name, sizes] of sideNetTensorShapes(shape, backbone.shape)) {
      const data = new Float32Array(elementCount(sizes));
      const { inner } = splitTensorName(name);
      const bound = sideNet.uniformBound(inner, backbone.shape);
      if (bound > 0) {
        const random = new Random(`${seed}/${name}`);
        for (let i = 0; i < data.length; i++) data[i] = bound * (2 * random.uniform() - 1);
      } else if (sideNet.isGain(inner)) {
        data.fill(1);
      }
      weights.set(name, { shape: sizes, data });
    }
    return weights;
  },
};
