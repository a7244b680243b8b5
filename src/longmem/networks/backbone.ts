import { backboneForward } from "../../backbone/backbone_graph.ts";
import type { NetworkKind } from "../network.ts";

/** The frozen language model alone. */
export const backboneNetwork: NetworkKind = {
  followsCache: true,
  forward({ tokens, frozen, batch, options }) {
    const backbone = backboneForward(tokens, frozen, options.backbone, batch);
    return { backbone, cached: [], retrieved: [] };
  },
};
