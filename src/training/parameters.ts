import type { Device, DeviceTensor, Tensors } from "../runtime/device.ts";
import type { TensorMap } from "../tensor.ts";
import { stepNames } from "./step_graph.ts";

/**
 * Tensors that every step replaces: parameters and their optimiser state. They stay on the device. Most have two buffers: a step reads
 * one and writes the other, so that a step that fails leaves the last good values. One that is written in place has one buffer, which a
 * step that fails may have overwritten.
 */
export class ReplacedTensors {
  #current: Tensors = {};
  #spare: Tensors = {};

  constructor(readonly device: Device) {}

  /**
   * Adds a tensor of zeros.
   *
   * @param options `inPlace`: it has one buffer. A graph must not read it after it has written it.
   */
  addZeros(name: string, shape: readonly number[], { inPlace = false } = {}): void {
    this.#current[name] = this.device.zeros(shape);
    this.#spare[name] = inPlace ? this.#current[name] : this.device.zeros(shape);
  }

  /** Adds a tensor, or replaces the values of the one of its name. */
  add(name: string, data: Float32Array<ArrayBuffer>, shape: readonly number[]): void {
    // A copy: on the host a tensor is the memory that it was made from, and the step writes to it.
    this.#replace(name, this.device.tensor(data.slice(), shape));
    this.#spare[name] ??= this.device.zeros(shape);
  }

  /** Makes all tensors zero. */
  clear(): void {
    for (const [name, { shape }] of Object.entries(this.#current)) {
      this.#replace(name, this.device.zeros(shape));
    }
  }

  /** Puts a tensor in the place of one, if there is one: in that of both buffers where it has one. */
  #replace(name: string, tensor: DeviceTensor): void {
    const earlier = this.#current[name];
    this.#current[name] = tensor;
    if (!earlier) return;
    earlier.dispose();
    if (this.#spare[name] === earlier) this.#spare[name] = tensor;
  }

  /** Inputs of a step. */
  get feeds(): Tensors {
    return this.#current;
  }

  /** Where a step writes, by the names of its outputs. */
  get targets(): Tensors {
    return Object.fromEntries(
      Object.entries(this.#spare).map(([name, tensor]) => [stepNames.updated(name), tensor]),
    );
  }

  /** Accepts the parameters that the last step wrote. */
  swap(): void {
    [this.#current, this.#spare] = [this.#spare, this.#current];
  }

  /** One tensor. */
  get(name: string): DeviceTensor {
    return this.#current[name];
  }

  /** Copies tensors to the host. */
  async read(names: Iterable<string>): Promise<TensorMap> {
    const read = [...names], tensors = read.map((name) => this.#current[name]);
    const arrays = await this.device.readAll(tensors) as Float32Array<ArrayBuffer>[];
    return new Map(
      read.map((name, i) => [name, { shape: tensors[i].shape, data: arrays[i].slice() }]),
    );
  }

  dispose(): void {
    const all = [...Object.values(this.#current), ...Object.values(this.#spare)];
    for (const tensor of new Set(all)) tensor.dispose();
  }
}
