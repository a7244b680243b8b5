import { z } from "zod";
import { nonNegativeInteger, positiveInteger } from "../../declaration/fields.ts";
import type { Accepts, Assert, Declared } from "../../declaration/part.ts";
import { memoryOfSizes, memoryPart, paperMemory, updateProblems } from "../../memory/config.ts";
import { type ModelKind, openLongMem } from "../model_kind.ts";
import { languageModel } from "../shared/language_model.ts";

/**
 * The frozen language model with an InfLLM-like memory (arXiv 2402.04617), without any training: every block caches keys and
 * values of its own, and attends to what it retrieves and to the segment in one softmax. `src/longmem/block_memory_graph.ts`
 * says where it differs from InfLLM.
 */
export interface BlockMemoryModel {
  /** Which model. */
  readonly model: "infllm";
  /** Size of each block's memory in tokens (default: the evaluation's memory's, or the paper's 65,536). */
  readonly capacityTokens: number;
  /** Tokens per chunk, found by their mean key (default 16). */
  readonly chunkTokens: number;
  /** Retrieved tokens per query and head; a multiple of `chunkTokens` (default 64). */
  readonly retrievedTokens: number;
  /**
   * Distance before the query at which ALiBi sees every retrieved token (default: the evaluation's `contextTokens`, as far as
   * a segment reaches; the larger it is, the fewer heads look there).
   */
  readonly distanceTokens: number;
}

const schema = z.strictObject({
  model: z.literal("infllm"),
  capacityTokens: positiveInteger.exactOptional(),
  chunkTokens: positiveInteger.exactOptional(),
  retrievedTokens: positiveInteger.exactOptional(),
  distanceTokens: nonNegativeInteger.exactOptional(),
});
type _SchemaAcceptsTheType = Assert<Accepts<typeof schema, Declared<BlockMemoryModel, "model">>>;

/** The InfLLM-like baseline. */
export const infLlm: ModelKind<Declared<BlockMemoryModel, "model">, BlockMemoryModel> = {
  schema,
  fill(declared, { contextTokens, memory }) {
    const { retrievedTokens } = paperMemory;
    const { capacityTokens } = memory ?? paperMemory;
    const chunkTokens = 16, distanceTokens = contextTokens;
    return { capacityTokens, chunkTokens, retrievedTokens, distanceTokens, ...declared };
  },
  check(config, path, { contextTokens, memory }) {
    const own = memoryOfSizes(config, memory?.bank ?? "per-row");
    return [
      ...memoryPart.check(own, path),
      ...updateProblems(own, { batchSize: 1, contextTokens }, path),
    ];
  },
  nameOf({ model, capacityTokens: m, chunkTokens: c, retrievedTokens: k, distanceTokens: d }) {
    return `${model}-m${m}-c${c}-k${k}-d${d}`;
  },
  needs: [],
  readsMemory: true,
  blockMemory: (config) => memoryOfSizes(config, "shared"),
  label: "an InfLLM-like memory",
  open(config, trained, context) {
    const bank = context.memories ? "shared" : context.memory?.bank ?? "per-row";
    const memory = memoryOfSizes(config, bank);
    const { distanceTokens } = config;
    return openLongMem({ memory, blockMemory: { distanceTokens } }, trained, {
      ...context,
      wrap: (model) => languageModel(context.name, model, "infllm"),
    });
  },
};
