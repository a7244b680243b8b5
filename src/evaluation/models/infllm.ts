import { z } from "zod";
import { nonNegativeInteger, positiveInteger } from "../../declaration/fields.ts";
import type { Accepts, Assert, Declared } from "../../declaration/part.ts";
import { memoryOfSizes, memoryPart, paperMemory, updateProblems } from "../../memory/config.ts";
import type { ModelKind } from "../model_kind.ts";
import {
  openInWindow,
  windowProblems,
  windowSuffix,
  windowTokensField,
  windowVersion,
} from "./in_window.ts";

/**
 * The frozen language model with an InfLLM-like memory (arXiv 2402.04617), without any training: every block caches keys and
 * values of its own, and attends to retrieved tokens and to the segment in one softmax. `src/longmem/networks/infllm.ts`
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
   * Distance before the query at which ALiBi sees every retrieved token (default: the evaluation's `contextTokens` or those of the
   * window, as far as local text reaches; the larger it is, the fewer heads look there).
   */
  readonly distanceTokens: number;
  /** Tokens W of a sliding window, the segment's own `contextTokens` included (default: none, segments are disjoint). */
  readonly windowTokens?: number;
}

const schema = z.strictObject({
  model: z.literal("infllm"),
  capacityTokens: positiveInteger.exactOptional(),
  chunkTokens: positiveInteger.exactOptional(),
  retrievedTokens: positiveInteger.exactOptional(),
  distanceTokens: nonNegativeInteger.exactOptional(),
  windowTokens: windowTokensField,
});
type _SchemaAcceptsTheType = Assert<Accepts<typeof schema, Declared<BlockMemoryModel, "model">>>;

function partsOf({ distanceTokens, ...sizes }: BlockMemoryModel, bank: "shared" | "per-row") {
  const other = { network: "infllm", shape: { distanceTokens } } as const;
  return { memory: memoryOfSizes(sizes, bank), other };
}

/** The InfLLM-like baseline. */
export const infLlm: ModelKind<Declared<BlockMemoryModel, "model">, BlockMemoryModel> = {
  schema,
  fill(declared, { contextTokens, memory }) {
    const { retrievedTokens } = paperMemory;
    const { capacityTokens } = memory ?? paperMemory;
    const chunkTokens = 16, distanceTokens = declared.windowTokens ?? contextTokens;
    return { capacityTokens, chunkTokens, retrievedTokens, distanceTokens, ...declared };
  },
  check(config, path, { contextTokens, memory }) {
    const own = memoryOfSizes(config, memory?.bank ?? "per-row");
    return [
      ...memoryPart.check(own, path),
      ...updateProblems(own, { batchSize: 1, contextTokens }, path),
      ...windowProblems(config.windowTokens, path, { ...own, contextTokens }),
    ];
  },
  nameOf({ model, windowTokens, ...sizes }) {
    const { capacityTokens: m, chunkTokens: c, retrievedTokens: k, distanceTokens: d } = sizes;
    return `${model}-m${m}-c${c}-k${k}-d${d}${windowSuffix(windowTokens)}`;
  },
  version: ({ windowTokens }) => windowTokens === undefined ? undefined : windowVersion,
  windowTokens: ({ windowTokens }) => windowTokens,
  needs: [],
  readsMemory: true,
  ownMemory: (config) => partsOf(config, "shared"),
  label: "an InfLLM-like memory",
  open(config, trained, context) {
    const bank = context.memories ? "shared" : context.memory?.bank ?? "per-row";
    return openInWindow(partsOf(config, bank), trained, context, config.windowTokens);
  },
};
