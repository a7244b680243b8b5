import { z } from "zod";
import { positiveInteger } from "../../declaration/fields.ts";
import type { Accepts, Assert, Declared } from "../../declaration/part.ts";
import { followWithIndexes } from "./follow_bank.ts";
import { createHnswIndex, hnswDefaults } from "./hnsw_index.ts";
import { type IndexKind, searchProblems } from "./index_kind.ts";

/**
 * A hierarchical navigable small world graph, for banks far beyond the paper's. It is not part of checkpoints: a
 * resumed training builds it again from the bank, and may find other chunks where the search is not exact.
 */
export interface HnswIndexConfig {
  /** Names the kind. */
  readonly kind: "hnsw";
  /** Links of a node, from 2. */
  readonly m: number;
  /** Candidates kept while a node is added. */
  readonly efConstruction: number;
  /** Candidates kept during a search; at least the chunks retrieved. */
  readonly efSearch: number;
}

/** Such an index as declared. */
export type HnswIndexDeclaration = Declared<HnswIndexConfig, "kind">;

const schema = z.strictObject({
  kind: z.literal("hnsw"),
  // One link a node would give the nodes of the library infinitely many levels.
  m: z.int().min(2).max(0xffff_ffff).describe("integers from 2, below 2^32").exactOptional(),
  efConstruction: positiveInteger.exactOptional(),
  efSearch: positiveInteger.exactOptional(),
});
type _SchemaAcceptsTheType = Assert<Accepts<typeof schema, HnswIndexDeclaration>>;

/** An {@linkcode createHnswIndex HNSW index} for each head. */
export const hnswIndex: IndexKind<HnswIndexDeclaration, HnswIndexConfig> = {
  schema,
  isExact: false,
  fill: (declared) => ({ ...hnswDefaults, ...declared }),
  check: searchProblems,
  open: ({ m, efConstruction, efSearch }, { seed, ...surroundings }) =>
    followWithIndexes(
      surroundings,
      (head, sizes) =>
        createHnswIndex({ ...sizes, m, efConstruction, efSearch, seed: seed + head }),
    ),
};
