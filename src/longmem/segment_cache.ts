import type { Device, ElementCopy, Tensors } from "../runtime/device.ts";
import { cachePrefix } from "./forward_graph.ts";

/** Keys and values that the layers of a model computed for the tokens of one segment, in the memory of a device. */
export class SegmentCache {
  readonly #device: Device;
  readonly #contextTokens: number;
  /** [1, H, C, D] each, by the names of graphs' inputs; made when first written. */
  readonly #tensors: Tensors = {};

  /** @param contextTokens Tokens C for which there is room. */
  constructor(device: Device, contextTokens: number) {
    this.#device = device;
    this.#contextTokens = contextTokens;
  }

  /** Inputs of a graph. */
  get inputs(): Tensors {
    return this.#tensors;
  }

  /**
   * Puts keys and values into their places; the rest of the cache stays where it is.
   *
   * @param computed Keys and values [1, H, T, D] by the names of graphs' outputs.
   * @param place The first `count` of their tokens are put from place `start`.
   */
  write(computed: Tensors, { start, count }: { start: number; count: number }): void {
    const C = this.#contextTokens;
    const copies: ElementCopy[] = [];
    for (const [name, from] of Object.entries(computed)) {
      const [, H, T, D] = from.shape;
      const into = this.#tensors[cachePrefix + name] ??= this.#device.zeros([1, H, C, D]);
      for (let h = 0; h < H; h++) {
        copies.push({
          from,
          fromElement: h * T * D,
          into,
          intoElement: (h * C + start) * D,
          count: count * D,
        });
      }
    }
    this.#device.copy(copies);
  }

  /** Frees the memory. */
  dispose(): void {
    for (const tensor of Object.values(this.#tensors)) tensor.dispose();
  }
}
