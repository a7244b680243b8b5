/**
 * kNN-LM (Khandelwal et al., arXiv 1911.00172) over the text of the document: a control for memories, with hidden states as
 * keys and next tokens as values, and no training.
 *
 * Of every token that a memory would hold, the last `capacityTokens` read before the segment, the memory has the backbone's
 * hidden state (input of the last block's MLP, after the norm before it) and, on the host, the token that followed. At
 * every position the K = `retrievedTokens` nearest states k to the present one q vote for their next tokens, and
 *
 *     p(x) = lambda p_knn(x) + (1 - lambda) p_backbone(x),   p_knn(x) ~ sum over neighbours with next token x of exp(-|q - k|^2 / temperature).
 *
 * Where nothing is remembered, the distribution is the backbone's own. The token after the newest remembered one is the first
 * of the segment, which every position of it has read.
 */
import { z } from "zod";
import { positiveInteger, positiveNumber } from "../../declaration/fields.ts";
import type { Accepts, Assert, Declared } from "../../declaration/part.ts";
import { LongMem } from "../../longmem/longmem.ts";
import type { Neighbours } from "../../longmem/longmem_model.ts";
import { memoryOfSizes, memoryPart, paperMemory, updateProblems } from "../../memory/config.ts";
import type { ModelKind } from "../model_kind.ts";
import { type PromptedModel, readingModel, type SegmentRows } from "../shared/language_model.ts";
import { RowTexts, RowWindows, type WindowOptions } from "../shared/row_windows.ts";
import { windowOptions, windowProblems, windowSuffix, windowTokensField } from "./in_window.ts";

/** The frozen language model, interpolated with the tokens that followed the nearest of its earlier states. */
export interface KnnLmModel {
  /** Which model. */
  readonly model: "knn-lm";
  /**
   * Tokens before the segment that are searched, those of a window among them (default: the evaluation's memory's capacity, or the
   * paper's 65,536).
   */
  readonly capacityTokens: number;
  /** Nearest neighbours K of a position (default: the memory's `retrievedTokens`, or the paper's 64). */
  readonly retrievedTokens: number;
  /** Weight of the neighbours' distribution, above 0 and below 1 (default 0.25). */
  readonly lambda: number;
  /** Squared distance at which a neighbour's vote is 1/e of one at the same place (default 10). */
  readonly temperature: number;
  /** Tokens W of a sliding window, the segment's own `contextTokens` included (default: none, segments are disjoint). */
  readonly windowTokens?: number;
}

const schema = z.strictObject({
  model: z.literal("knn-lm"),
  capacityTokens: positiveInteger.exactOptional(),
  retrievedTokens: positiveInteger.exactOptional(),
  lambda: z.number().gt(0).lt(1).describe("numbers above 0, below 1").exactOptional(),
  temperature: positiveNumber.exactOptional(),
  windowTokens: windowTokensField,
});
type _SchemaAcceptsTheType = Assert<Accepts<typeof schema, Declared<KnnLmModel, "model">>>;

/** Parts of the memory of states, whose chunks are single tokens. */
function partsOf(config: KnnLmModel, bank: "shared" | "per-row") {
  const other = { network: "knn-lm", shape: {} } as const;
  return { memory: memoryOfSizes({ ...config, chunkTokens: 1 }, bank), other };
}

/** The kNN-LM baseline. */
export const knnLm: ModelKind<Declared<KnnLmModel, "model">, KnnLmModel> = {
  schema,
  fill(declared, { memory }) {
    const { capacityTokens, retrievedTokens } = memory ?? paperMemory;
    return { capacityTokens, retrievedTokens, lambda: 0.25, temperature: 10, ...declared };
  },
  check(config, path, { contextTokens, memory }) {
    const { memory: own } = partsOf(config, memory?.bank ?? "per-row");
    return [
      ...memoryPart.check(own, path),
      ...updateProblems(own, { batchSize: 1, contextTokens }, path),
      ...windowProblems(config.windowTokens, path, { contextTokens }),
    ];
  },
  nameOf({ model, capacityTokens: m, retrievedTokens: k, lambda, temperature, windowTokens }) {
    return `${model}-m${m}-k${k}-l${lambda}-t${temperature}${windowSuffix(windowTokens)}`;
  },
  windowTokens: ({ windowTokens }) => windowTokens,
  needs: [],
  readsMemory: true,
  ownMemory: (config) => partsOf(config, "shared"),
  label: "kNN-LM over the same text",
  open(config, { backbone }, context) {
    const { name, device, contextTokens } = context;
    const window = windowOptions(config.windowTokens ?? contextTokens, context);
    const parts = partsOf(config, window.shared ? "shared" : "per-row");
    const model = new LongMem(device, { backbone, ...parts });
    const { vocabSize } = backbone.shape;
    return Promise.resolve({
      model: knnModel(name, model, { ...config, ...window, vocabSize }),
      [Symbol.asyncDispose]: () => model.close(),
    });
  },
};

/** How the distributions are mixed, and how much is read. */
export type KnnOptions =
  & Pick<KnnLmModel, "capacityTokens" | "lambda" | "temperature">
  & WindowOptions
  & {
    /** Tokens V of the vocabulary. */
    readonly vocabSize: number;
  };

/**
 * A model that mixes the tokens after the nearest remembered states into the distribution of a backbone. The most likely token and
 * the ranks are found from logits of the whole vocabulary on the host.
 *
 * @param model One with a memory of states of `capacityTokens` tokens.
 */
export function knnModel(
  name: string,
  model: Pick<LongMem, "neighbours" | "remember" | "resetMemory">,
  options: KnnOptions,
): PromptedModel {
  const { capacityTokens, lambda, temperature, vocabSize: V } = options;
  const windows = new RowWindows(options);
  /** The tokens whose states the memory holds. */
  const texts = new RowTexts(capacityTokens, options);
  /** Votes of each position's neighbours: the probabilities of their next tokens; none where the memory is empty. */
  const votesOf = ({ tokens, rows }: Pick<SegmentRows, "tokens" | "rows">, found: Neighbours) => {
    const T = tokens.length / rows, { chunks: n, ages, closeness, positions } = found;
    return Array.from(tokens, (_, i) => {
      const row = Math.floor(i / T), text = texts.of(row);
      const votes = new Map<number, number>();
      let sum = 0;
      const first = n * placeInWindow(i, T, positions);
      for (let j = first; j < first + n && ages[j] >= 0; j++) {
        const next = ages[j] === 0 ? tokens[row * T] : text[text.length - ages[j]];
        // Neighbours are in order: the first is the nearest.
        const vote = Math.exp(2 * (closeness[j] - closeness[first]) / temperature);
        votes.set(next, (votes.get(next) ?? 0) + vote);
        sum += vote;
      }
      for (const [id, vote] of votes) votes.set(id, vote / sum);
      return votes;
    });
  };
  const mix = (votes: ReadonlyMap<number, number>, id: number, ofBackbone: number) =>
    votes.size === 0 ? ofBackbone : lambda * (votes.get(id) ?? 0) + (1 - lambda) * ofBackbone;

  return readingModel(name, {
    async startDocument(row) {
      texts.forget(row);
      windows.forget(row);
      await model.resetMemory([row]);
    },
    async read(segment) {
      const { tokens, batch } = windows.show(segment);
      await model.remember(tokens, batch);
      windows.add(segment);
      texts.add(segment);
    },
    async score(segment) {
      const { targets } = segment, { tokens, batch } = windows.show(segment);
      const { scores: nll, neighbours } = await model.neighbours(tokens, { targets, ...batch });
      const votes = votesOf(segment, neighbours);
      return nll.map((nats, i) =>
        votes[i].size === 0 ? nats : -Math.log(mix(votes[i], targets[i], Math.exp(-nats)))
      );
    },
    async ask(segment) {
      const { targets, rows } = segment, { tokens, batch } = windows.show(segment);
      const { scores: logits, neighbours } = await model.neighbours(tokens, batch);
      const votes = votesOf(segment, neighbours);
      const nll = new Float32Array(targets.length), choices = new Int32Array(targets.length);
      const ranks = new Int32Array(targets.length);
      for (let i = 0; i < targets.length; i++) {
        const at = placeInWindow(i, targets.length / rows, neighbours.positions);
        const p = softmax(logits.subarray(at * V, (at + 1) * V))
          .map((ofBackbone, id) => mix(votes[i], id, ofBackbone));
        const ofTarget = p[targets[i]];
        nll[i] = -Math.log(ofTarget);
        choices[i] = p.reduce((best, probability, id) => probability > p[best] ? id : best, 0);
        ranks[i] = p.reduce((rank, probability) => probability > ofTarget ? rank + 1 : rank, 1);
      }
      return { nll, choices, ranks };
    },
  });
}

/** Index, among rows of so many positions, of token i of segments of T tokens, which are the rows' last. */
function placeInWindow(i: number, T: number, positions: number): number {
  return (Math.floor(i / T) + 1) * positions - T + i % T;
}

/** Probabilities of logits, in double precision. */
function softmax(logits: Float32Array): Float64Array {
  const largest = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const weights = Float64Array.from(logits, (logit) => Math.exp(logit - largest));
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / sum);
}
