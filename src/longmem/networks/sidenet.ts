import { backboneForward, weightInputs } from "../../backbone/backbone_graph.ts";
import {
  memoryReader,
  type NetworkKind,
  type NetworkPass,
  type NetworkStates,
  type NotedRetrieval,
} from "../network.ts";
import { sideNetForward } from "../sidenet_graph.ts";
import { sideNetTensorShapes } from "../sidenet_shape.ts";

/** Prefix of the SideNet's weights among the inputs of a graph. */
export const sideNetPrefix = "sidenet.";

/** The SideNet beside the backbone; with a memory, if there is one. */
export function sideNetPass({ graph, tokens, frozen, batch, options }: NetworkPass): NetworkStates {
  const { backbone: shape, sideNet, memory, dropout } = options;
  const trained = weightInputs(graph, sideNetTensorShapes(sideNet!, shape), sideNetPrefix);
  const backbone = backboneForward(tokens, frozen, shape, batch);
  const retrieved: NotedRetrieval[] = [];
  const side = sideNetForward(backbone, trained, { ...sideNet!, backbone: shape }, {
    ...batch,
    ...(memory ? { memory: memoryReader(graph, memory, options, { retrieved }) } : {}),
    ...(dropout ? { dropout: (layer) => dropout(graph, layer) } : {}),
  });
  return {
    backbone,
    sideNet: side,
    cached: memory ? [backbone.projections[sideNet!.memoryBlock]] : [],
    retrieved,
    features: side.features,
  };
}

/** The SideNet without memory. */
export const sideNetNetwork: NetworkKind = {
  name: "sidenet",
  remembers: false,
  followsCache: true,
  lacks: ({ sideNet }) => sideNet ? undefined : "there is no SideNet",
  rememberedBlocks: () => [],
  trained: ({ sideNet }) =>
    sideNet && {
      part: "sideNet",
      prefix: sideNetPrefix,
      weights: sideNet.weights,
      layers: Array.from({ length: sideNet.shape.layers }, (_, i) => i),
    },
  forward({ options: { memory: _, ...options }, ...pass }) {
    return sideNetPass({ ...pass, options });
  },
};
