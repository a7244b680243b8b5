/** What indexes have in common that search by a graph of links between chunks. */
import { z } from "zod";
import { type Problem, wrong } from "../../declaration/problem.ts";

/** Accuracy of a search by a graph of links. */
export interface LinkedSearch {
  /** Links of a node on the upper levels, from 2; twice as many on the lowest. */
  readonly m: number;
  /** Candidates kept while a node is added. */
  readonly efConstruction: number;
  /** Candidates kept during a search, at least the chunks retrieved: recall for time. */
  readonly efSearch: number;
}

/** Defaults, as measured in `hnsw_index.ts`. */
export const linkedSearchDefaults = { m: 32, efConstruction: 100, efSearch: 128 } as const;

/** Forms of its fields, which the libraries hold in 32 bits. */
export const linkedSearchFields = {
  m: integersFrom(2), // one link a node would give the nodes of the libraries infinitely many levels
  efConstruction: integersFrom(1),
  efSearch: integersFrom(1),
};

function integersFrom(least: number) {
  return z.int().min(least).max(0xffff_ffff).describe(`integers from ${least}, below 2^32`)
    .exactOptional();
}

/** Searches that keep fewer candidates than are to be retrieved. */
export function searchProblems(
  { efSearch }: { readonly efSearch: number },
  path: string,
  { retrievedChunks }: { readonly retrievedChunks: number },
): Problem[] {
  return efSearch >= retrievedChunks ? [] : [wrong(
    `${path}.efSearch`,
    "must not be below the chunks retrieved",
    efSearch,
    `integers from ${Math.ceil(retrievedChunks)}`,
  )];
}
