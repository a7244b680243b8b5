/**
 * The model of the golden fixtures: its weights, and the configurations under which the official code ran it.
 */
import { loadBackboneWeights, loadSideNetWeights } from "../../src/checkpoint/checkpoint.ts";
import { readSafetensors, type SafetensorsContent } from "../../src/formats/safetensors.ts";
import { type MemoryConfig, memoryProtocols } from "../../src/memory/config.ts";
import type { Device } from "../../src/runtime/device.ts";
import { deviceTest, type testedDevices } from "../graph/devices.ts";
import { fixturePath, hasShared } from "../testing.ts";
import type { BackboneCheckpoint } from "../../src/backbone/shape.ts";
import type { SideNetCheckpoint } from "../../src/longmem/sidenet_shape.ts";

/** The released protocol on the fixtures' sizes, with the float32 bank of the `f32mem` files. */
export const fixtureMemory: MemoryConfig = {
  capacityTokens: 128,
  chunkTokens: 4,
  retrievedTokens: 8,
  index: { kind: "exact" },
  ...memoryProtocols["released-code"],
  storage: "float32",
};

/** Backbone and SideNet of the fixtures. */
export async function fixtureNetworks(): Promise<
  { backbone: BackboneCheckpoint; sideNet: SideNetCheckpoint }
> {
  const backbone = await loadBackboneWeights(fixturePath("backbone.safetensors"), {
    shape: { heads: 4 },
  });
  const sideNet = await loadSideNetWeights(fixturePath("sidenet.safetensors"), backbone.shape, {
    shape: { memoryBlock: 5 },
  });
  return { backbone, sideNet };
}

/** Golden tensors of one file. */
export class Golden {
  constructor(readonly content: SafetensorsContent) {}

  static async read(name: string): Promise<Golden> {
    return new Golden(await readSafetensors(fixturePath(name)));
  }

  has(name: string): boolean {
    return this.content.tensors.has(name) || this.content.integers.has(name);
  }

  /** A float tensor. */
  floats(name: string): { data: Float32Array<ArrayBuffer>; shape: readonly number[] } {
    const tensor = this.content.tensors.get(name);
    if (!tensor) throw new RangeError(`Cannot compare with "${name}" as no golden tensor has it`);
    return tensor;
  }

  /** A tensor of integers. */
  integers(name: string): { data: Int32Array<ArrayBuffer>; shape: readonly number[] } {
    const tensor = this.content.integers.get(name);
    if (!tensor) throw new RangeError(`Cannot compare with "${name}" as no golden tensor has it`);
    return tensor;
  }
}

/** Registers a test that reads the fixtures, once for every device. */
export function fixtureTest(
  name: string,
  run: (device: Device) => Promise<void>,
  kinds?: readonly (typeof testedDevices[number])[],
): void {
  deviceTest(`${name} (needs shared)`, run, { ignore: !hasShared, ...(kinds ? { kinds } : {}) });
}
