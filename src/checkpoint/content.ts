/** Content of checkpoints of any format, and the checks that all formats share. */
import { isDeepStrictEqual } from "../system.ts";
import { show } from "../declaration/problem.ts";
import type { BackboneCheckpoint, BackboneShape } from "../backbone/shape.ts";
import { checkShape } from "../backbone/shape_form.ts";
import type { SafetensorsFile } from "../formats/safetensors.ts";
import type { SideNetCheckpoint, SideNetShape } from "../longmem/sidenet_shape.ts";
import type { MemorySizes } from "../memory/config.ts";
import { firstNonFinite, type HostTensor, indicesOf, type TensorMap } from "../tensor.ts";
import { InputRangeError, InputTypeError } from "../errors.ts";

/** A whole LongMem: backbone, SideNet and the sizes of its memory. */
export interface LongMemCheckpoint {
  /** The frozen language model. */
  readonly backbone: BackboneCheckpoint;
  /** The trained part. */
  readonly sideNet: SideNetCheckpoint;
  /** The memory it was trained with. */
  readonly memory: MemorySizes;
}

/** Where tensors come from. */
export interface TensorSource {
  /** Path of the file or folder. */
  readonly path: string;
  /** Prefix of all the model's names in the file. */
  readonly prefix?: string;
  /** Tensors of the file that belong to something else. */
  readonly isOther?: (name: string) => boolean;
}

/** Checks the sizes of a backbone that a file declares, as the code below relies on them. */
export function checkBackboneShape(shape: BackboneShape, path: string): void {
  checkShape(shape, `read "${path}"`);
}

/** Checks the wiring of a SideNet against its backbone: r*S = L and a memory block inside (specification section 1). */
export function checkSideNetShape(
  shape: SideNetShape,
  backbone: BackboneShape,
  path: string,
): void {
  const { layers, reductionFactor, memoryBlock } = shape;
  if (layers * reductionFactor !== backbone.layers) {
    throw new InputRangeError(
      `Cannot read "${path}" as SideNet layers times reductionFactor must be the backbone's layers: ` +
        `current values are ${layers} and ${reductionFactor}, the backbone has ${backbone.layers}`,
    );
  }
  if (memoryBlock >= backbone.layers) {
    throw new InputRangeError(
      `Cannot read "${path}" as memoryBlock must be a block of the backbone: ` +
        `current value is ${memoryBlock}, allowed are 0 to ${backbone.layers - 1}`,
    );
  }
}

/**
 * Checks that a file has exactly the expected tensors in the expected shapes.
 *
 * @param found All tensors of the file by their names in the file; `path`: of the file that one lies in, where they are in several.
 * @param expected Tensors of the model by their names without the prefix.
 */
export function checkTensorShapes(
  found: ReadonlyMap<string, { readonly shape: readonly number[]; readonly path?: string }>,
  expected: ReadonlyMap<string, readonly number[]>,
  source: TensorSource,
): void {
  const { path, prefix = "", isOther = () => false } = source;
  const missing = [...expected].filter(([name]) => !found.has(prefix + name));
  if (missing.length > 0) {
    const [name, shape] = missing[0];
    throw new InputRangeError(
      `Cannot read "${path}" as tensor "${prefix}${name}" of shape [${shape}] is missing` +
        andMore(missing.length - 1),
    );
  }
  for (const [name, shape] of expected) {
    const actual = found.get(prefix + name)!;
    if (actual.shape.join() !== shape.join()) {
      throw new InputRangeError(
        `Cannot read "${actual.path ?? path}" as tensor "${prefix}${name}" has another shape: ` +
          `expected [${shape}], found [${actual.shape}]`,
      );
    }
  }
  const unknown = [...found].filter(([name]) =>
    !(name.startsWith(prefix) && expected.has(name.slice(prefix.length))) && !isOther(name)
  );
  if (unknown.length > 0) {
    const [name, { shape, path: own = path }] = unknown[0];
    throw new InputRangeError(
      `Cannot read "${own}" as tensor "${name}" of shape [${shape}] is not part of the model` +
        andMore(unknown.length - 1),
    );
  }
}

/**
 * Reads named tensors that must be floating-point and finite.
 *
 * @param names Names without the prefix of the file, as the result has them.
 * @param read Reads a tensor by its name in the file.
 */
export async function readFloats(
  { path, prefix = "" }: Pick<TensorSource, "path" | "prefix">,
  names: Iterable<string>,
  read: (name: string) => Promise<{ data: ArrayBufferView; shape: readonly number[] }>,
): Promise<TensorMap> {
  const weights: TensorMap = new Map();
  for (const name of names) {
    const tensor = await read(prefix + name);
    if (!(tensor.data instanceof Float32Array)) {
      throw new InputTypeError(
        `Cannot read "${path}" as tensor "${prefix}${name}" must be floating-point: it is integer`,
      );
    }
    checkFinite(prefix + name, tensor as HostTensor, path);
    weights.set(name, tensor as HostTensor);
  }
  return weights;
}

/** Reads exactly the expected tensors of a file, as {@linkcode readFloats}; their names there have a prefix. */
export async function readTensors(
  file: SafetensorsFile,
  expected: ReadonlyMap<string, readonly number[]>,
  prefix = "",
): Promise<TensorMap> {
  const source = { path: file.path, prefix };
  checkTensorShapes(file.entries, expected, source);
  return await readFloats(source, expected.keys(), (name) => file.read(name));
}

/** Checks tensors that a caller gives: exactly the expected ones, in the expected shapes, and finite. */
export function checkWeights(
  weights: Readonly<TensorMap>,
  expected: ReadonlyMap<string, readonly number[]>,
  path: string,
): void {
  checkTensorShapes(weights, expected, { path });
  for (const [name, tensor] of weights) checkFinite(name, tensor, path);
}

/** Checks that a tensor holds finite numbers: one NaN in a weight makes every likelihood NaN. */
function checkFinite(name: string, { data, shape }: HostTensor, path: string): void {
  const position = firstNonFinite(data);
  if (position === undefined) return;
  throw new InputRangeError(
    `Cannot read "${path}" as the numbers of tensor "${name}" must be finite float32: ` +
      `current value at [${indicesOf(position, shape)}] is ${data[position]}`,
  );
}

/** Checks values that a caller gives against those that a file says. */
export function checkGiven<Shape extends object>(
  given: Partial<Shape> | undefined,
  found: Shape,
  path: string,
): void {
  for (const key of Object.keys(given ?? {}) as (keyof Shape & string)[]) {
    if (given![key] !== undefined && !isDeepStrictEqual(given![key], found[key])) {
      throw new InputRangeError(
        `Cannot read "${path}" as its ${key} is another one: ` +
          `expected ${show(given![key])}, found ${show(found[key])}`,
      );
    }
  }
}

function andMore(count: number): string {
  return count > 0 ? `, and ${count} more` : "";
}
