import { z } from "zod";
import type { Accepts, Assert } from "../../declaration/part.ts";
import type { WebGpuDevice } from "../../runtime/webgpu_device.ts";
import { createExactSearch, hasExactSearch } from "./exact_search.ts";
import type { IndexKind } from "./index_kind.ts";

/** All chunks are compared. */
export interface ExactIndexConfig {
  /** Names the kind. */
  readonly kind: "exact";
}

const schema = z.strictObject({ kind: z.literal("exact") });
type _SchemaAcceptsTheType = Assert<Accepts<typeof schema, ExactIndexConfig>>;

/** The search of the graph itself, except on a GPU, whose kernels ({@linkcode createExactSearch}) are faster. */
export const exactIndex: IndexKind<ExactIndexConfig, ExactIndexConfig> = {
  schema,
  isExact: true,
  fill: (declared) => declared,
  async open(_config, { bank, device, retrievedChunks }) {
    if (device.kind !== "webgpu") return;
    const { shape, storage: { meanKeys } } = bank, { blockBytes } = device;
    if (!hasExactSearch(shape, { retrievedChunks, tables: meanKeys.length })) return;
    const options = { retrievedChunks, meanKeys, blockBytes };
    return await createExactSearch(device as WebGpuDevice, bank.shape, options);
  },
};
