/**
 * The kinds of index: a file each, and its lines here.
 */
import { Registry } from "../../declaration/registry.ts";
import { exactIndex, type ExactIndexConfig } from "./exact.ts";
import { hnswIndex, type HnswIndexConfig, type HnswIndexDeclaration } from "./hnsw.ts";
import type { IndexKind } from "./index_kind.ts";
import { usearchIndex, type UsearchIndexConfig, type UsearchIndexDeclaration } from "./usearch.ts";

/** How the chunks nearest to a query are found. */
export type IndexConfig = ExactIndexConfig | HnswIndexConfig | UsearchIndexConfig;

/** An index as declared. */
export type IndexDeclaration = ExactIndexConfig | HnswIndexDeclaration | UsearchIndexDeclaration;

/** The kinds of index that declarations may name. */
export const indexes = new Registry<IndexKind<IndexDeclaration, IndexConfig>, IndexDeclaration>({
  exact: exactIndex,
  hnsw: hnswIndex,
  usearch: usearchIndex,
});
