import { InputTypeError } from "../errors.ts";
import type { TensorMap } from "../tensor.ts";
import type { LongMemParts, Network, NetworkKind, TrainedPart } from "./network.ts";
import { backboneNetwork } from "./networks/backbone.ts";
import { infLlmNetwork } from "./networks/infllm.ts";
import { knnLmNetwork } from "./networks/knn_lm.ts";
import { longMemNetwork } from "./networks/longmem.ts";
import { memorizingNetwork } from "./networks/memorizing_transformer.ts";
import { sideNetNetwork } from "./networks/sidenet.ts";

/** Every network by its name. */
export const networks: Readonly<Record<Network, NetworkKind>> = {
  backbone: backboneNetwork,
  sidenet: sideNetNetwork,
  longmem: longMemNetwork,
  infllm: infLlmNetwork,
  "memorizing-transformer": memorizingNetwork,
  "knn-lm": knnLmNetwork,
};

/** The network that all parts of a model make. */
export function wholeNetwork(
  { sideNet, memory, blockMemory, memorizing, stateMemory }: {
    readonly [Part in Exclude<keyof LongMemParts, "backbone">]?: unknown;
  },
): Network {
  if (sideNet) return memory ? "longmem" : "sidenet";
  if (memorizing) return "memorizing-transformer";
  if (stateMemory) return "knn-lm";
  return blockMemory ? "infllm" : "backbone";
}

/**
 * The part of a model that a training changes.
 *
 * @throws {TypeError} Where its network has none.
 */
export function trainedPart(parts: LongMemParts): TrainedPart {
  const network = wholeNetwork(parts), trained = networks[network].trained(parts);
  if (trained) return trained;
  throw new InputTypeError(`Cannot train network "${network}" as it has no weights of its own`);
}

/** The model with other weights of that part. */
export function withTrained(parts: LongMemParts, weights: TensorMap): LongMemParts {
  const { part } = trainedPart(parts);
  return { ...parts, [part]: { ...parts[part]!, weights } };
}

/** Whether a network reads a memory and writes to it. */
export function remembers(network: Network): boolean {
  return networks[network].remembers;
}
