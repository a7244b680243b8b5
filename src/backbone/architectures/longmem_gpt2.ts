/**
 * The paper's backbone (specification section 3): ALiBi, one LayerNorm that feeds attention and MLP of a block, an untied head
 * with a bias. Tensors have the official names, and id 1 is padding wherever it stands, as in all fairseq models.
 */
import type { Value } from "../../graph/graph.ts";
import { add } from "../../graph/ops/add.ts";
import { dropout } from "../../graph/ops/dropout.ts";
import { gather } from "../../graph/ops/gather.ts";
import { gelu, geluTanh } from "../../graph/ops/gelu.ts";
import { layerNorm } from "../../graph/ops/layer_norm.ts";
import { linear } from "../../graph/ops/linear.ts";
import { mul } from "../../graph/ops/mul.ts";
import { reshape } from "../../graph/ops/reshape.ts";
import type {
  Architecture,
  BlockContext,
  BlockOutputs,
  SideNetLayers,
  Weights,
} from "../architecture.ts";
import { alibiPositions } from "../attention_bias.ts";
import { mergeHeads, splitHeads } from "../heads.ts";
import { type BackboneShape, padId } from "../shape.ts";

/** LayerNorm epsilon of the backbone; the SideNet's is larger. */
const epsilon = 1e-6, sideNetEpsilon = 1e-5;

/** Differences between a SideNet's layer and a block, and the names of its tensors. */
interface LayerKind {
  readonly epsilon: number;
  /** Prefix of the attention's projections. */
  readonly attention: string;
  readonly mlpIn: string;
  readonly mlpOut: string;
  activation(x: Value): Value;
  /** Adds outputs of attention and MLP to the stream, in the official order of additions. */
  join(stream: Value, attended: Value, mlp: Value): Value;
}

const blockKind: LayerKind = {
  epsilon,
  attention: "attn.",
  mlpIn: "mlp.fc_in",
  mlpOut: "mlp.fc_out",
  activation: geluTanh,
  join: (stream, attended, mlp) => add(add(stream, attended), mlp),
};

const sideNetKind: LayerKind = {
  epsilon: sideNetEpsilon,
  attention: "self_attn.",
  mlpIn: "fc1",
  mlpOut: "fc2",
  activation: gelu,
  join: (stream, attended, mlp) => add(add(mlp, attended), stream),
};

/** A block or SideNet layer: its attention and its MLP read the same normalised stream. */
function layer(
  x: Value,
  weights: Weights,
  { shape, batch, attend, mlpDropout, across }: BlockContext,
  kind: LayerKind,
): BlockOutputs {
  const { heads: H, hiddenDim: E } = shape;
  const scale = x.graph.scalar((E / H) ** -0.5);
  const u = layerNorm(x, weights("ln_1.weight"), weights("ln_1.bias"), kind.epsilon);
  const project = (name: string) => linear(u, weights(`${kind.attention}${name}_proj.weight`));
  const q = project("q"), k = project("k"), v = project("v");
  const scaledQuery = splitHeads(mul(q, scale), batch, H);
  const heads = {
    q: scaledQuery,
    scaledQuery,
    query: splitHeads(q, batch, H),
    k: splitHeads(k, batch, H),
    v: splitHeads(v, batch, H),
  };
  const o = attend(heads);
  const a = linear(mergeHeads(o), weights(`${kind.attention}out_proj.weight`));
  const dense = (x: Value, name: string) =>
    linear(x, weights(`${name}.weight`), weights(`${name}.bias`));
  const f = dropout(dense(kind.activation(dense(u, kind.mlpIn)), kind.mlpOut), mlpDropout);
  const output = kind.join(across ? add(across, x) : x, a, f);
  return { output, projections: { q, k, v }, heads, attended: a, mlpInput: u };
}

/** The official SideNet (specification section 4). */
const sideNet: SideNetLayers = {
  layerTensors({ hiddenDim: E, feedForwardDim: F, heads: H }, { reads }) {
    const shapes = new Map<string, number[]>();
    for (const projection of ["k", "v", "q", "out"]) {
      shapes.set(`self_attn.${projection}_proj.weight`, [E, E]);
    }
    if (reads) shapes.set(sideNet.gate, [H]);
    shapes.set("fc1.weight", [F, E]).set("fc1.bias", [F]);
    shapes.set("fc2.weight", [E, F]).set("fc2.bias", [E]);
    return shapes.set("ln_1.weight", [E]).set("ln_1.bias", [E]);
  },
  finalTensors: ({ hiddenDim: E }) =>
    new Map([["layer_norm.weight", [E]], ["layer_norm.bias", [E]]]),
  gate: "self_attn.memory_bias",
  sourceInBlock: (name) =>
    name.replace(/^self_attn\./, "attn.").replace(/^fc1\./, "mlp.fc_in.")
      .replace(/^fc2\./, "mlp.fc_out."),
  sourceOfFinal: (name) => name.replace(/^layer_norm\./, "transformer.ln_f."),
  uniformBound(name, { hiddenDim: E, feedForwardDim: F }) {
    if (/^self_attn\.[qkv]_proj\.weight$/.test(name)) return Math.sqrt(3 / (2 * E)); // Xavier, gain 1/sqrt(2)
    if (name === "self_attn.out_proj.weight") return Math.sqrt(3 / E); // Xavier
    if (/^fc1\.(weight|bias)$/.test(name)) return 1 / Math.sqrt(E);
    if (/^fc2\.(weight|bias)$/.test(name)) return 1 / Math.sqrt(F);
    return 0;
  },
  isGain: (name) => name === "ln_1.weight" || name === "layer_norm.weight",
  isOutput: (name) => /^(self_attn\.out_proj|fc2)\./.test(name),
  layer: (x, weights, context) => layer(x, weights, context, sideNetKind),
  finish: (x, weights) =>
    layerNorm(x, weights("layer_norm.weight"), weights("layer_norm.bias"), sideNetEpsilon),
};

/** The paper's architecture. */
export const longMemGpt2: Architecture = {
  name: "longmem_gpt2",
  problem: ({ hiddenDim, heads }) =>
    hiddenDim % heads === 0
      ? undefined
      : `hiddenDim must be a multiple of heads: current values are ${hiddenDim} and ${heads}`,
  keyHeads: ({ heads, hiddenDim }) => ({ keyValueHeads: heads, headDim: hiddenDim / heads }),
  padId,
  lastStateIsNormed: true,
  tensors(shape: BackboneShape) {
    const { layers, hiddenDim: E, feedForwardDim: F, vocabSize: V } = shape;
    const shapes = new Map<string, number[]>([["transformer.wte.weight", [V, E]]]);
    for (let i = 0; i < layers; i++) {
      const block = longMemGpt2.blockPrefix(i);
      shapes.set(block + "ln_1.weight", [E]).set(block + "ln_1.bias", [E]);
      for (const projection of ["q", "k", "v", "out"]) {
        shapes.set(`${block}attn.${projection}_proj.weight`, [E, E]);
      }
      shapes.set(block + "mlp.fc_in.weight", [F, E]).set(block + "mlp.fc_in.bias", [F]);
      shapes.set(block + "mlp.fc_out.weight", [E, F]).set(block + "mlp.fc_out.bias", [E]);
    }
    shapes.set("transformer.ln_f.weight", [E]).set("transformer.ln_f.bias", [E]);
    return shapes.set("lm_head.weight", [V, E]).set("lm_head.bias", [V]);
  },
  roleOf(name) {
    if (name === "transformer.wte.weight") return "embeddings";
    if (name === "lm_head.weight") return "head";
    if (/\.(attn\.out_proj|mlp\.fc_out)\.weight$/.test(name)) return "output";
    return /\bln_(1|f)\.weight$/.test(name) ? "gain" : "other";
  },
  blockPrefix: (index) => `transformer.h.${index}.`,
  finalPrefix: "transformer.ln_f.",
  gate: "attn.memory_bias",
  positions: (graph, { heads }, batch) => alibiPositions(graph, heads, batch),
  embed(tokens, weights, { batch }) {
    const N = batch.rows * batch.contextTokens;
    return gather(weights("transformer.wte.weight"), reshape(tokens, [N]));
  },
  block: (x, weights, context) => layer(x, weights, context, blockKind),
  finish: (x, weights) =>
    layerNorm(x, weights("transformer.ln_f.weight"), weights("transformer.ln_f.bias"), epsilon),
  head: (weights) => ({ weight: weights("lm_head.weight"), bias: weights("lm_head.bias") }),
  sideNet,
};
