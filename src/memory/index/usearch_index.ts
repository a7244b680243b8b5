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
import { checkLinkedSearch, type LinkedSearch, linkedSearchDefaults } from "./linked_search.ts";
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

/** Makes a graph of the library. */
type MakeGraph = () => Graph;

/**
 * Creates an empty index. The first call loads the library.
 *
 * @throws RangeError where an option is out of range; InputError where the library has no code for this system.
 */
export async function createUsearchIndex(options: UsearchIndexOptions): Promise<ChunkIndex> {
  const { headDim, capacityChunks, exactChunks, keys, ...accuracy } = {
    ...usearchDefaults,
    ...options,
  };
  checkLinkedSearch("an index of USearch", accuracy);
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
  return new GraphIndex({ headDim, capacityChunks }, { exactChunks, makeGraph });
}

/**
 * By one thread the same chunks make the same graph each time. The library then searches by no more, either: each of its threads draws the
 * levels of the nodes that it adds, and searches by several leave the order of threads to chance.
 */
const threads = 1;

/** Compares all chunks while they are few; then links them, and keeps no copy of their keys. Labels of the graph are slots. */
class GraphIndex implements ChunkIndex {
  readonly #sizes: FlatIndexOptions;
  readonly #exactChunks: number;
  readonly #makeGraph: MakeGraph;
  readonly #stored: StoredSlots;
  /** Absent once the graph has the chunks. */
  #few: FlatIndex | undefined;
  #graph: Graph | undefined;

  constructor(
    sizes: FlatIndexOptions,
    { exactChunks, makeGraph }: { exactChunks: number; makeGraph: MakeGraph },
  ) {
    this.#stored = new StoredSlots(sizes);
    this.#sizes = sizes;
    this.#exactChunks = Math.min(exactChunks, sizes.capacityChunks);
    this.#makeGraph = makeGraph;
    this.#startSmall();
  }

  get size(): number {
    return this.#stored.size;
  }

  add(slots: Int32Array, keys: Float32Array): void {
    this.#stored.add(slots, keys);
    if (!this.#graph && this.size > this.#exactChunks) this.#linkFew(slots);
    if (this.#graph) this.#graph.add(labelsOf(slots), keys, threads);
    else this.#few!.add(slots, keys);
  }

  remove(slots: Int32Array): void {
    this.#stored.remove(slots);
    if (this.size === 0) return this.clear();
    if (this.#graph) this.#graph.remove(labelsOf(slots));
    else this.#few!.remove(slots);
  }

  search(queries: Float32Array, n: number, out: Int32Array): void {
    const R = countQueries({ queries, n, out, headDim: this.#sizes.headDim });
    if (!this.#graph) return this.#few!.search(queries, n, out);
    const { keys, counts = [keys.length] } = this.#graph.search(queries, n, threads);
    out.fill(-1);
    for (let r = 0; r < R; r++) {
      for (let i = 0; i < Number(counts[r]); i++) out[r * n + i] = Number(keys[r * n + i]);
    }
  }

  clear(): void {
    this.#stored.clear();
    this.#graph = undefined;
    this.#startSmall();
  }

  /** Slots keep their numbers, so that a flat index of the first of them needs room for all. */
  #startSmall(): void {
    this.#few = new FlatIndex(this.#sizes);
  }

  /** Moves the chunks to a graph. */
  #linkFew(except: Int32Array): void {
    const few = this.#few!, added = new Set(except);
    const slots = this.#stored.slots().filter((slot) => !added.has(slot));
    const D = this.#sizes.headDim, keys = new Float32Array(slots.length * D);
    slots.forEach((slot, i) => keys.set(few.key(slot), i * D));
    this.#few = undefined;
    this.#graph = this.#makeGraph();
    if (slots.length > 0) this.#graph.add(labelsOf(slots), keys, threads);
  }
}

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
