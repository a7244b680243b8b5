import { z } from "zod";
import type { Accepts, Assert, Declared } from "../../declaration/part.ts";
import { followWithIndexes } from "./follow_bank.ts";
import { createHnswIndex } from "./hnsw_index.ts";
import type { IndexKind } from "./index_kind.ts";
import {
  type LinkedSearch,
  linkedSearchDefaults,
  linkedSearchFields,
  searchProblems,
} from "./linked_search.ts";

/**
 * A hierarchical navigable small world graph, for banks far beyond the paper's. It is not part of checkpoints: a
 * resumed training builds it again from the bank, and may find other chunks where the search is not exact.
 */
export interface HnswIndexConfig extends LinkedSearch {
  /** Names the kind. */
  readonly kind: "hnsw";
}

/** Such an index as declared. */
export type HnswIndexDeclaration = Declared<HnswIndexConfig, "kind">;

const schema = z.strictObject({ kind: z.literal("hnsw"), ...linkedSearchFields });
type _SchemaAcceptsTheType = Assert<Accepts<typeof schema, HnswIndexDeclaration>>;

/** An {@linkcode createHnswIndex HNSW index} for each head. */
export const hnswIndex: IndexKind<HnswIndexDeclaration, HnswIndexConfig> = {
  schema,
  isExact: false,
  fill: (declared) => ({ ...linkedSearchDefaults, ...declared }),
  check: searchProblems,
  open: ({ kind: _kind, ...accuracy }, { seed, ...surroundings }) =>
    followWithIndexes(
      surroundings,
      (head, sizes) => createHnswIndex({ ...sizes, ...accuracy, seed: seed + head >>> 0 }),
    ),
};
