import type { ByProtocol } from "../declaration/protocol.ts";
import { InputRangeError } from "../errors.ts";

/** The memory bank and how it is read and written (specification sections 5-7). */
export interface MemoryConfig {
  /** Memory size M in tokens: for the whole bank if shared, for each row's if per row. */
  readonly capacityTokens: number;
  /** Tokens per chunk c. */
  readonly chunkTokens: number;
  /** Retrieved tokens per query and head K; a multiple of `chunkTokens`. */
  readonly retrievedTokens: number;
  /** Keys and values are kept in, or rounded to, this type. The official code has float16, whatever the model's type. */
  readonly storage: "float32" | "float16";
  /** One bank for all rows of a batch (official), or one for each row. */
  readonly bank: "shared" | "per-row";
  /**
   * When the bank overflows: "coarse" drops the two oldest updates as soon as it would become exactly full (official);
   * "exact" drops only the oldest chunks that have no room.
   */
  readonly eviction: "coarse" | "exact";
  /** Where fewer chunks are stored than are asked for: "zero-slot" adds keys and values of zero (official), "masked" leaves them out. */
  readonly missingChunks: "zero-slot" | "masked";
  /** When a bank is emptied: at the end of each epoch (official), or whenever its row begins a document. */
  readonly reset: "epoch" | "document";
  /** How chunks are found. */
  readonly index: IndexConfig;
}

/** What a protocol says about the memory; the numbers are rows of specification section 17. */
export const memoryProtocols: ByProtocol<
  Pick<MemoryConfig, "storage" | "bank" | "eviction" | "reset" | "missingChunks">
> = {
  "released-code": {
    storage: "float16", // 12
    bank: "shared", // 7
    eviction: "coarse", // 6
    reset: "epoch", // 7
    missingChunks: "zero-slot", // 11
  },
  strict: {
    storage: "float32",
    bank: "per-row",
    eviction: "exact",
    reset: "document",
    missingChunks: "masked",
  },
  // The paper concatenates documents in each row of a batch (8), so no row has a boundary at which a memory of
  // "the latest M" tokens (6) would be emptied.
  paper: {
    storage: "float32",
    bank: "per-row", // 7
    eviction: "exact", // 6
    reset: "epoch",
    missingChunks: "masked",
  },
};

/** The paper's memory: 65,536 tokens, 64 retrieved in chunks of 4, found exactly. */
export const paperMemory: Pick<
  MemoryConfig,
  "capacityTokens" | "chunkTokens" | "retrievedTokens" | "index"
> = {
  capacityTokens: 65_536,
  chunkTokens: 4,
  retrievedTokens: 64,
  index: { kind: "exact" },
};

/** How the chunks nearest to a query are found. */
export type IndexConfig =
  | {
    /** All chunks are compared. */
    readonly kind: "exact";
  }
  | {
    /**
     * A hierarchical navigable small world graph, for banks far beyond the paper's. It is not part of checkpoints: a
     * resumed training builds it anew from the bank, and may find other chunks where the search is not exact.
     */
    readonly kind: "hnsw";
    /** Links of a node. */
    readonly m: number;
    /** Candidates kept while a node is added. */
    readonly efConstruction: number;
    /** Candidates kept during a search; at least the chunks retrieved. */
    readonly efSearch: number;
  };

/** Chunks that a bank holds: P = floor(M / c). */
export function capacityChunks(config: MemoryConfig): number {
  return Math.floor(config.capacityTokens / config.chunkTokens);
}

/** Chunks that a query retrieves: n = K / c. */
export function retrievedChunks(config: MemoryConfig): number {
  return config.retrievedTokens / config.chunkTokens;
}

/** Sizes of a bank. */
export interface BankShape {
  /** Separate banks G: 1 if shared, else one for each of the B rows. */
  readonly banks: number;
  readonly heads: number;
  readonly headDim: number;
  readonly capacityChunks: number;
  readonly chunkTokens: number;
}

/**
 * Checks a memory against the batches that are written to it.
 *
 * @throws RangeError naming the field, its value and what is allowed.
 */
export function checkMemoryConfig(
  config: MemoryConfig,
  batch: { rows: number; contextTokens: number },
): void {
  const { capacityTokens, chunkTokens, retrievedTokens } = config;
  for (const [name, value] of Object.entries({ capacityTokens, chunkTokens, retrievedTokens })) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new InputRangeError(
        `Cannot make a memory as memory.${name} must be a positive integer: current value is ${value}`,
      );
    }
  }
  if (retrievedTokens % chunkTokens !== 0) {
    throw new InputRangeError(
      `Cannot make a memory as memory.retrievedTokens must be a multiple of memory.chunkTokens: current values are ${retrievedTokens} and ${chunkTokens}`,
    );
  }
  if (retrievedChunks(config) > capacityChunks(config)) {
    throw new InputRangeError(
      `Cannot make a memory as memory.retrievedTokens must not exceed memory.capacityTokens: current values are ${retrievedTokens} and ${capacityTokens}`,
    );
  }
  const written = (config.bank === "shared" ? batch.rows : 1) * batch.contextTokens;
  if (written < chunkTokens) {
    throw new InputRangeError(
      `Cannot make a memory as memory.chunkTokens must not exceed one update of ${written} tokens: current value is ${chunkTokens}`,
    );
  }
  const least = lowestCapacityTokens(written, chunkTokens, config.eviction);
  if (capacityTokens < least) {
    throw new InputRangeError(
      `Cannot make a memory as memory.capacityTokens must hold ${
        config.eviction === "coarse" ? "more than two updates" : "one update"
      } of ${written} tokens: current value is ${capacityTokens}, allowed are ${least} and more`,
    );
  }
}

/**
 * A memory that holds only what was read last: the smallest that segments of `contextTokens` tokens, one row at a time, may
 * be written to and that has the tokens to be retrieved. With exact eviction it is the last segment, or the last
 * `retrievedTokens` tokens where those are more; coarse eviction needs room for more than two updates, of which it keeps the
 * last one or two.
 */
export function recentMemory(memory: MemoryConfig, contextTokens: number): MemoryConfig {
  const { chunkTokens, retrievedTokens, eviction } = memory;
  const least = lowestCapacityTokens(contextTokens, chunkTokens, eviction);
  return { ...memory, capacityTokens: Math.max(least, retrievedTokens) };
}

/** A memory of the sizes that a model declares for itself, empty slots masked and the oldest chunks leaving first. */
export function memoryOfSizes(
  { capacityTokens, chunkTokens, retrievedTokens }: Pick<
    MemoryConfig,
    "capacityTokens" | "chunkTokens" | "retrievedTokens"
  >,
  bank: MemoryConfig["bank"],
): MemoryConfig {
  const index = { kind: "exact" } as const;
  const sizes = { capacityTokens, chunkTokens, retrievedTokens };
  return { ...memoryProtocols.paper, ...sizes, bank, index };
}

/** The smallest bank that an update of so many tokens never breaks, in tokens. */
export function lowestCapacityTokens(
  updateTokens: number,
  chunkTokens: number,
  eviction: MemoryConfig["eviction"],
): number {
  const chunks = Math.floor(updateTokens / chunkTokens);
  if (eviction === "exact") return Math.max(1, chunks) * chunkTokens;
  // Eviction starts at count + chunks >= capacity and drops floor(2 * tokens / chunkTokens): two
  // updates exactly, unless updates leave a remainder, when one chunk more can be dropped than two
  // updates stored; a third update makes up for it.
  const dropsMore = Math.floor(2 * updateTokens / chunkTokens) > 2 * chunks;
  return ((dropsMore ? 3 : 2) * chunks + 1) * chunkTokens;
}
