/**
 * Adaptations: trainings of a network beside, or within, a frozen backbone. The model under test that needs one owns it.
 */
import type { BackboneShape } from "../backbone/shape.ts";
import { type Network, networks } from "../longmem/networks.ts";
import type { LongMemParts } from "../longmem/parts.ts";
import type { SideNetCheckpoint, SideNetShape } from "../longmem/sidenet_shape.ts";
import type { MemoryConfig } from "../memory/config.ts";

/** Name of the training of a backbone in `metrics.jsonl`, which is that of the folder of its checkpoints. */
export const backboneTraining = "backbone";

/** Name of the adaptation of a SideNet with memory, whose weights are the LongMem of a run. */
export const sideNetTraining = "longmem";

/** Whether a training adapts a backbone, which stays as it is. */
export function isAdaptation(name: string): boolean {
  return name !== backboneTraining;
}

/** The parts of a run before any adaptation. */
export type UnadaptedParts = LongMemParts & { readonly sideNet: SideNetCheckpoint };

export interface Adaptation {
  /** Name in `metrics.jsonl`, which is that of the folder of its checkpoints. */
  readonly name: string;
  /** Name of the hash of its weights in the records of a run. */
  readonly hashName: string;
  /** Whether a run does it even where no evaluation lists the model; absent: never. */
  isAlwaysDone?(experiment: { readonly memory?: MemoryConfig | undefined }): boolean;
  /** The model to be trained, as it starts. */
  start(parts: UnadaptedParts): LongMemParts;
  /** The network that it trains. */
  readonly network: Network;
  /** Sizes and settings of that network's part, by those of the SideNet; absent: the SideNet is it. */
  part?(sideNet: SideNetShape): unknown;
  /** Floating-point operations a token and trained parameter, beside those of the frozen model's forward pass. */
  readonly operationsPerParameter: number;
  /** Fields of the experiment that decide its weights, beside those that decide the backbone's. */
  readonly fields: readonly ("sidenet" | "adaptation" | "memory")[];
}

/** Shapes of the tensors that an adaptation trains, by their names. */
export function adaptedTensors(
  { network, part }: Pick<Adaptation, "network" | "part">,
  sideNet: SideNetShape,
  backbone: BackboneShape,
): ReadonlyMap<string, readonly number[]> {
  return networks.get(network).part!.weights!.tensors(part ? part(sideNet) : sideNet, backbone);
}
