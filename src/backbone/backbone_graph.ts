import type { Graph, Value } from "../graph/graph.ts";
import { cast } from "../graph/ops/cast.ts";
import type { DropoutMask } from "../graph/ops/dropout.ts";
import { InputRangeError } from "../errors.ts";
import type { AttentionHeads, BatchOptions, BatchSizes, Weights } from "./architecture.ts";
import { architectureOf, backboneTensorShapes } from "./architectures.ts";
import { localAttention } from "./heads.ts";
import type { BackboneShape, FrozenType } from "./shape.ts";

/**
 * Declares weights as inputs of a graph, each when first used; names get `prefix`.
 *
 * @param type Type in which matrices are held, as {@linkcode frozenTypeOf} has it; arithmetic is float32 in any case.
 */
export function weightInputs(
  graph: Graph,
  shapes: ReadonlyMap<string, readonly number[]>,
  prefix: string,
  type: FrozenType = "float32",
): Weights {
  const used = new Map<string, Value>();
  return (name) => {
    const known = used.get(name) ?? graph.inputs.get(prefix + name);
    if (known) return known;
    const shape = shapes.get(name);
    if (!shape) {
      throw new InputRangeError(`Cannot use weight "${name}" as the model has none of this name`);
    }
    const weight = cast(graph.input(prefix + name, shape, frozenTypeOf(shape, type)), "float32");
    used.set(name, weight);
    return weight;
  };
}

/** Prefix of the backbone's weights among the inputs of a graph. */
export const backbonePrefix = "backbone.";

/** Type in which a weight of this shape is held: matrices in `type`, small tensors such as gains and biases in float32. */
export function frozenTypeOf(shape: readonly number[], type: FrozenType): FrozenType {
  return shape.length === 2 ? type : "float32";
}

/** Declares the backbone's weights, as {@linkcode weightInputs}. */
export function backboneWeights(
  graph: Graph,
  shape: BackboneShape,
  type?: FrozenType,
): Weights {
  return weightInputs(graph, backboneTensorShapes(shape), backbonePrefix, type);
}

/**
 * Where the tokens of a batch stand.
 *
 * @throws RangeError where the architecture has no positions for so many tokens.
 */
export function backbonePositions(
  graph: Graph,
  shape: BackboneShape,
  batch: BatchSizes,
): BatchOptions["positions"] {
  const architecture = architectureOf(shape);
  const most = architecture.mostTokens?.(shape) ?? Infinity;
  const tokens = batch.cachedTokens ?? batch.contextTokens;
  if (tokens > most) {
    throw new InputRangeError(
      `Cannot run segments of ${tokens} tokens as the backbone has positions for ${most}: allowed are 1 to ${most} tokens`,
    );
  }
  return architecture.positions(graph, shape, batch);
}

/** Values of a forward pass; a graph evaluates only those that its outputs need. */
export interface BackboneOutputs {
  /**
   * h[0] .. h[L], the streams before the blocks and after the last: L+1 values [N, E], N = B*T. The last is already normed in
   * the paper's architecture.
   */
  readonly hiddenStates: readonly Value[];
  /** h[L] before the final norm [N, E]. */
  readonly lastStream: Value;
  /** h[L] after the final norm [N, E]: input of the head. */
  readonly features: Value;
  /** Query, key and value projections of each block [N, H D] and [N, Hkv D], without position, before the split into heads. */
  readonly projections: readonly { q: Value; k: Value; v: Value }[];
  /** The same as the attention of each block takes them. */
  readonly heads: readonly AttentionHeads[];
  /** Input of each block's MLP [N, E]. */
  readonly mlpInputs: readonly Value[];
}

/** Name of a block among the layers that attend to the segment. */
export function blockName(i: number): string {
  return `backbone.${i}`;
}

/** How a backbone computes. */
export interface BackboneOptions extends BatchOptions {
  /** Attention of block i [B, H, T, D]; absent: to the segment alone. */
  readonly attention?: (i: number, heads: AttentionHeads) => Value;
  /** Dropout on the output of the MLP of block i, in training. */
  readonly mlpDropout?: (i: number) => DropoutMask | undefined;
}

/** The backbone on tokens int32 [B, T]. */
export function backboneForward(
  tokens: Value,
  weights: Weights,
  shape: BackboneShape,
  options: BackboneOptions,
): BackboneOutputs {
  const { graph } = tokens;
  const { layers: L } = shape;
  const architecture = architectureOf(shape);
  let h = architecture.embed(tokens, weights, { shape, batch: options });
  const hiddenStates = [h];
  const projections: { q: Value; k: Value; v: Value }[] = [];
  const heads: AttentionHeads[] = [];
  const mlpInputs: Value[] = [];
  for (let i = 0; i < L; i++) {
    h = graph.scope(blockName(i), () => {
      const prefix = architecture.blockPrefix(i);
      const block = architecture.block(h, (name) => weights(prefix + name), {
        shape,
        batch: options,
        index: i,
        attend: (heads) =>
          options.attention?.(i, heads) ?? localAttention(heads, options, { layer: blockName(i) }),
        mlpDropout: options.mlpDropout?.(i),
      });
      projections.push(block.projections);
      heads.push(block.heads);
      mlpInputs.push(block.mlpInput);
      return block.output;
    });
    hiddenStates.push(h);
  }
  const features = architecture.finish(h, weights, shape);
  if (architecture.lastStateIsNormed) hiddenStates[L] = features;
  return { hiddenStates, lastStream: h, features, projections, heads, mlpInputs };
}
