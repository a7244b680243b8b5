/**
 * Approximate search by a hierarchical navigable small world graph of native code (USearch), whose keys may be float16.
 *
 * Measured beside the index of WebAssembly in `results/bench/large_memory.md`. Keys of 8 bits are not offered: the library ranks them by
 * cosine, and finds 0.68 of the best 16 of 20,000 uniform keys of 32 numbers where float16 finds 0.94, as float32 does.
 */
import { importUsearch } from "../../engine_packages.ts";
import { InputError } from "../../errors.ts";
import { type ChunkIndex, countQueries } from "./chunk_index.ts";
import { FlatIndex, type FlatIndexOptions } from "./flat_index.ts";
import { type LinkedSearch, linkedSearchDefaults } from "./linked_search.ts";
import { StoredSlots } from "./stored_slots.ts";

/** Sizes and accuracy of such an index. */
export interface UsearchIndexOptions extends FlatIndexOptions, Partial<LinkedSearch> {
  /** Type of the keys in the graph. */
  keys?: "float32" | "float16";
  /** Up to so many chunks, all are compared, by keys in float32. */
  exactChunks?: number;
}

/** Defaults: those of the index of WebAssembly, and the smaller keys. */
export const usearchDefaults = {
  ...linkedSearchDefaults,
  keys: "float16",
  exactChunks: 2048,
} as const;

/** The used part of the library's index. */
export interface Graph {
  add(labels: BigUint64Array, keys: Float32Array, threads: number): void;
  remove(labels: BigUint64Array): unknown;
  /** Labels, best first; of one query as many as were found, of several `counts` of each n. */
  search(
    queries: Float32Array,
    n: number,
    threads: number,
  ): { readonly keys: BigUint64Array; readonly counts?: BigUint64Array };
}

/**
 * Creates an empty index. The first call loads the library.
 *
 * @throws InputError where the library has no code for this system.
 */
export async function createUsearchIndex(options: UsearchIndexOptions): Promise<ChunkIndex> {
  const { headDim, capacityChunks, exactChunks, keys, ...accuracy } = {
    ...usearchDefaults,
    ...options,
  };
  const { Index } = await loadUsearch();
  const makeGraph = () =>
    new Index({
      dimensions: headDim,
      metric: "ip",
      quantization: keys === "float16" ? "f16" : "f32",
      connectivity: accuracy.m,
      expansion_add: accuracy.efConstruction,
      expansion_search: accuracy.efSearch,
      multi: false,
    });
  const sizes = { headDim, capacityChunks };
  const stored = new StoredSlots(sizes);
  // All chunks are compared while they are few; then the graph has them, whose labels are slots, and no copy of their keys is kept.
  let few: FlatIndex | undefined = new FlatIndex(sizes), graph: Graph | undefined;

  /** Moves the chunks but those that are being added to a graph. */
  function linkFew(except: Int32Array): Graph {
    const added = new Set(except), linked = makeGraph();
    const slots = stored.slots().filter((slot) => !added.has(slot));
    const keys = new Float32Array(slots.length * headDim);
    slots.forEach((slot, i) => keys.set(few!.key(slot), i * headDim));
    if (slots.length > 0) linked.add(labelsOf(slots), keys, threads);
    few = undefined;
    return linked;
  }

  function clear(): void {
    stored.clear();
    graph = undefined;
    few = new FlatIndex(sizes);
  }

  return {
    get size() {
      return stored.size;
    },
    add(slots, keys) {
      stored.add(slots, keys);
      if (!graph && stored.size > exactChunks) graph = linkFew(slots);
      if (graph) graph.add(labelsOf(slots), keys, threads);
      else few!.add(slots, keys);
    },
    remove(slots) {
      stored.remove(slots);
      if (stored.size === 0) return clear();
      if (graph) graph.remove(labelsOf(slots));
      else few!.remove(slots);
    },
    search(queries, n, out) {
      const R = countQueries({ queries, n, out, headDim });
      if (!graph) return few!.search(queries, n, out);
      const { keys, counts = [keys.length] } = graph.search(queries, n, threads);
      out.fill(-1);
      for (let r = 0; r < R; r++) {
        for (let i = 0; i < Number(counts[r]); i++) out[r * n + i] = Number(keys[r * n + i]);
      }
    },
    clear,
  };
}

/**
 * By one thread the same chunks make the same graph each time. The library then searches by no more, either: each of its threads draws the
 * levels of the nodes that it adds, and searches by several leave the order of threads to chance.
 */
const threads = 1;

function labelsOf(slots: Int32Array): BigUint64Array {
  return BigUint64Array.from(slots, BigInt);
}

/** Its loader looks for its binary by a call that Deno allows with `--allow-sys=uid`. */
async function loadUsearch(): Promise<{ Index: new (options: object) => Graph }> {
  try {
    const { default: library } = await importUsearch();
    return library as unknown as { Index: new (options: object) => Graph };
  } catch (cause) {
    throw new InputError(
      'Cannot load USearch, the library of memory.index.kind "usearch", which has code for Linux and macOS: ' +
        `${(cause as Error).message}; memory.index.kind "hnsw" runs on every system`,
      { cause },
    );
  }
}
