import { architectureOf } from "../../backbone/architectures.ts";
import { backboneForward, backbonePrefix } from "../../backbone/backbone_graph.ts";
import { type NetworkKind, scoredFeatures } from "../network.ts";

/** The frozen language model alone. */
export const backboneNetwork: NetworkKind = {
  name: "backbone",
  remembers: false,
  followsCache: true,
  lacks: () => undefined,
  rememberedBlocks: () => [],
  trained: ({ backbone }) => ({ prefix: backbonePrefix, weights: backbone.weights, layers: [] }),
  forward({ graph, tokens, frozen, batch, options }) {
    const { backbone: shape } = options;
    const backbone = backboneForward(tokens, frozen, shape, batch);
    return {
      graph,
      tokens,
      head: architectureOf(shape).head(frozen, shape),
      backbone,
      sideNet: undefined,
      cached: [],
      retrieved: [],
      features: scoredFeatures(backbone.features, options),
    };
  },
};
