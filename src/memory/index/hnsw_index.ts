/**
 * Approximate search by a hierarchical navigable small world graph (hnswlib-wasm), for banks far beyond the paper's.
 *
 * Measurements (two shared CPU cores, 16,000 chunks, D = 64, recall@16) and conclusions:
 * - The graph is built on inner products as they are. Reducing them to cosines by one more dimension, sqrt(M^2 - |k|^2), with m 16
 *   and efSearch 256 gave 0.14 instead of 0.996 where norms are log-normal, 0.74 instead of 0.98 for gaussian keys, and was better
 *   only for clustered keys (1.000 against 0.994).
 * - More links serve better than more candidates, at no more time: with efSearch 128, m 16 gives 0.91 for gaussian and 0.987 for
 *   clustered keys, m 32 0.98 and 0.998; efConstruction 200 instead of 100 changes them by less than 0.01.
 * - Removed chunks are only marked. Putting new ones in their place (the library's `replaceDeleted`) took 5 to 16 times as long as
 *   a new node, so the graph has room for more nodes than the bank has chunks, and is rebuilt when they are used up.
 */
import { type ChunkIndex, countQueries } from "./chunk_index.ts";
import { FlatIndex, type FlatIndexOptions } from "./flat_index.ts";
import { importHnswlib } from "../../engine_packages.ts";
import { InputError, InputRangeError } from "../../errors.ts";
import { type LinkedSearch, linkedSearchDefaults } from "./linked_search.ts";

/** Sizes and accuracy of an HNSW index. */
export interface HnswIndexOptions extends FlatIndexOptions, Partial<LinkedSearch> {
  /** Decides the levels of the nodes: equal seeds and equal calls give equal results. Below 2^32. */
  seed: number;
}

/**
 * The used part of the library's graph. Its errors are not instances of Error, so none may be provoked: {@linkcode linkedSearchFields}
 * refuse what would.
 */
interface Graph {
  /** Frees the nodes of before, and starts without any. */
  initIndex(maxElements: number, m: number, efConstruction: number, seed: number): void;
  setEfSearch(efSearch: number): void;
  addPoint(key: Float32Array, label: number, replaceDeleted: boolean): void;
  markDelete(label: number): void;
  /** At most n labels, best first: fewer where the graph has parts that no link leads to. */
  searchKnn(query: Float32Array, n: number, filter: undefined): { neighbors: number[] };
  delete(): void;
}

interface Hnswlib {
  HierarchicalNSW: new (space: "ip", dimensions: number, autoSaveFilename: "") => Graph;
  /** The WebAssembly memory; replaced when it grows. */
  HEAP8: Int8Array;
}

/** An instance of the library, whose memory of at most 2 GiB several graphs share. */
interface Arena {
  readonly library: Promise<Hnswlib>;
  /** Estimated bytes of the graphs in it. */
  graphBytes: number;
}

/** Graphs beyond this go to another instance; the rest to 2 GiB is for the estimate's error and fragmentation. */
const arenaBytes = 1.5 * 2 ** 30;

const arenas: Arena[] = [];

/** Nodes of a graph, live and removed, per chunk of the capacity: more means fewer rebuilds, slower search and more memory. */
const nodesPerChunk = 1.5;

/** Frees the graphs of indexes that were dropped without being disposed. */
const dropped = new FinalizationRegistry<() => void>((free) => free());

/**
 * Creates an empty HNSW index. The first call loads the library (about 0.1 s).
 *
 * @throws {RangeError} Where a size is not a positive integer, or the graph is too large for a WebAssembly memory.
 */
export async function createHnswIndex(options: HnswIndexOptions): Promise<HnswIndex> {
  const { headDim, capacityChunks, seed, m, efConstruction, efSearch } = {
    ...linkedSearchDefaults,
    ...options,
  };
  const stored = new FlatIndex({ headDim, capacityChunks }); // for checks, rebuilding and exact answers

  const capacityNodes = Math.ceil(capacityChunks * nodesPerChunk);
  // Key, links of the lowest level, and 112 bytes (measured) of label, lock, level, label map and links of upper levels.
  const graphBytes = capacityNodes * (4 * headDim + 8 * m + 112);
  if (graphBytes > arenaBytes) {
    throw new InputRangeError(
      `Cannot create HNSW index as its graph is too large: capacityChunks ${capacityChunks}, headDim ${headDim} and m ${m} ` +
        `take ${graphBytes} bytes, allowed are ${arenaBytes}`,
    );
  }
  const arena = reserve(graphBytes);
  const library = await arena.library;
  const graph = new library.HierarchicalNSW("ip", headDim, "");
  let isFree = false;
  const free = () => {
    if (isFree) return;
    isFree = true;
    graph.delete();
    arena.graphBytes -= graphBytes;
  };

  // Labels of the library are numbers of nodes in the order of linking, used once each; slots are found by label and back.
  const slotOfLabel = new Int32Array(capacityNodes); // where a node's chunk lies or lay
  const labelOfSlot = new Int32Array(capacityChunks); // the node of a stored chunk; -1 once it was removed
  let nodes = 0; // removed ones included: the next label
  const start = () => {
    nodes = 0;
    graph.initIndex(capacityNodes, m, efConstruction, seed);
    graph.setEfSearch(efSearch);
  };
  const link = (slot: number) => {
    const label = nodes++;
    graph.addPoint(stored.key(slot), label, false);
    slotOfLabel[label] = slot;
    labelOfSlot[slot] = label;
  };
  /** Links the linked chunks again, in the order in which they were added. */
  const rebuild = () => {
    const live = slotOfLabel.slice(0, nodes).filter((slot, label) => labelOfSlot[slot] === label);
    start();
    live.forEach(link);
  };
  const clear = () => {
    stored.clear();
    start();
  };

  start();
  const index: HnswIndex = {
    get size() {
      return stored.size;
    },
    get wasmHeapBytes() {
      return library.HEAP8.length;
    },
    add(slots, keys) {
      stored.add(slots, keys);
      if (nodes + slots.length > capacityNodes) rebuild();
      slots.forEach(link);
    },
    remove(slots) {
      stored.remove(slots);
      for (const slot of slots) {
        graph.markDelete(labelOfSlot[slot]);
        labelOfSlot[slot] = -1;
      }
      // Nothing but removed nodes: cheaper to forget than to search through.
      if (stored.size === 0) clear();
    },
    search(queries, n, out) {
      const R = countQueries({ queries, n, out, headDim });
      if (n >= stored.size) return stored.search(queries, n, out);
      for (let r = 0; r < R; r++) {
        const query = queries.subarray(r * headDim, (r + 1) * headDim);
        const best = out.subarray(r * n, (r + 1) * n);
        const { neighbors } = graph.searchKnn(query, n, undefined);
        if (neighbors.length < n) stored.search(query, n, best);
        else for (let i = 0; i < n; i++) best[i] = slotOfLabel[neighbors[i]];
      }
    },
    clear,
    [Symbol.dispose]() {
      dropped.unregister(graph);
      free();
    },
  };
  dropped.register(index, free, graph); // no closure may hold the index itself, or it would never be dropped
  return index;
}

/**
 * Approximate index of one head, made by {@link createHnswIndex}: exact where n is not below the number of stored chunks.
 * Its graph lies in WebAssembly memory: dispose of the index when it is no longer used, or leave that to the garbage collector.
 */
export interface HnswIndex extends ChunkIndex, Disposable {
  /** Bytes of the WebAssembly memory that this index shares with others. */
  readonly wasmHeapBytes: number;
}

/** Takes memory of an instance of the library that has room, or of a new one. */
function reserve(graphBytes: number): Arena {
  let arena = arenas.find((arena) => arena.graphBytes + graphBytes <= arenaBytes);
  if (!arena) arenas.push(arena = { library: loadHnswlib(), graphBytes: 0 });
  arena.graphBytes += graphBytes;
  return arena;
}

async function loadHnswlib(): Promise<Hnswlib> {
  const { default: factory } = await importHnswlib().catch((cause) => {
    throw new InputError(
      `Cannot load hnswlib-wasm, the library of memory.index.kind "hnsw": ${cause.message}`,
      { cause },
    );
  });
  // Built for browsers: it looks for `window` when called. Others take a window for a browser, so it goes away at once.
  const inBrowser = "window" in globalThis;
  const scope = globalThis as { window?: unknown };
  if (!inBrowser) scope.window = globalThis;
  try {
    // The library's own messages are useless: possible failures are checked here.
    return factory({ print() {}, printErr() {} });
  } finally {
    if (!inBrowser) delete scope.window;
  }
}
