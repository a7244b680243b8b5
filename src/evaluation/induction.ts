/**
 * Induction: which heads of a backbone attend to the token after an earlier occurrence of the current one (Olsson et al. 2022,
 * arXiv 2209.11895)? Keys of such a head carry the preceding token, its queries the current token, its values the key's own
 * token. A memory of the keys and values of its block can therefore be read, and one of another block cannot.
 *
 * Two measures, by block and head, both mean probabilities of attention:
 * - repeated tokens (prefix matching): `<s>`, n random tokens, the same n again. From each token of the second copy to the one
 *   after its first occurrence;
 * - recalls: in books of the chronicle, where a fact is told again within a segment. From the token before the fact's answer to
 *   the answer in its earlier mention.
 */
import { loadBackboneWeights } from "../checkpoint/checkpoint.ts";
import { checkBackboneShape, checkWeights } from "../checkpoint/content.ts";
import { type AttentionProbe, openAttentionProbe } from "../backbone/attention_probe.ts";
import { type BackboneCheckpoint, type BackboneShape } from "../backbone/shape.ts";
import { divisorsOf } from "../longmem/sidenet_shape.ts";
import type { SideNetInitialization } from "../longmem/starts.ts";
import { type Estimate, ratio } from "../statistics/estimates.ts";
import { openDevice } from "../runtime/open_device.ts";
import { writeBooks } from "../text/chronicle/book.ts";
import { defaultChronicle } from "../text/chronicle/config.ts";
import { isFar, segmentStart } from "../text/chronicle/recall.ts";
import { specialIds, vocabulary } from "../text/chronicle/vocabulary.ts";
import { specialTokens } from "../text/tokenizer.ts";
import { Random } from "../random.ts";
import { InputRangeError } from "../errors.ts";
import { architectureOf, backboneTensorShapes } from "../backbone/architectures.ts";

/** The model to measure, and the texts to measure it on. */
export interface InductionOptions {
  /**
   * Books in which recalls are looked at. Default: the chronicle's if the backbone has as many words as the chronicle
   * (a checkpoint does not say which), else none.
   */
  readonly corpus?: "chronicle" | "none";
  /** Tokens T that the backbone sees at once (default as trained, where the checkpoint says, else 128 for the chronicle, 512 otherwise, or as many as it has positions for). */
  readonly contextTokens?: number;
  /** Sequences of repeated tokens (default 32). */
  readonly sequences?: number;
  /** Books (default 8). */
  readonly books?: number;
  /** The same seed gives the same sequences and books (default 1). */
  readonly seed?: number;
  /** Layer reduction factor r of the SideNet that is recommended (default 2); it must divide the backbone's layers. */
  readonly reductionFactor?: number;
  /** Engine (default `auto`). */
  readonly device?: "auto" | "webgpu" | "cpu" | "wasm";
}

/** Attention by block and head. */
export interface InductionMeasure {
  /** Mean probability of each head, by block; its error is that over sequences or books, of which there are `n`. */
  readonly heads: readonly (readonly Estimate[])[];
  /** The mean over the heads of each block. */
  readonly blocks: readonly Estimate[];
  /** Pairs of tokens whose attention was looked up. */
  readonly pairs: number;
}

/** The block to cache. */
export interface InductionRecommendation {
  /** The measure that it relies on: recalls, where they were measured. */
  readonly measure: "recalls" | "repeated";
  /** Whether one of the block's heads reaches {@linkcode inductionThreshold}. If not, no memory can be expected to work. */
  readonly isInductionBlock: boolean;
  /** Fields of a declaration: the block to cache, and the blocks of which SideNet layers begin as copies. */
  readonly sidenet: {
    readonly reductionFactor: number;
    readonly memoryBlock: number;
    readonly initialization: SideNetInitialization;
  };
}

/** How much each head of a backbone is one of induction. */
export interface InductionScores {
  /** Sizes of the backbone. */
  readonly shape: BackboneShape;
  /** Tokens T that it saw at once. */
  readonly contextTokens: number;
  /** Seed of sequences and books. */
  readonly seed: number;
  /** On repeated random tokens. */
  readonly repeated: InductionMeasure;
  /** At the recalls of books; absent where there are none in the backbone's vocabulary. */
  readonly recalls?: InductionMeasure;
  /** Recommendation for a memory. */
  readonly recommendation: InductionRecommendation;
}

/**
 * Attention from which on a head counts as one of induction. A convention: over 128 tokens, heads of random weights reach
 * 0.03, the best of the chronicle's backbone 0.8.
 */
export const inductionThreshold = 0.25;

/** Token ids of a row, the positions measured in it, and the item it belongs to. */
interface Passage {
  readonly tokens: Int32Array;
  readonly pairs: readonly { readonly query: number; readonly key: number }[];
  readonly item: number;
}

/**
 * Measures induction heads, and says which block a memory should cache.
 *
 * @param backbone A checkpoint, or the path of one.
 * @throws {RangeError} Where an option is not possible for this backbone.
 *
 * @example Random weights have no induction heads
 * ```ts
 * import assert from "node:assert/strict";
 * import { inductionScores, initializeBackbone } from "@longmem/lab";
 *
 * const shape = { layers: 4, hiddenDim: 16, heads: 2, feedForwardDim: 64, vocabSize: 50 };
 * const backbone = { shape, weights: initializeBackbone(shape, 1) };
 * const { repeated, recommendation } = await inductionScores(backbone, { contextTokens: 64, device: "cpu" });
 * assert.ok(repeated.heads[0][0].value < 0.05);
 * assert.equal(recommendation.isInductionBlock, false);
 * ```
 */
export async function inductionScores(
  backbone: string | BackboneCheckpoint,
  options: InductionOptions = {},
): Promise<InductionScores> {
  const checkpoint = typeof backbone === "string"
    ? await loadBackboneWeights(backbone)
    : checkedBackbone(backbone);
  const { shape } = checkpoint;
  const isChronicle = shape.vocabSize === vocabulary.length;
  const { corpus = isChronicle ? "chronicle" : "none", seed = 1, reductionFactor = 2 } = options;
  if (corpus === "chronicle" && !isChronicle) {
    fail(
      `recalls of the chronicle need its vocabulary of ${vocabulary.length} words: ` +
        `current value of the backbone's vocabSize is ${shape.vocabSize}`,
    );
  }
  const most = architectureOf(shape).mostTokens?.(shape) ?? Infinity;
  const contextTokens = options.contextTokens ?? checkpoint.contextTokens ??
    Math.min(isChronicle ? defaultChronicle.contextTokens : 512, most);
  const { sequences = 32, books = 8 } = options;
  checkCount("contextTokens", contextTokens, 5);
  checkCount("sequences", sequences, 1);
  checkCount("books", books, 1);
  checkReduction(shape, reductionFactor);

  const repeated = repeatedTokens({ shape, contextTokens, sequences, seed });
  const recalls = corpus === "chronicle" ? nearRecalls({ contextTokens, books, seed }) : undefined;
  const device = await openDevice(options.device ?? "auto");
  try {
    const rows = Math.max(1, Math.floor(1024 / contextTokens));
    const probe = await openAttentionProbe(device, checkpoint, { rows, contextTokens });
    const measured = (passages: readonly Passage[]) =>
      measure(probe, passages, { shape, rows, contextTokens });
    const scores = {
      repeated: await measured(repeated),
      ...(recalls ? { recalls: await measured(recalls) } : {}),
    };
    await probe.close();
    return {
      shape,
      contextTokens,
      seed,
      ...scores,
      recommendation: recommendMemoryBlock(scores, { shape, reductionFactor }),
    };
  } finally {
    await device.close();
  }
}

/**
 * The block to cache is the one whose heads attend most on average, since every head of it reads the memory. SideNet layer i
 * begins as a copy of block r*i + (R mod r): then the layer that reads the memory, trunc(R / r), begins as a copy of the
 * cached block R, and its queries meet keys of their own space.
 *
 * @throws {RangeError} If the reduction factor does not divide the layers.
 */
export function recommendMemoryBlock(
  scores: Pick<InductionScores, "repeated" | "recalls">,
  { shape, reductionFactor: r }: {
    shape: Pick<BackboneShape, "layers">;
    reductionFactor: number;
  },
): InductionRecommendation {
  checkReduction(shape, r);
  const measure = scores.recalls ? "recalls" : "repeated";
  const { blocks, heads } = scores[measure]!;
  const memoryBlock = blocks.reduce(
    (best, { value }, i) => value > blocks[best].value ? i : best,
    0,
  );
  return {
    measure,
    isInductionBlock: heads[memoryBlock].some(({ value }) => value >= inductionThreshold),
    sidenet: {
      reductionFactor: r,
      memoryBlock,
      initialization: {
        kind: "blocks",
        blocks: Array.from({ length: shape.layers / r }, (_, i) => r * i + memoryBlock % r),
      },
    },
  };
}

/** Sequences of `<s>` and n tokens twice, all n different, so that each has one first occurrence. */
function repeatedTokens(
  { shape, contextTokens, sequences, seed }: {
    shape: BackboneShape;
    contextTokens: number;
    sequences: number;
    seed: number;
  },
): Passage[] {
  // Special tokens come first in every vocabulary of the project.
  const ordinary = Array.from(
    { length: shape.vocabSize - specialTokens.length },
    (_, i) => i + specialTokens.length,
  );
  const n = Math.min(Math.floor((contextTokens - 1) / 2), ordinary.length);
  if (n < 2) {
    fail(
      `a sequence must have two different tokens: current value of vocabSize is ${shape.vocabSize}`,
    );
  }
  return Array.from({ length: sequences }, (_, item) => {
    const phrase = new Random(`${seed}/repeated/${item}`).shuffle([...ordinary]).slice(0, n);
    const tokens = new Int32Array(contextTokens).fill(specialIds.pad);
    tokens.set([specialIds.bos, ...phrase, ...phrase]);
    const pairs = phrase.map((_, i) => ({ query: 1 + n + i, key: 2 + i }));
    return { tokens, pairs, item };
  });
}

/** Segments of books, as evaluations cut them, with the recalls whose last mention they hold. */
function nearRecalls(
  { contextTokens: T, books, seed }: { contextTokens: number; books: number; seed: number },
): Passage[] {
  const writing = { ...defaultChronicle, contextTokens: T };
  const written = [...writeBooks(writing, { seed: `${seed}/induction`, count: books })];
  return written.flatMap(({ tokens, recalls }, item) => {
    const near = recalls.filter((recall) => !isFar(recall, T));
    return Array.from({ length: Math.ceil((tokens.length - 1) / T) }, (_, i) => {
      const start = i * T;
      const segment = new Int32Array(T).fill(specialIds.pad);
      segment.set(tokens.subarray(start, Math.min(start + T, tokens.length - 1)));
      const pairs = near.filter(({ position }) => segmentStart(position, T) === start)
        .map(({ position, lastMention }) => ({
          query: position - 1 - start,
          key: lastMention - start,
        }));
      return { tokens: segment, pairs, item };
    });
  });
}

/** Looks up all pairs; the tokens of an item are not independent of each other, items are. */
async function measure(
  probe: AttentionProbe,
  passages: readonly Passage[],
  { shape, rows, contextTokens: T }: { shape: BackboneShape; rows: number; contextTokens: number },
): Promise<InductionMeasure> {
  const items = 1 + Math.max(...passages.map(({ item }) => item));
  const counts = new Float64Array(items);
  const sums = Array.from(
    { length: shape.layers },
    () => Array.from({ length: shape.heads }, () => new Float64Array(items)),
  );
  for (let start = 0; start < passages.length; start += rows) {
    const batch = passages.slice(start, start + rows);
    const tokens = new Int32Array(rows * T).fill(specialIds.pad);
    batch.forEach((passage, row) => tokens.set(passage.tokens, row * T));
    const pairs = batch.flatMap(({ pairs, item }, row) =>
      pairs.map((pair) => ({ ...pair, row, item }))
    );
    const attention = await probe.attention(tokens, pairs);
    pairs.forEach(({ item }, i) => {
      counts[item]++;
      sums.forEach((heads, block) =>
        heads.forEach((head, h) => {
          const probability = attention[block][h][i];
          if (!Number.isFinite(probability)) {
            fail(
              `the attention of block ${block}, head ${h} is ${probability}: the backbone's weights are finite, ` +
                `but what they compute leaves float32's range`,
            );
          }
          head[item] += probability;
        })
      );
    });
  }
  return {
    heads: sums.map((heads) => heads.map((head) => ratio(head, counts))),
    blocks: sums.map((heads) => {
      const total = Float64Array.from(
        counts,
        (_, item) => heads.reduce((sum, head) => sum + head[item], 0) / heads.length,
      );
      return ratio(total, counts);
    }),
    pairs: counts.reduce((sum, count) => sum + count, 0),
  };
}

function checkedBackbone(backbone: BackboneCheckpoint): BackboneCheckpoint {
  checkBackboneShape(backbone.shape, "backbone");
  checkWeights(backbone.weights, backboneTensorShapes(backbone.shape), "backbone");
  return backbone;
}

function checkReduction({ layers }: Pick<BackboneShape, "layers">, r: number): void {
  if (Number.isSafeInteger(r) && r >= 1 && layers % r === 0) return;
  fail(
    `reductionFactor must divide the backbone's ${layers} layers: current value is ${r}, allowed are ${
      divisorsOf(layers).join(", ")
    }`,
  );
}

function checkCount(name: string, value: number, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  fail(`${name} must be a whole number: current value is ${value}, allowed are ${least} and more`);
}

function fail(reason: string): never {
  throw new InputRangeError(`Cannot measure induction as ${reason}`);
}
