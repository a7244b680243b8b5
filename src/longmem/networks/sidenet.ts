import { backboneForward } from "../../backbone/backbone_graph.ts";
import { memoryReader, type NetworkKind, type NotedRetrieval } from "../network.ts";
import { sideNetForward, sideNetLayerName } from "../sidenet_graph.ts";
import { type SideNetShape, sideNetTensorShapes } from "../sidenet_shape.ts";

/** Prefix of the SideNet's weights among the inputs of a graph. */
export const sideNetPrefix = "sidenet.";

/** The SideNet without memory. */
export const sideNetNetwork: NetworkKind<SideNetShape> = {
  part: {
    lack: "there is no SideNet",
    weights: {
      name: "sideNet",
      label: "the SideNet",
      prefix: sideNetPrefix,
      tensors: sideNetTensorShapes,
      layers: ({ layers }) => Array.from({ length: layers }, (_, i) => i),
    },
  },
  followsCache: true,
  forward({ graph, tokens, frozen, part, weights, batch, options }) {
    const { backbone: shape, memory, dropout } = options;
    const backbone = backboneForward(tokens, frozen, shape, batch);
    const retrieved: NotedRetrieval[] = [];
    const side = sideNetForward(backbone, weights, { ...part, backbone: shape }, {
      ...batch,
      memory: memory && memoryReader(graph, memory, options, { retrieved }),
      dropout: dropout && ((layer) => dropout(graph, layer)),
    });
    return {
      backbone,
      layers: new Map(side.heads.map((heads, i) => [sideNetLayerName(i), heads])),
      cached: memory ? [backbone.projections[part.memoryBlock]] : [],
      retrieved,
      features: side.features,
    };
  },
};
