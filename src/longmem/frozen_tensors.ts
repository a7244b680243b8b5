import { backbonePrefix, frozenTypeOf } from "../backbone/backbone_graph.ts";
import type { BackboneCheckpoint } from "../backbone/shape.ts";
import { InputError, InputRangeError } from "../errors.ts";
import type { Device, Tensors } from "../runtime/device.ts";

/**
 * The weights of a frozen backbone on a device, by their names in graphs.
 *
 * @throws {InputError} Where they are to be in float16, which the device lacks, or which does not hold one of them.
 */
export function frozenTensors(device: Device, backbone: BackboneCheckpoint): Tensors {
  const { weights, frozenType = "float32" } = backbone;
  if (frozenType === "float16" && !device.hasFloat16) {
    throw new InputError(
      `Cannot hold the backbone with frozenWeights "float16" as ${device.description} lacks the feature shader-f16: allowed is "float32"`,
    );
  }
  return Object.fromEntries(
    Array.from(weights, ([name, { data, shape }]) => [
      backbonePrefix + name,
      frozenTypeOf(shape, frozenType) === "float16"
        ? device.tensor(float16Bits(name, data), shape, "float16")
        : device.tensor(data, shape),
    ]),
  );
}

/**
 * A weight rounded to float16, as bits.
 *
 * @throws RangeError where float16 does not hold a number of it.
 */
function float16Bits(name: string, data: Float32Array): Uint16Array<ArrayBuffer> {
  const rounded = new Float16Array(data);
  const bad = rounded.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    throw new InputRangeError(
      `Cannot hold weight "${name}" in float16 as that ends at 65504: current value is ${
        data[bad]
      } at element ${bad}; ` +
        `frozenWeights "float32" would help`,
    );
  }
  return new Uint16Array(rounded.buffer);
}
