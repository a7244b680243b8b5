/**
 * The Memorizing Transformer as the paper compares it (MemTRM): no network beside the language model, but a memory layer
 * within it. Blocks 0 .. R-1 of the backbone are frozen; block R, all above it and the final LayerNorm are trained, from
 * copies of the backbone's weights; embeddings and head stay frozen. Block R reads the memory by the joint attention of
 * LongMem's memory layer (two softmaxes, a gate for each head), but keys and values are those of block R ITSELF: it is trained,
 * so that the memory's contents were written by older weights, the staleness that LongMem's frozen encoder avoids. No gradient
 * flows into the memory. Retrieval, bank, protocol and training are LongMem's.
 *
 * The original (arXiv 2203.08913) trains the whole model from scratch, retrieves single tokens and normalises keys.
 */
import { architectureOf } from "../../backbone/architectures.ts";
import { backboneForward, blockName } from "../../backbone/backbone_graph.ts";
import { localAttention } from "../../backbone/heads.ts";
import type { BackboneShape } from "../../backbone/shape.ts";
import { InputRangeError } from "../../errors.ts";
import { elementCount, type HostTensor, type TensorMap } from "../../tensor.ts";
import { jointAttention } from "../joint_attention.ts";
import { memoryReader, type NetworkKind, type NotedRetrieval } from "../network.ts";

/** Where the memory is within the backbone. */
export interface MemorizingShape {
  /** Block R that caches its keys and values and reads the memory; it and all above are trained. */
  readonly memoryBlock: number;
}

/** The trained part of a Memorizing Transformer. */
export interface MemorizingPart {
  readonly network: "memorizing-transformer";
  /** Where the memory is. */
  readonly shape: MemorizingShape;
  /** Tensors by their names: the backbone's own, and the gates'. */
  readonly weights: TensorMap;
}

/** The blocks that are trained. */
function trainedBlocks({ memoryBlock }: MemorizingShape, { layers }: BackboneShape): number[] {
  return Array.from({ length: layers }, (_, i) => i).slice(memoryBlock);
}

/** Name of the gates [H]: the share of memory is their sigmoid. */
function gateName({ memoryBlock }: MemorizingShape, backbone: BackboneShape): string {
  const { blockPrefix, gate } = architectureOf(backbone);
  return blockPrefix(memoryBlock) + gate;
}

/** Names of the trained tensors, those of the backbone that they are copies of, and their shapes. */
function memorizingTensorShapes(
  shape: MemorizingShape,
  backbone: BackboneShape,
): Map<string, number[]> {
  const architecture = architectureOf(backbone);
  const blocks = trainedBlocks(shape, backbone).map((i) => architecture.blockPrefix(i));
  const prefixes = [...blocks, architecture.finalPrefix];
  const shapes = new Map(
    [...architecture.tensors(backbone)].filter(([name]) =>
      prefixes.some((prefix) => name.startsWith(prefix))
    ),
  );
  return shapes.set(gateName(shape, backbone), [backbone.heads]);
}

/**
 * Copies the parameters to be trained from a backbone; gates start at sigmoid(0) = 0.5.
 *
 * @throws RangeError if the backbone has no such block.
 */
export function initializeMemorizing(
  shape: MemorizingShape,
  backbone: { shape: BackboneShape; weights: ReadonlyMap<string, HostTensor> },
): MemorizingPart {
  const { memoryBlock } = shape, { layers } = backbone.shape;
  if (!(Number.isSafeInteger(memoryBlock) && memoryBlock >= 0 && memoryBlock < layers)) {
    throw new InputRangeError(
      `Cannot give block ${memoryBlock} a memory as the backbone has none: allowed are 0 to ${
        layers - 1
      }`,
    );
  }
  const weights = new Map(
    [...memorizingTensorShapes(shape, backbone.shape)].map(([name, sizes]) => [name, {
      shape: sizes,
      data: backbone.weights.get(name)?.data.slice() ?? new Float32Array(elementCount(sizes)),
    }]),
  );
  return { network: "memorizing-transformer", shape, weights };
}

/** A Memorizing Transformer: frozen blocks below, trained ones above, of which the lowest reads its own earlier keys and values. */
export const memorizingNetwork: NetworkKind<MemorizingShape> = {
  part: {
    lack: "there are no trained blocks",
    weights: {
      name: "memorizing",
      label: "the blocks",
      prefix: "memorizing.",
      tensors: memorizingTensorShapes,
      layers: trainedBlocks,
    },
  },
  memory: {
    blocks: ({ memoryBlock }) => [memoryBlock],
    unshared: "it is that of a trained block, not of the frozen backbone",
  },
  followsCache: true,
  forward({ graph, tokens, frozen, part, weights: trained, batch, options }) {
    const { backbone: shape, memory, dropout } = options, { memoryBlock } = part;
    const shapes = memorizingTensorShapes(part, shape);
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
          mask: masks[i]?.attention,
        });
        if (i !== memoryBlock || !memory) return local;
        const reader = memoryReader(graph, memory, options, { retrieved });
        const gate = trained(gateName(part, shape));
        return jointAttention(local, heads, gate, reader);
      },
      mlpDropout: (i) => masks[i]?.mlp,
    });
    const cached = memory ? [backbone.projections[memoryBlock]] : [];
    return { backbone, cached, retrieved };
  },
};
