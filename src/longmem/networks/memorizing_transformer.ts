import { backboneForward, blockName, weightInputs } from "../../backbone/backbone_graph.ts";
import { localAttention } from "../../backbone/heads.ts";
import { jointAttention } from "../joint_attention.ts";
import { gateName, memorizingTensorShapes } from "../memorizing_transformer.ts";
import { memoryReader, type NetworkKind, type NotedRetrieval } from "../network.ts";

/** Prefix of a Memorizing Transformer's trained weights among the inputs of a graph. */
export const memorizingPrefix = "memorizing.";

/** A Memorizing Transformer: frozen blocks below, trained ones above, of which the lowest reads its own earlier keys and values. */
export const memorizingNetwork: NetworkKind = {
  name: "memorizing-transformer",
  remembers: true,
  followsCache: true,
  lacks: ({ memorizing }) => memorizing ? undefined : "there are no trained blocks",
  rememberedBlocks: ({ memorizing }) => [memorizing!.shape.memoryBlock],
  trained: ({ memorizing, backbone }) =>
    memorizing && {
      part: "memorizing",
      prefix: memorizingPrefix,
      weights: memorizing.weights,
      layers: Array.from({ length: backbone.shape.layers }, (_, i) => i)
        .slice(memorizing.shape.memoryBlock),
    },
  forward({ graph, tokens, frozen, batch, options }) {
    const { backbone: shape, memory, dropout } = options;
    const memorizing = options.memorizing!, { memoryBlock } = memorizing;
    const shapes = memorizingTensorShapes(memorizing, shape);
    const trained = weightInputs(graph, shapes, memorizingPrefix);
    const masks = Array.from(
      { length: shape.layers },
      (_, i) => i >= memoryBlock ? dropout?.(graph, i) : undefined,
    );
    const retrieved: NotedRetrieval[] = [];
    const weights = (name: string) => shapes.has(name) ? trained(name) : frozen(name);
    const backbone = backboneForward(tokens, weights, shape, {
      ...batch,
      attention(i, heads) {
        const local = localAttention(heads, batch, {
          layer: blockName(i),
          ...(masks[i] ? { mask: masks[i].attention } : {}),
        });
        if (i !== memoryBlock || !memory) return local;
        const reader = memoryReader(graph, memory, options, { retrieved });
        const gate = trained(gateName(memorizing, shape));
        return jointAttention(local, heads, gate, { ...reader, ...batch });
      },
      mlpDropout: (i) => masks[i]?.mlp,
    });
    return {
      backbone,
      cached: memory ? [backbone.projections[memoryBlock]] : [],
      retrieved,
      features: backbone.features,
    };
  },
};
