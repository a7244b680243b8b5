import { backboneForward, backbonePrefix } from "../../backbone/backbone_graph.ts";
import type { NetworkKind } from "../network.ts";

/** The frozen language model alone. */
export const backboneNetwork: NetworkKind = {
  name: "backbone",
  remembers: false,
  followsCache: true,
  lacks: () => undefined,
  rememberedBlocks: () => [],
  trained: ({ backbone: { weights } }) => ({
    part: "backbone",
    prefix: backbonePrefix,
    weights,
    layers: [],
  }),
  forward({ tokens, frozen, batch, options }) {
    const { backbone: shape } = options;
    const backbone = backboneForward(tokens, frozen, shape, batch);
    return {
      backbone,
      cached: [],
      retrieved: [],
      features: backbone.features,
    };
  },
};
