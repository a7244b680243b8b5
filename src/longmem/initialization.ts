import { isGate } from "../backbone/architecture.ts";
import { architectureOf } from "../backbone/architectures.ts";
import type { BackboneShape } from "../backbone/shape.ts";
import { InputRangeError } from "../errors.ts";
import type { HostTensor, TensorMap } from "../tensor.ts";
import { type SideNetShape, splitTensorName } from "./sidenet_shape.ts";
import { type SideNetInitialization, starts } from "./starts.ts";

/**
 * Weights that a SideNet starts from. A gate is the sigmoid of its bias, which starts so that all heads have `memoryShare`.
 *
 * @param backbone The frozen model that the SideNet stands beside; copies share no memory with it.
 * @param seed Of random weights: the same seed gives the same weights on every machine.
 * @returns Tensors by their names, as `sideNetTensorShapes` has them.
 * @throws RangeError if there is not one block of the backbone for each layer, `outputScale` is negative, or `memoryShare` is not between 0 and 1.
 */
export function initializeSideNet(
  shape: SideNetShape,
  backbone: { shape: BackboneShape; weights: ReadonlyMap<string, HostTensor> },
  initialization: SideNetInitialization,
  seed: number | string,
): TensorMap {
  const { kind, outputScale = 1, memoryShare = 0.5 } = initialization;
  if (!(outputScale >= 0 && outputScale < Infinity)) {
    throw new InputRangeError(
      `Cannot initialise a SideNet as outputScale must be a number from 0: current value is ${outputScale}`,
    );
  }
  if (!(memoryShare > 0 && memoryShare < 1)) {
    throw new InputRangeError(
      `Cannot initialise a SideNet as memoryShare must be above 0 and below 1: current value is ${memoryShare}`,
    );
  }
  const weights = starts.get(kind).weights(initialization, { shape, backbone, seed });
  const { sideNet } = architectureOf(backbone.shape);
  for (const [name, { data }] of weights) {
    const { layer, inner } = splitTensorName(name);
    if (isGate(name)) data.fill(Math.log(memoryShare / (1 - memoryShare)));
    if (layer === undefined || !sideNet.isOutput(inner, backbone.shape)) continue;
    for (let i = 0; i < data.length; i++) data[i] *= outputScale;
  }
  return weights;
}
