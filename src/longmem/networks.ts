/**
 * The networks: a file each, and its lines here.
 */
import { Registry } from "../declaration/registry.ts";
import type { NetworkKind } from "./network.ts";
import { backboneNetwork } from "./networks/backbone.ts";
import { infLlmNetwork } from "./networks/infllm.ts";
import { knnLmNetwork } from "./networks/knn_lm.ts";
import { longMemNetwork } from "./networks/longmem.ts";
import { memorizingNetwork } from "./networks/memorizing_transformer.ts";
import { sideNetNetwork } from "./networks/sidenet.ts";

/**
 * Which part of the model answers: the backbone alone, the SideNet without memory, or with it. The others are baselines:
 * the backbone alone, whose blocks read memories of their own, the backbone with trained blocks, one of which reads one, and
 * the backbone alone, whose last hidden states are remembered beside it.
 */
export type Network =
  | "backbone"
  | "sidenet"
  | "longmem"
  | "infllm"
  | "memorizing-transformer"
  | "knn-lm";

/** The networks, by name. */
export const networks = new Registry<NetworkKind>(
  {
    backbone: backboneNetwork,
    sidenet: sideNetNetwork,
    longmem: longMemNetwork,
    infllm: infLlmNetwork,
    "memorizing-transformer": memorizingNetwork,
    "knn-lm": knnLmNetwork,
  } satisfies Record<Network, unknown>, // the type's names, all of them and no others: the reference shows them
  { discriminator: "network" },
);
