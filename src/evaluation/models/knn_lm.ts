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
import {
  type Choices,
  type PromptedModel,
  type SegmentRows,
  tokensOfRow,
} from "../shared/language_model.ts";

/** The frozen language model, interpolated with the tokens that followed the nearest of its earlier states. */
export interface KnnLmModel {
  /** Which model. */
  readonly model: "knn-lm";
  /** Tokens before the segment that are searched (default: the evaluation's memory's capacity, or the paper's 65,536). */
  readonly capacityTokens: number;
  /** Nearest neighbours K of a position (default: the memory's `retrievedTokens`, or the paper's 64). */
  readonly retrievedTokens: number;
  /** Weight of the neighbours' distribution, above 0 and below 1 (default 0.25). */
  readonly lambda: number;
  /** Squared distance at which a neighbour's vote is 1/e of one at the same place (default 10). */
  readonly temperature: number;
}

const schema = z.strictObject({
  model: z.literal("knn-lm"),
  capacityTokens: positiveInteger.exactOptional(),
  retrievedTokens: positiveInteger.exactOptional(),
  lambda: z.number().gt(0).lt(1).describe("numbers above 0, below 1").exactOptional(),
  temperature: positiveNumber.exactOptional(),
});
type _SchemaAcceptsTheType = Assert<Accepts<typeof schema, Declared<KnnLmModel, "model">>>;

/** The memory of states: chunks are single tokens. */
function stateMemory(config: KnnLmModel, bank: "shared" | "per-row") {
  return memoryOfSizes({ ...config, chunkTokens: 1 }, bank);
}

/** The kNN-LM baseline. */
export const knnLm: ModelKind<Declared<KnnLmModel, "model">, KnnLmModel> = {
  schema,
  fill(declared, { memory }) {
    const { capacityTokens, retrievedTokens } = memory ?? paperMemory;
    return { capacityTokens, retrievedTokens, lambda: 0.25, temperature: 10, ...declared };
  },
  check(config, path, { contextTokens, memory }) {
    const own = stateMemory(config, memory?.bank ?? "per-row");
    return [
      ...memoryPart.check(own, path),
      ...updateProblems(own, { batchSize: 1, contextTokens }, path),
    ];
  },
  nameOf({ model, capacityTokens: m, retrievedTokens: k, lambda, temperature }) {
    return `${model}-m${m}-k${k}-l${lambda}-t${temperature}`;
  },
  needs: [],
  readsMemory: true,
  rememberedTokens: ({ capacityTokens }) => capacityTokens,
  stateMemory: (config) => stateMemory(config, "shared"),
  label: "kNN-LM over the same text",
  open(config, { backbone }, { name, device, memory, memories }) {
    const bank = memories ? "shared" : memory?.bank ?? "per-row";
    const parts = { backbone, memory: stateMemory(config, bank), stateMemory: true } as const;
    const model = new LongMem(device, parts);
    const { vocabSize } = backbone.shape;
    return Promise.resolve({
      model: knnModel(name, model, { ...config, vocabSize, shared: bank === "shared" }),
      [Symbol.asyncDispose]: () => model.close(),
    });
  },
};

/** How the distributions are mixed, and how much is read. */
export type KnnOptions = Pick<KnnLmModel, "capacityTokens" | "lambda" | "temperature"> & {
  /** Tokens V of the vocabulary. */
  readonly vocabSize: number;
  /** Whether all rows are asked about the text that row 0 has read. */
  readonly shared: boolean;
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
  const { shared, capacityTokens, lambda, temperature, vocabSize: V } = options;
  /** The tokens whose states the memory holds, by rows. */
  const texts = new Map<number, Int32Array>();
  const textOf = (row: number) => texts.get(shared ? 0 : row) ?? new Int32Array();

  /** Votes of each position's neighbours: the probabilities of their next tokens; none where the memory is empty. */
  const votesOf = ({ tokens, rows }: Pick<SegmentRows, "tokens" | "rows">, found: Neighbours) => {
    const T = tokens.length / rows, { chunks: n, ages, closeness } = found;
    return Array.from(tokens, (_, i) => {
      const row = Math.floor(i / T), text = textOf(row);
      const votes = new Map<number, number>();
      let sum = 0;
      for (let j = i * n; j < (i + 1) * n && ages[j] >= 0; j++) {
        const next = ages[j] === 0 ? tokens[row * T] : text[text.length - ages[j]];
        // Neighbours are in order: the first is the nearest.
        const vote = Math.exp(2 * (closeness[j] - closeness[i * n]) / temperature);
        votes.set(next, (votes.get(next) ?? 0) + vote);
        sum += vote;
      }
      for (const [id, vote] of votes) votes.set(id, vote / sum);
      return votes;
    });
  };
  const mix = (votes: ReadonlyMap<number, number>, id: number, ofBackbone: number) =>
    votes.size === 0 ? ofBackbone : lambda * (votes.get(id) ?? 0) + (1 - lambda) * ofBackbone;

  const score = async (segment: SegmentRows) => {
    const { tokens, targets, rows } = segment;
    const { scores: nll, neighbours } = await model.neighbours(tokens, { targets, batch: rows });
    const votes = votesOf(segment, neighbours);
    return nll.map((nats, i) =>
      votes[i].size === 0 ? nats : -Math.log(mix(votes[i], targets[i], Math.exp(-nats)))
    );
  };
  const ask = async (segment: SegmentRows): Promise<Choices> => {
    const { tokens, targets, rows } = segment;
    const { scores: logits, neighbours } = await model.neighbours(tokens, { batch: rows });
    const votes = votesOf(segment, neighbours);
    const nll = new Float32Array(tokens.length), choices = new Int32Array(tokens.length);
    const ranks = new Int32Array(tokens.length);
    for (let i = 0; i < tokens.length; i++) {
      const p = softmax(logits.subarray(i * V, (i + 1) * V))
        .map((ofBackbone, id) => mix(votes[i], id, ofBackbone));
      const ofTarget = p[targets[i]];
      nll[i] = -Math.log(ofTarget);
      choices[i] = p.reduce((best, probability, id) => probability > p[best] ? id : best, 0);
      ranks[i] = p.reduce((rank, probability) => probability > ofTarget ? rank + 1 : rank, 1);
    }
    return { nll, choices, ranks };
  };
  const read = async (segment: Pick<SegmentRows, "tokens" | "rows" | "lengths">) => {
    const { tokens, rows, lengths } = segment;
    await model.remember(tokens, { batch: rows, ...(lengths && { lengths }) });
    for (let row = 0; row < rows; row++) {
      const before = textOf(row), added = tokensOfRow(segment, row);
      const all = new Int32Array(before.length + added.length);
      all.set(before);
      all.set(added, before.length);
      texts.set(shared ? 0 : row, all.subarray(Math.max(0, all.length - capacityTokens)));
    }
  };
  return {
    name,
    async startDocument(row) {
      texts.delete(shared ? 0 : row);
      await model.resetMemory([row]);
    },
    async score(segment) {
      const nll = await score(segment);
      await read(segment);
      return nll;
    },
    async choose(segment) {
      const choices = await ask(segment);
      await read(segment);
      return choices;
    },
    read,
    ask,
  };
}

/** Probabilities of logits, in double precision. */
function softmax(logits: Float32Array): Float64Array {
  const largest = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const weights = Float64Array.from(logits, (logit) => Math.exp(logit - largest));
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / sum);
}
