import type { LongMemParts, Network, NetworkKind } from "./network.ts";
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

/** Whether a network reads a memory and writes to it. */
export function remembers(network: Network): boolean {
  return networks[network].remembers;
}
