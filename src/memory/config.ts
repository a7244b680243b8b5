/**
 * The fields of a memory: their meaning, forms, defaults and rules.
 */
import { z } from "zod";
import { oneOf, positiveInteger } from "../declaration/fields.ts";
import { introducedAt, unmeasured } from "../declaration/identity.ts";
import { parseForm } from "../declaration/form_problems.ts";
import type { Accepts, Assert, Part } from "../declaration/part.ts";
import { type Problem, problemsIn, wrong } from "../declaration/problem.ts";
import type { ByProtocol, Protocol } from "../declaration/protocol.ts";
import { composed } from "../declaration/registry.ts";
import { InputRangeError } from "../errors.ts";
import { type StorageType, storageTypes } from "./stored_range.ts";
import { type IndexConfig, type IndexDeclaration, indexes } from "./index/indexes.ts";

/** The memory bank and how it is read and written (specification sections 5-7). */
export interface MemoryConfig {
  /** Memory size M in tokens: for the whole bank if shared, for each row's if per row. */
  readonly capacityTokens: number;
  /** Tokens per chunk c. */
  readonly chunkTokens: number;
  /** Retrieved tokens per query and head K; a multiple of `chunkTokens`. */
  readonly retrievedTokens: number;
  /**
   * Keys and values are kept in this type. The official code uses float16 for every type of model. Of int8 each key and
   * value of a head has a scale, and is its nearest multiples from -127 to 127. What finds chunks, their mean keys, is float32 in any case.
   */
  readonly storage: StorageType;
  /**
   * Where keys and values lie: in RAM (default), or in a file on the disk, of which the system keeps in RAM what is read. The
   * results are the same, on `cpu` bit for bit. A file needs Linux and Deno; it has no name, lies in the folder LONGMEM_SCRATCH or in
   * /var/tmp, and goes with the process.
   */
  readonly place?: "ram" | "file";
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
  /** Where retrieved tokens stand for the query that reads them (default: nowhere). */
  readonly positions?: MemoryPositions;
}

/**
 * Where retrieved tokens stand for a query of a backbone with rotary positions. Others know no difference: ALiBi adds the same
 * to the scores of all retrieved tokens, and learned positions are part of their keys.
 */
export type MemoryPositions =
  | {
    /** Queries meet keys as both are before any rotation, as if they stood beside each other (official). */
    readonly kind: "none";
  }
  | {
    /** All stand one distance before the query, regardless of their own. */
    readonly kind: "distance";
    /** The distance, in tokens. */
    readonly tokens: number;
  };

/** Sizes of a memory. */
export type MemorySizes = Pick<
  MemoryConfig,
  "capacityTokens" | "chunkTokens" | "retrievedTokens"
>;

/** Memory settings of each protocol; the numbers are rows of specification section 17. */
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
export const paperMemory: MemorySizes & Pick<MemoryConfig, "index"> = {
  capacityTokens: 65_536,
  chunkTokens: 4,
  retrievedTokens: 64,
  index: { kind: "exact" },
};

/** Chunks that a bank holds: P = floor(M / c). */
export function capacityChunks(config: MemoryConfig): number {
  return Math.floor(config.capacityTokens / config.chunkTokens);
}

/** Chunks that a query retrieves: n = K / c. */
export function retrievedChunks(
  { retrievedTokens, chunkTokens }: Pick<MemoryConfig, "retrievedTokens" | "chunkTokens">,
): number {
  return retrievedTokens / chunkTokens;
}

/** A memory as declared. */
export type MemoryDeclaration = Partial<Omit<MemoryConfig, "index">> & {
  readonly index?: IndexDeclaration;
};

const memorySchema = composed(() =>
  z.strictObject({
    capacityTokens: positiveInteger.exactOptional(),
    chunkTokens: positiveInteger.exactOptional(),
    retrievedTokens: positiveInteger.exactOptional(),
    storage: oneOf(...storageTypes).exactOptional(),
    place: unmeasured(oneOf("ram", "file")).exactOptional(),
    bank: oneOf("shared", "per-row").exactOptional(),
    eviction: oneOf("coarse", "exact").exactOptional(),
    reset: oneOf("epoch", "document").exactOptional(),
    missingChunks: oneOf("zero-slot", "masked").exactOptional(),
    index: indexes.schema.exactOptional(),
    positions: introducedAt(
      z.discriminatedUnion("kind", [
        z.strictObject({ kind: z.literal("none") }),
        z.strictObject({ kind: z.literal("distance"), tokens: positiveInteger }),
      ]),
      { kind: "none" },
    ).exactOptional(),
  })
);
type _SchemaAcceptsTheType = Assert<Accepts<ReturnType<typeof memorySchema>, MemoryDeclaration>>;

/** Inputs from which the defaults of a memory are derived. */
export interface MemoryDefaults {
  readonly protocol: Protocol;
  /** Memory whose fields are inherited where a declaration, such as an evaluation's, changes some of them. */
  readonly base?: MemoryConfig | undefined;
}

/** The memory, as a part of declarations. */
export const memoryPart = {
  get schema() {
    return memorySchema();
  },

  fill({ index, ...fields }: MemoryDeclaration, { protocol, base }: MemoryDefaults): MemoryConfig {
    const inherited = base ?? { ...paperMemory, ...memoryProtocols[protocol] };
    return {
      ...inherited,
      ...fields,
      index: index ? indexes.get(index.kind).fill(index) : inherited.index,
    };
  },

  /** Sizes that do not fit each other. */
  check(memory: MemoryConfig, path: string): Problem[] {
    const { capacityTokens, chunkTokens, retrievedTokens, index } = memory;
    const problems: Problem[] = [];
    if (retrievedTokens % chunkTokens !== 0) {
      problems.push(wrong(
        `${path}.retrievedTokens`,
        `must be a multiple of ${path}.chunkTokens`,
        retrievedTokens,
        `multiples of ${chunkTokens}`,
      ));
    }
    if (retrievedTokens > capacityTokens) {
      problems.push(wrong(
        `${path}.retrievedTokens`,
        `must not exceed ${path}.capacityTokens`,
        retrievedTokens,
        `integers up to ${capacityTokens}`,
      ));
    }
    const sizes = { retrievedChunks: retrievedChunks(memory) };
    problems.push(...indexes.get(index.kind).check?.(index, `${path}.index`, sizes) ?? []);
    return problems;
  },
} satisfies Part<MemoryDeclaration, MemoryConfig, MemoryDefaults>;

/** Checks that a bank can take the update of one batch (specification section 6), and returns the problems. */
export function updateProblems(
  memory: MemoryConfig,
  batch: { readonly batchSize: number; readonly contextTokens: number },
  path: string,
): Problem[] {
  const { bank, reset } = memory, { batchSize } = batch;
  const problems = capacityProblems(memory, batch, path);
  if (bank !== "shared" || batchSize === 1 || reset !== "document") return problems;
  const rule =
    `must be "epoch" where ${batchSize} rows, whose documents begin at different times, ` +
    "share a bank";
  return [wrong(`${path}.reset`, rule, reset, "epoch"), ...problems];
}

function capacityProblems(
  { capacityTokens, chunkTokens, bank, eviction }: MemoryConfig,
  batch: { readonly batchSize: number; readonly contextTokens: number },
  path: string,
): Problem[] {
  const updateTokens = (bank === "shared" ? batch.batchSize : 1) * batch.contextTokens;
  if (updateTokens < chunkTokens) {
    return [wrong(
      `${path}.chunkTokens`,
      `must not exceed one update, of ${updateTokens} tokens`,
      chunkTokens,
      `integers from 1 to ${updateTokens}`,
    )];
  }
  const lowest = lowestCapacityTokens(updateTokens, chunkTokens, eviction);
  if (capacityTokens >= lowest) return [];
  const rule = eviction === "coarse"
    ? "must exceed two updates, as coarse eviction drops two at once"
    : "must hold one update";
  return [wrong(
    `${path}.capacityTokens`,
    `${rule}, of ${updateTokens} tokens each`,
    capacityTokens,
    `integers from ${lowest}`,
  )];
}

/**
 * Checks a memory against the batches that are written to it.
 *
 * @throws {RangeError} It names the fields, their values and the allowed ones.
 */
export function checkMemoryConfig(
  config: MemoryConfig,
  { rows, contextTokens }: { readonly rows: number; readonly contextTokens: number },
): void {
  const malformed = parseForm(memorySchema(), config, "memory").problems;
  const problems = malformed.length > 0 ? malformed : [
    ...memoryPart.check(config, "memory"),
    ...capacityProblems(config, { batchSize: rows, contextTokens }, "memory"),
  ];
  if (problems.length > 0) throw new InputRangeError(problemsIn("make a memory", problems));
}

/**
 * A memory of the last tokens read only: the smallest that segments of `contextTokens` tokens, one row at a time, may
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
  { capacityTokens, chunkTokens, retrievedTokens }: MemorySizes,
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
