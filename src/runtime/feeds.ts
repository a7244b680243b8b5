import type { Program } from "../graph/onnx.ts";
import type { ElementType } from "../tensor.ts";
import type { Tensors } from "./device.ts";
import { InputRangeError, InputTypeError } from "../errors.ts";

/** An input as a session keeps it: a `Value` would hold the whole graph, with its constants, in memory. */
export interface SessionInput {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: ElementType;
}

/** The inputs of a program as its session keeps them. */
export function sessionInputs({ inputs }: Pick<Program, "inputs">): readonly SessionInput[] {
  return inputs.map(({ name, shape, type }) => ({ name, shape, type }));
}

/** The tensors that the inputs of a graph need; a missing one or one of another shape or type is an error. */
export function checkedFeeds(
  inputs: readonly SessionInput[],
  feeds: Tensors,
): Tensors {
  const needed: Tensors = {};
  for (const { name, shape, type } of inputs) {
    const tensor = feeds[name];
    if (!tensor) throw new InputTypeError(`Cannot run as input "${name}" is missing`);
    if (
      tensor.type !== type || tensor.shape.length !== shape.length ||
      shape.some((size, i) => size !== tensor.shape[i])
    ) {
      throw new InputRangeError(
        `Cannot run as input "${name}" must be ${type}[${shape}]: current value is ${tensor.type}[${tensor.shape}]`,
      );
    }
    needed[name] = tensor;
  }
  return needed;
}
