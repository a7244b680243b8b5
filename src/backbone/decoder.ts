/**
 * Decoders put together from parts that most language models share: norms, positions, heads, MLPs and residuals of a few kinds.
 * An architecture chooses among them; names of tensors are the same for all:
 *
 *     embeddings.weight [V, E]   embeddings_norm.*   positions.weight [n, E]
 *     blocks.0.attention_norm.*  blocks.0.attention.{q,k,v,out}.*   blocks.0.attention.{q_norm,k_norm}.weight [D] or [heads D]
 *     blocks.0.mlp_norm.*        blocks.0.mlp.{gate,in,out}.*       blocks.0.{attention,mlp}_output_norm.*
 *     final_norm.*               head.weight [V, E]  head.bias [V]
 */
import { z } from "zod";
import { nonNegativeInteger, oneOf } from "../declaration/fields.ts";
import type { Graph, Value } from "../graph/graph.ts";
import { add } from "../graph/ops/add.ts";
import { dropout } from "../graph/ops/dropout.ts";
import { gather } from "../graph/ops/gather.ts";
import { gelu, geluSigmoid, geluTanh } from "../graph/ops/gelu.ts";
import { layerNorm } from "../graph/ops/layer_norm.ts";
import { greaterOrEqual } from "../graph/ops/greater_or_equal.ts";
import { linear } from "../graph/ops/linear.ts";
import { mul } from "../graph/ops/mul.ts";
import { relu } from "../graph/ops/relu.ts";
import { reshape } from "../graph/ops/reshape.ts";
import { rmsNorm } from "../graph/ops/rms_norm.ts";
import { silu } from "../graph/ops/silu.ts";
import { slice } from "../graph/ops/slice.ts";
import { where } from "../graph/ops/where.ts";
import type {
  Architecture,
  BatchSizes,
  BlockContext,
  BlockOutputs,
  Positions,
  SideNetLayers,
  TensorRole,
  Weights,
} from "./architecture.ts";
import { alibiPositions } from "./attention_bias.ts";
import { causalBias, positionIds } from "./causal_bias.ts";
import { mergeHeads, splitHeads } from "./heads.ts";
import type { HuggingFaceFormat } from "./huggingface_format.ts";
import { type RotaryPositions, rotaryPositions } from "./rotary.ts";
import type { BackboneShape } from "./shape.ts";

/** Activations of MLPs. */
export const activations = {
  gelu,
  "gelu-tanh": geluTanh,
  "gelu-sigmoid": geluSigmoid,
  silu,
  relu,
  "relu-squared": (x: Value) => mul(relu(x), relu(x)),
} as const;

/** Name of an activation. */
export type Activation = keyof typeof activations;

/** The form of an activation's name. */
export const activation = oneOf(...Object.keys(activations) as [Activation, ...Activation[]]);

/** The form of numbers of blocks; there may be none. */
export const blockNumbers = z.array(nonNegativeInteger).readonly().describe(
  "lists of integers from 0",
);

/** Parts of a decoder. */
export interface DecoderPlan {
  /** Heads of keys and values Hkv; each serves H / Hkv neighbouring heads of queries. */
  readonly keyValueHeads: number;
  /** Channels of a head D. */
  readonly headDim: number;
  readonly norm: {
    readonly kind: "layer" | "rms";
    readonly epsilon: number;
    /** What multiplies its values, and what is added to them; absent: a gain, of LayerNorms a bias, too. */
    readonly learned?: "gain and bias" | "gain" | "nothing";
  };
  /** Whether norms stand before attention and MLP, after them, where their outputs are not yet added to the stream, or both; absent: before. */
  readonly norms?: "before" | "after" | "both";
  /** Factor of the embeddings; absent: 1. */
  readonly embeddingScale?: number;
  /** Whether a norm follows the embeddings. */
  readonly embeddingsNorm?: boolean;
  readonly positions:
    | { readonly kind: "learned"; readonly count: number }
    | RotaryPositions
    | { readonly kind: "alibi"; readonly mostTokens?: undefined };
  /** Whether the MLP reads the stream after the attention, or beside it, where the two may share a norm. */
  readonly residual: "sequential" | "parallel" | "parallel-one-norm";
  /** Whether outputs of attention and MLP are added to the norms that these read, not to the stream. */
  readonly addsToNorms?: boolean;
  /** Factor of outputs of attention and MLP as they are added; absent: 1. */
  readonly residualScale?: number;
  /** Factor of the scores of a block; absent: D^-1/2. */
  scoreScale?(block: number): number;
  /** The largest absolute value of queries, keys and values; absent: there is none. */
  readonly projectionLimit?: number | undefined;
  /** Soft cap c of the scores s, which become c tanh(s / c), also of retrieved keys; absent: they have none. */
  readonly scoreSoftCap?: number | undefined;
  /** Which projections of the attention have biases. */
  readonly attentionBias: { readonly qkv: boolean; readonly out: boolean };
  /** Whether queries and keys have such a norm, too, of each head or of all heads together; absent: they have none. */
  readonly queryKeyNorms?: "of each head" | "of all heads";
  readonly mlp: {
    /** Whether the activation of one projection multiplies another. */
    readonly gated: boolean;
    readonly activation: Activation;
    readonly bias: boolean;
  };
  /** Tokens that queries of a block see, themselves included; absent: all before them. */
  windowTokens?(block: number): number | undefined;
  /** Factor of the logits; absent: 1. */
  readonly logitScale?: number;
  /** Such a soft cap of the logits; absent: they have none. */
  readonly logitSoftCap?: number | undefined;
  /** Whether the head is the table of embeddings. */
  readonly tied: boolean;
  /** Whether the head has a bias. */
  readonly headBias?: boolean;
}

/** How an architecture chooses its parts. */
export interface DecoderOptions<Settings extends z.ZodObject> {
  readonly name: string;
  /** Settings, with a default for each that is not optional. */
  readonly settings: Settings;
  plan(shape: BackboneShape, settings: z.output<Settings>): DecoderPlan;
  readonly huggingFace?: HuggingFaceFormat;
}

const blockPrefix = (index: number) => `blocks.${index}.`;
const finalPrefix = "final_norm.", gate = "attention.memory_bias";

/** An architecture made of shared parts. */
export function decoder<Settings extends z.ZodObject>(
  options: DecoderOptions<Settings>,
): Architecture {
  const { name, settings, huggingFace } = options;
  const plans = new WeakMap<BackboneShape, DecoderPlan>();
  const planOf = (shape: BackboneShape): DecoderPlan => {
    const known = plans.get(shape);
    if (known) return known;
    const plan = options.plan(shape, settings.parse(shape.settings ?? {}));
    plans.set(shape, plan);
    return plan;
  };
  return {
    name,
    settings,
    problem(shape) {
      const parsed = settings.safeParse(shape.settings ?? {});
      if (!parsed.success) {
        const [{ path, message }] = parsed.error.issues;
        return `${["settings", ...path].join(".")} is not allowed: ${message}`;
      }
      return planProblem(shape, planOf(shape));
    },
    keyHeads(shape) {
      const { keyValueHeads, headDim } = planOf(shape);
      return { keyValueHeads, headDim };
    },
    scoreSoftCap: (shape) => planOf(shape).scoreSoftCap,
    mostTokens(shape) {
      const { positions } = planOf(shape);
      return positions.kind === "learned" ? positions.count : positions.mostTokens;
    },
    tensors: (shape) => tensorShapes(shape, planOf(shape)),
    roleOf,
    blockPrefix,
    finalPrefix,
    gate,
    positions: (graph, shape, batch) => decoderPositions(graph, shape.heads, planOf(shape), batch),
    embed(tokens, weights, { shape, batch }) {
      const { rows: B, contextTokens: T, positions } = batch, { hiddenDim: E } = shape;
      const plan = planOf(shape);
      let h = gather(weights("embeddings.weight"), reshape(tokens, [B * T])); // [N, E]
      if (plan.embeddingScale !== undefined) h = mul(h, h.graph.scalar(plan.embeddingScale));
      if (positions.embeddings) {
        const added = positions.embeddings(weights("positions.weight")); // [B or 1, T, E]
        h = reshape(add(reshape(h, [B, T, E]), added), [B * T, E]);
      }
      return plan.embeddingsNorm ? norm(h, weights, "embeddings_norm", plan.norm) : h;
    },
    block: (x, weights, context) => block(x, weights, context, planOf(context.shape)),
    finish: (x, weights, shape) => norm(x, weights, "final_norm", planOf(shape).norm),
    head(weights, shape) {
      const { tied, headBias, logitScale: featureScale, logitSoftCap: softCap } = planOf(shape);
      return {
        weight: weights(tied ? "embeddings.weight" : "head.weight"),
        ...(headBias && { bias: weights("head.bias") }),
        featureScale,
        softCap,
      };
    },
    sideNet: sideNetLayers(planOf),
    ...(huggingFace ? { huggingFace } : {}),
  };
}

/** The problem of sizes that do not go together. */
function planProblem(
  { layers, heads, hiddenDim }: BackboneShape,
  { keyValueHeads, headDim, positions }: DecoderPlan,
): string | undefined {
  if (!Number.isSafeInteger(headDim)) {
    return `hiddenDim must be a multiple of heads: current values are ${hiddenDim} and ${heads}`;
  }
  if (heads % keyValueHeads !== 0) {
    return `heads must be a multiple of keyValueHeads: current values are ${heads} and ${keyValueHeads}`;
  }
  if (positions.kind !== "rotary") return undefined;
  for (let block = 0; block < layers; block++) {
    const rotation = positions.rotation(block);
    const channels = 2 * (rotation?.frequencies.length ?? 1);
    if (!(channels >= 2 && channels <= headDim)) {
      return `rotated channels must be an even number up to the ${headDim} of a head: current number is ${channels}`;
    }
  }
  return positions.problem;
}

/** Whether norms stand before attention and MLP, and after them. */
function normPlaces({ norms = "before" }: DecoderPlan): { before: boolean; after: boolean } {
  return { before: norms !== "after", after: norms !== "before" };
}

/** Whether a norm has a gain and a bias. */
function learnedOf(
  { kind, learned = kind === "layer" ? "gain and bias" : "gain" }: DecoderPlan["norm"],
): { gain: boolean; bias: boolean } {
  return { gain: learned !== "nothing", bias: learned === "gain and bias" };
}

/** Shapes of the tensors of a norm. */
function addNorm(
  shapes: Map<string, number[]>,
  name: string,
  size: number,
  norm: DecoderPlan["norm"],
): void {
  const { gain, bias } = learnedOf(norm);
  if (gain) shapes.set(`${name}.weight`, [size]);
  if (bias) shapes.set(`${name}.bias`, [size]);
}

/** Shapes of the tensors of a block, by their names within it. */
function blockTensors(
  { hiddenDim: E, feedForwardDim: F, heads: H }: BackboneShape,
  plan: DecoderPlan,
): Map<string, number[]> {
  const { keyValueHeads: K, headDim: D, attentionBias: bias, mlp } = plan;
  const { before, after } = normPlaces(plan);
  const shapes = new Map<string, number[]>();
  const addLinear = (name: string, [out, into]: [number, number], hasBias: boolean) => {
    shapes.set(`${name}.weight`, [out, into]);
    if (hasBias) shapes.set(`${name}.bias`, [out]);
  };
  if (before) addNorm(shapes, "attention_norm", E, plan.norm);
  addLinear("attention.q", [H * D, E], bias.qkv);
  addLinear("attention.k", [K * D, E], bias.qkv);
  addLinear("attention.v", [K * D, E], bias.qkv);
  if (plan.queryKeyNorms) {
    const [ofQueries, ofKeys] = plan.queryKeyNorms === "of each head" ? [D, D] : [H * D, K * D];
    addNorm(shapes, "attention.q_norm", ofQueries, plan.norm);
    addNorm(shapes, "attention.k_norm", ofKeys, plan.norm);
  }
  addLinear("attention.out", [E, H * D], bias.out);
  if (after) addNorm(shapes, "attention_output_norm", E, plan.norm);
  if (before && plan.residual !== "parallel-one-norm") {
    addNorm(shapes, "mlp_norm", E, plan.norm);
  }
  if (mlp.gated) addLinear("mlp.gate", [F, E], mlp.bias);
  addLinear("mlp.in", [F, E], mlp.bias);
  addLinear("mlp.out", [E, F], mlp.bias);
  if (after) addNorm(shapes, "mlp_output_norm", E, plan.norm);
  return shapes;
}

function tensorShapes(shape: BackboneShape, plan: DecoderPlan): Map<string, number[]> {
  const { layers, hiddenDim: E, vocabSize: V } = shape, { positions, norm } = plan;
  const shapes = new Map<string, number[]>([["embeddings.weight", [V, E]]]);
  if (plan.embeddingsNorm) addNorm(shapes, "embeddings_norm", E, norm);
  if (positions.kind === "learned") shapes.set("positions.weight", [positions.count, E]);
  for (let i = 0; i < layers; i++) {
    for (const [name, sizes] of blockTensors(shape, plan)) shapes.set(blockPrefix(i) + name, sizes);
  }
  addNorm(shapes, "final_norm", E, norm);
  if (!plan.tied) shapes.set("head.weight", [V, E]);
  if (plan.headBias) shapes.set("head.bias", [V]);
  return shapes;
}

function roleOf(name: string): TensorRole {
  if (name === "embeddings.weight" || name === "positions.weight") return "embeddings";
  if (name === "head.weight") return "head";
  if (/\.(attention|mlp)\.out\.weight$/.test(name)) return "output";
  return /norm\.weight$/.test(name) ? "gain" : "other";
}

function norm(
  x: Value,
  weights: Weights,
  name: string,
  plan: DecoderPlan["norm"],
): Value {
  const { kind, epsilon } = plan, learned = learnedOf(plan), E = x.shape[x.rank - 1];
  const all = (value: number) => x.graph.constant(new Float32Array(E).fill(value), [E]);
  const gain = learned.gain ? weights(`${name}.weight`) : all(1);
  switch (kind) {
    case "layer":
      return layerNorm(x, gain, learned.bias ? weights(`${name}.bias`) : all(0), epsilon);
    case "rms":
      return rmsNorm(x, gain, epsilon);
    default:
      return kind satisfies never;
  }
}

/** Values cut off at an absolute value; undefined: as they are. */
function limited(x: Value, limit: number | undefined): Value {
  if (limit === undefined) return x;
  const [low, high] = [-limit, limit].map((bound) => x.graph.scalar(bound));
  const below = where(greaterOrEqual(x, high), high, x);
  return where(greaterOrEqual(low, below), low, below);
}

function block(
  x: Value,
  weights: Weights,
  { shape: { heads: H }, batch, index, attend, mlpDropout, across }: BlockContext,
  plan: DecoderPlan,
): BlockOutputs {
  const { keyValueHeads: K, headDim: D, mlp } = plan, { positions } = batch;
  const { before, after } = normPlaces(plan);
  const scale = x.graph.scalar(plan.scoreScale?.(index) ?? D ** -0.5);
  const dense = (x: Value, name: string, hasBias: boolean) =>
    linear(x, weights(`${name}.weight`), hasBias ? weights(`${name}.bias`) : undefined);
  const normed = (x: Value, name: string, isThere: boolean) =>
    isThere ? norm(x, weights, name, plan.norm) : x;
  const u = normed(x, "attention_norm", before);
  const project = (name: "q" | "k" | "v") => {
    const projected = limited(
      dense(u, `attention.${name}`, plan.attentionBias.qkv),
      plan.projectionLimit,
    ); // [N, heads D]
    if (name === "v" || !plan.queryKeyNorms) return projected;
    const [N, width] = projected.shape;
    const size = plan.queryKeyNorms === "of each head" ? D : width;
    const rows = reshape(projected, [N * width / size, size]);
    return reshape(norm(rows, weights, `attention.${name}_norm`, plan.norm), [N, width]);
  };
  const q = project("q"), k = project("k"), v = project("v");
  const { turn, turnBy } = positions;
  const turned = (x: Value) => turn ? turn(x, index) : x;
  const scaledQuery = splitHeads(mul(q, scale), batch, H);
  const windowTokens = plan.windowTokens?.(index);
  const heads = {
    q: turned(scaledQuery),
    scaledQuery,
    query: splitHeads(q, batch, H),
    k: turned(splitHeads(k, batch, K)),
    v: splitHeads(v, batch, K),
    ...(turnBy && { turnBy: (x: Value, tokens?: number) => turnBy(x, index, tokens) }),
    ...(windowTokens === undefined ? {} : { windowTokens }),
    softCap: plan.scoreSoftCap,
  };
  const projected = dense(mergeHeads(attend(heads)), "attention.out", plan.attentionBias.out);
  const attended = normed(projected, "attention_output_norm", after);
  const part = (x: Value) =>
    plan.residualScale === undefined ? x : mul(x, x.graph.scalar(plan.residualScale));
  const y = add(plan.addsToNorms ? u : x, part(attended));
  const m = plan.residual === "parallel-one-norm"
    ? u
    : normed(plan.residual === "parallel" ? x : y, "mlp_norm", before);
  const activate = activations[mlp.activation];
  const inner = mlp.gated
    ? mul(activate(dense(m, "mlp.gate", mlp.bias)), dense(m, "mlp.in", mlp.bias))
    : activate(dense(m, "mlp.in", mlp.bias));
  const projectedInner = dense(inner, "mlp.out", mlp.bias);
  const added = dropout(normed(projectedInner, "mlp_output_norm", after), mlpDropout);
  const output = add(plan.addsToNorms ? m : y, part(added));
  return {
    output: across ? add(output, across) : output,
    projections: { q, k, v },
    heads,
    attended,
    mlpInput: m,
  };
}

function decoderPositions(
  graph: Graph,
  heads: number,
  { positions }: DecoderPlan,
  batch: BatchSizes,
): Positions {
  switch (positions.kind) {
    case "rotary":
      return rotaryPositions(graph, positions.rotation, batch);
    case "alibi":
      return alibiPositions(graph, heads, batch);
    case "learned":
      return {
        ...causalBias(graph, batch),
        embeddings(table) {
          const ids = positionIds(graph, batch);
          const [, E] = table.shape, { contextTokens: T } = batch;
          return ids
            ? gather(table, ids)
            : reshape(slice(table, { axis: 0, start: 0, end: T }), [1, T, E]);
        },
      };
    default:
      return positions satisfies never;
  }
}

/** Layers of a SideNet are blocks; one has gates besides. */
function sideNetLayers(planOf: (shape: BackboneShape) => DecoderPlan): SideNetLayers {
  return {
    layerTensors(shape, { reads }) {
      const shapes = blockTensors(shape, planOf(shape));
      return reads ? shapes.set(gate, [shape.heads]) : shapes;
    },
    finalTensors(shape) {
      const shapes = new Map<string, number[]>();
      addNorm(shapes, "final_norm", shape.hiddenDim, planOf(shape).norm);
      return shapes;
    },
    gate,
    sourceInBlock: (name) => name,
    sourceOfFinal: (name) => name,
    uniformBound(name, shape) {
      const sizes = blockTensors(shape, planOf(shape)).get(name);
      if (sizes?.length !== 2) return 0;
      const [out, into] = sizes;
      if (/^attention\.[qkv]\./.test(name)) return Math.sqrt(3 / (out + into)); // Xavier, gain 1/sqrt(2)
      if (/^attention\.out\./.test(name)) return Math.sqrt(6 / (out + into)); // Xavier
      return 1 / Math.sqrt(into);
    },
    isGain: (name) => /norm\.weight$/.test(name),
    // A norm takes the scale away from what is before it.
    isOutput: (name, shape) =>
      normPlaces(planOf(shape)).after
        ? /^(attention|mlp)_output_norm\./.test(name)
        : /^(attention|mlp)\.out\./.test(name),
    layer: (x, weights, context) => block(x, weights, context, planOf(context.shape)),
    finish: (x, weights, shape) => norm(x, weights, "final_norm", planOf(shape).norm),
  };
}
