import { z } from "zod";
import { nonNegativeInteger, oneOf } from "../../declaration/fields.ts";
import type { Accepts, Assert, Declared } from "../../declaration/part.ts";
import { followWithIndexes } from "./follow_bank.ts";
import type { IndexKind } from "./index_kind.ts";
import { type LinkedSearch, linkedSearchFields, searchProblems } from "./linked_search.ts";
import { createUsearchIndex, usearchDefaults } from "./usearch_index.ts";

/**
 * A hierarchical navigable small world graph of native code, for Linux and macOS. Chunks enter and leave it one by one. As any
 * approximate index it is not part of checkpoints: a resumed training builds it again from the bank.
 */
export interface UsearchIndexConfig extends LinkedSearch {
  /** Names the kind. */
  readonly kind: "usearch";
  /** Type of the mean keys in the graph. */
  readonly keys: "float32" | "float16";
  /** A bank of up to so many chunks is searched exactly. */
  readonly exactChunks: number;
}

/** Such an index as declared. */
export type UsearchIndexDeclaration = Declared<UsearchIndexConfig, "kind">;

const schema = z.strictObject({
  kind: z.literal("usearch"),
  ...linkedSearchFields,
  keys: oneOf("float32", "float16").exactOptional(),
  exactChunks: nonNegativeInteger.exactOptional(),
});
type _SchemaAcceptsTheType = Assert<Accepts<typeof schema, UsearchIndexDeclaration>>;

/** An {@linkcode createUsearchIndex index of USearch} for each head. */
export const usearchIndex: IndexKind<UsearchIndexDeclaration, UsearchIndexConfig> = {
  schema,
  isExact: false,
  fill: (declared) => ({ ...usearchDefaults, ...declared }),
  check: searchProblems,
  open: ({ kind: _kind, ...options }, surroundings) =>
    followWithIndexes(
      surroundings,
      (_head, sizes) => createUsearchIndex({ ...sizes, ...options }),
    ),
};
