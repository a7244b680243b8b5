import {
  type BackboneOutputs,
  type BatchOptions,
  localAttention,
  mergeHeads,
  splitHeads,
  type Weights,
} from "../backbone/backbone_graph.ts";
import type { BackboneShape } from "../backbone/shape.ts";
import type { Value } from "../graph/graph.ts";
import { add } from "../graph/ops/add.ts";
import { dropout, type DropoutMask } from "../graph/ops/dropout.ts";
import { gelu } from "../graph/ops/gelu.ts";
import { layerNorm } from "../graph/ops/layer_norm.ts";
import { linear } from "../graph/ops/linear.ts";
import { mul } from "../graph/ops/mul.ts";
import { sub } from "../graph/ops/sub.ts";
import { jointAttention, type MemoryReader } from "./joint_attention.ts";
import { memoryLayer, type SideNetShape } from "./sidenet_shape.ts";

/** LayerNorm epsilon of the SideNet; the backbone's is smaller. */
const epsilon = 1e-5;

/** How a SideNet computes. */
export interface SideNetOptions extends BatchOptions {
  /** Reads the memory in layer Mx; absent for a SideNet without memory. */
  readonly memory?: MemoryReader;
  /** Dropout of layer i, in training. */
  readonly dropout?: (layer: number) => { attention: DropoutMask; mlp: DropoutMask } | undefined;
}

/** What a SideNet computes. */
export interface SideNetOutputs {
  /** The stream before each layer and after the last: S+1 values [N, E]. */
  readonly hiddenStates: readonly Value[];
  /** Keys and values of the layers' attention to the segment [B, H, T, D]. */
  readonly heads: readonly { k: Value; v: Value }[];
  /** Attention outputs of the layers, after the output projection [N, E]. */
  readonly attentionOutputs: readonly Value[];
  /** After the final LayerNorm [N, E]: what the frozen head reads. */
  readonly features: Value;
}

/** Name of a SideNet layer among the layers that attend to the segment. */
export function sideNetLayerName(i: number): string {
  return `sidenet.${i}`;
}

/** The SideNet (specification section 4) beside a backbone's forward pass. */
export function sideNetForward(
  backbone: BackboneOutputs,
  weights: Weights,
  shape: SideNetShape & { backbone: BackboneShape },
  options: SideNetOptions,
): SideNetOutputs {
  const { layers: S, reductionFactor: r } = shape;
  const { heads: H, hiddenDim: E } = shape.backbone;
  const hs = backbone.hiddenStates;
  const { graph } = hs[0];
  const scale = graph.scalar((E / H) ** -0.5);
  const hiddenStates = [hs[0]];
  const heads: { k: Value; v: Value }[] = [];
  const attentionOutputs: Value[] = [];
  for (let i = 0; i < S; i++) {
    const next = graph.scope(sideNetLayerName(i), () => {
      const weight = (name: string) => weights(`layers.${i}.${name}`);
      const x = hiddenStates[i];
      const u = layerNorm(x, weight("ln_1.weight"), weight("ln_1.bias"), epsilon);
      const query = linear(u, weight("self_attn.q_proj.weight")); // unscaled: retrieval uses it so
      const q = splitHeads(mul(query, scale), options, H);
      const k = splitHeads(linear(u, weight("self_attn.k_proj.weight")), options, H);
      const v = splitHeads(linear(u, weight("self_attn.v_proj.weight")), options, H);
      heads.push({ k, v });
      const masks = options.dropout?.(i);
      const memory = i === memoryLayer(shape) ? options.memory : undefined;
      const local = localAttention({ q, k, v }, options, {
        layer: sideNetLayerName(i),
        bias: (block) =>
          memory
            ? options.bias.blockWithPadsVisible(block, memory.bank.active)
            : options.bias.block(block),
        ...(masks ? { mask: masks.attention } : {}),
      });
      const o = memory
        ? jointAttention(
          local,
          { q, query: splitHeads(query, options, H) },
          weight("self_attn.memory_bias"),
          memory,
        )
        : local;
      const a = linear(mergeHeads(o), weight("self_attn.out_proj.weight"));
      attentionOutputs.push(a);
      const inner = gelu(linear(u, weight("fc1.weight"), weight("fc1.bias")));
      const f = dropout(linear(inner, weight("fc2.weight"), weight("fc2.bias")), masks?.mlp);
      if (shape.crossNetworkResidual === false) return add(add(f, a), x);
      return add(add(f, a), add(sub(hs[r * i + r], hs[r * i]), x));
    });
    hiddenStates.push(next);
  }
  const features = layerNorm(
    hiddenStates[S],
    weights("layer_norm.weight"),
    weights("layer_norm.bias"),
    epsilon,
  );
  return { hiddenStates, heads, attentionOutputs, features };
}
