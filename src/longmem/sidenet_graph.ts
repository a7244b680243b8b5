import type { AttentionHeads, BatchOptions, Weights } from "../backbone/architecture.ts";
import { architectureOf } from "../backbone/architectures.ts";
import type { BackboneOutputs } from "../backbone/backbone_graph.ts";
import { localAttention } from "../backbone/heads.ts";
import type { BackboneShape } from "../backbone/shape.ts";
import type { Value } from "../graph/graph.ts";
import type { DropoutMask } from "../graph/ops/dropout.ts";
import { sub } from "../graph/ops/sub.ts";
import { jointAttention, type MemoryReader } from "./joint_attention.ts";
import { layerPrefix, memoryLayer, type SideNetShape, usualLastResidual } from "./sidenet_shape.ts";

/** How a SideNet computes. */
export interface SideNetOptions extends BatchOptions {
  /** Reads the memory in layer Mx; absent for a SideNet without memory. */
  readonly memory?: MemoryReader | undefined;
  /** Dropout of layer i, in training. */
  readonly dropout?: ((layer: number) => { attention: DropoutMask; mlp: DropoutMask }) | undefined;
}

/** Outputs of a SideNet. */
export interface SideNetOutputs {
  /** The stream before each layer and after the last: S+1 values [N, E]. */
  readonly hiddenStates: readonly Value[];
  /** Heads of the layers as their attention to the segment takes them. */
  readonly heads: readonly AttentionHeads[];
  /** Attention outputs of the layers, after the output projection [N, E]. */
  readonly attentionOutputs: readonly Value[];
  /** After the final LayerNorm [N, E]: the input of the frozen head. */
  readonly features: Value;
}

/**
 * The block of the backbone whose window and positions layer i has, where those of blocks differ. A layer stands for r blocks, and
 * takes the one that has the same place among them as the remembered block has among its own: the layer that reads the memory takes
 * that block itself.
 */
function resembledBlock(
  i: number,
  { reductionFactor: r, memoryBlock }: Pick<SideNetShape, "reductionFactor" | "memoryBlock">,
): number {
  return r * i + memoryBlock % r;
}

/** Name of a SideNet layer among the layers that attend to the segment. */
export function sideNetLayerName(i: number): string {
  return `sidenet.${i}`;
}

/** The SideNet (specification section 4) beside a backbone's forward pass: its layers are of the backbone's kind. */
export function sideNetForward(
  backbone: BackboneOutputs,
  weights: Weights,
  shape: SideNetShape & { backbone: BackboneShape },
  options: SideNetOptions,
): SideNetOutputs {
  const { layers: S, reductionFactor: r, lastResidual = usualLastResidual(shape.backbone) } = shape;
  const { sideNet } = architectureOf(shape.backbone);
  const { features: normed, lastStream } = backbone;
  const hs = backbone.hiddenStates.with(-1, lastResidual === "raw" ? lastStream : normed);
  const { graph } = hs[0];
  const hiddenStates = [hs[0]];
  const heads: AttentionHeads[] = [];
  const attentionOutputs: Value[] = [];
  for (let i = 0; i < S; i++) {
    const next = graph.scope(sideNetLayerName(i), () => {
      const prefix = layerPrefix(i);
      const weight = (name: string) => weights(prefix + name);
      const masks = options.dropout?.(i);
      const memory = i === memoryLayer(shape) ? options.memory : undefined;
      const attend = (heads: AttentionHeads) => {
        const local = localAttention(heads, options, {
          layer: sideNetLayerName(i),
          mask: masks?.attention,
          padsVisible: memory?.bank.active,
        });
        return memory ? jointAttention(local, heads, weight(sideNet.gate), memory) : local;
      };
      const layer = sideNet.layer(hiddenStates[i], weight, {
        shape: shape.backbone,
        batch: options,
        index: resembledBlock(i, shape),
        attend,
        mlpDropout: masks?.mlp,
        across: shape.crossNetworkResidual === false ? undefined : sub(hs[r * i + r], hs[r * i]),
      });
      heads.push(layer.heads);
      attentionOutputs.push(layer.attended);
      return layer.output;
    });
    hiddenStates.push(next);
  }
  const features = sideNet.finish(hiddenStates[S], weights, shape.backbone);
  return { hiddenStates, heads, attentionOutputs, features };
}
