// deno-lint-ignore-file no-console -- a program that prints
/**
 * An index of your own: chunks are found by the bits of random projections of their mean keys (locality-sensitive hashing), and
 * the nearest by Hamming distance are compared exactly. More bits and a longer shortlist find more of what an exact search finds.
 *
 *     deno run --allow-read --allow-write --allow-env --allow-ffi --allow-sys examples/custom_index.ts
 *
 * It is registered from outside here; in the tree it would be a file in `src/memory/index/` and its lines in `indexes.ts`.
 */
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { type Experiment, runExperiment } from "@longmem/lab";
import { positiveInteger } from "../src/declaration/fields.ts";
import { wrong } from "../src/declaration/problem.ts";
import { FlatIndex, type FlatIndexOptions } from "../src/memory/index/flat_index.ts";
import { followWithIndexes } from "../src/memory/index/follow_bank.ts";
import type { IndexKind } from "../src/memory/index/index_kind.ts";
import { type IndexConfig, type IndexDeclaration, indexes } from "../src/memory/index/indexes.ts";
import { Random } from "../src/random.ts";

/** The index, all fields filled in. */
interface HashIndexConfig {
  readonly kind: "hash";
  /** Projections, each a bit of a chunk's code. */
  readonly bits: number;
  /** Chunks of the nearest codes, which are compared exactly. */
  readonly shortlist: number;
}

/** The same as declared. */
type HashIndexDeclaration = Pick<HashIndexConfig, "kind"> & Partial<HashIndexConfig>;

/** Mean keys, beside which their codes are kept. */
class HashIndex extends FlatIndex {
  readonly #shortlist: number;
  /** Directions [bits, D] of the projections. */
  readonly #directions: readonly Float32Array[];
  /** The code of each stored slot. */
  readonly #codes = new Map<number, number>();

  constructor(
    { bits, shortlist, seed, ...sizes }:
      & FlatIndexOptions
      & Omit<HashIndexConfig, "kind">
      & { seed: number },
  ) {
    super(sizes);
    const random = new Random(`${seed}/hash`);
    this.#shortlist = shortlist;
    this.#directions = Array.from(
      { length: bits },
      () => Float32Array.from({ length: sizes.headDim }, () => random.nextUint32() / 2 ** 32 - 0.5),
    );
  }

  override add(slots: Int32Array, keys: Float32Array): void {
    super.add(slots, keys);
    for (const slot of slots) this.#codes.set(slot, this.#codeOf(this.key(slot)));
  }

  override remove(slots: Int32Array): void {
    super.remove(slots);
    for (const slot of slots) this.#codes.delete(slot);
  }

  override clear(): void {
    super.clear();
    this.#codes.clear();
  }

  override search(queries: Float32Array, n: number, out: Int32Array): void {
    const D = this.headDim, P = this.capacityChunks;
    for (let r = 0; r < queries.length / D; r++) {
      const query = queries.subarray(r * D, (r + 1) * D);
      const code = this.#codeOf(query);
      // One number for distance and slot, so that equal distances are in the order of slots.
      const nearest = Float64Array.from(
        this.#codes,
        ([slot, other]) => P * countBits(code ^ other) + slot,
      ).sort();
      const best = Array.from(nearest.subarray(0, this.#shortlist), (place) => place % P)
        .map((slot) => ({ slot, score: dot(query, this.key(slot)) }))
        .sort((a, b) => b.score - a.score || a.slot - b.slot);
      for (let i = 0; i < n; i++) out[r * n + i] = best[i]?.slot ?? -1;
    }
  }

  /** A bit for each projection: on which side of it a vector [D] lies. */
  #codeOf(vector: Float32Array): number {
    return this.#directions.reduce(
      (code, direction, i) => code | Number(dot(direction, vector) > 0) << i,
      0,
    );
  }
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let d = 0; d < a.length; d++) sum += a[d] * b[d];
  return sum;
}

/** Bits of a 32-bit number that are set. */
function countBits(code: number): number {
  let bits = 0;
  for (let rest = code; rest !== 0; rest &= rest - 1) bits++;
  return bits;
}

/** The kind of index: its fields, their defaults and rules, and how it is opened for a bank. */
const hashIndex: IndexKind<HashIndexDeclaration, HashIndexConfig> = {
  schema: z.strictObject({
    kind: z.literal("hash"),
    bits: z.int().min(1).max(32).describe("integers from 1 to 32").exactOptional(),
    shortlist: positiveInteger.exactOptional(),
  }),
  isExact: false,
  fill: (declared) => ({ bits: 32, shortlist: 64, ...declared }),
  check: ({ shortlist }, path, { retrievedChunks }) =>
    shortlist >= retrievedChunks
      ? []
      : [wrong(`${path}.shortlist`, "is too short", shortlist, `from ${retrievedChunks}`)],
  open: ({ bits, shortlist }, { seed, ...surroundings }) =>
    followWithIndexes(
      surroundings,
      (head, sizes) =>
        Promise.resolve(new HashIndex({ ...sizes, bits, shortlist, seed: seed + head })),
    ),
};

/** Recall of far facts by the kind of index, of a backbone with a memory and no training. */
export async function compareIndexes(results: string): Promise<Record<string, number>> {
  // The types of declarations know the kinds of the tree alone.
  using _hash = indexes.register(
    "hash",
    hashIndex as unknown as IndexKind<IndexDeclaration, IndexConfig>,
  );
  const kinds: Record<string, IndexDeclaration | HashIndexDeclaration> = {
    "exact": { kind: "exact" },
    "hash, 32 bits": { kind: "hash" },
    "hash, 2 bits": { kind: "hash", bits: 2, shortlist: 16 },
  };
  const experiment: Experiment = {
    name: "custom_index",
    corpus: {
      kind: "chronicle",
      books: { train: 1, valid: 1, test: 1 },
      config: { book: { chapters: 8 } },
    },
    tokenizer: { kind: "chronicle" },
    backbone: {
      kind: "checkpoint",
      path: fileURLToPath(new URL("../data/chronicle/backbone", import.meta.url)),
    },
    sidenet: { memoryBlock: 2, initialization: { kind: "blocks", blocks: [0, 2] } },
    memory: { capacityTokens: 1024, chunkTokens: 4, retrievedTokens: 64 },
    evaluations: [{
      kind: "recall",
      split: "test",
      contextTokens: 128,
      models: ["untrained-with-memory"],
    }],
  };
  const found: Record<string, number> = {};
  for (const [name, index] of Object.entries(kinds)) {
    const memory = { ...experiment.memory, index: index as IndexDeclaration };
    const { metrics } = await runExperiment({ ...experiment, memory }, { results, device: "cpu" });
    found[name] = metrics.find((metric) => metric.name === "recall all far")!.value;
  }
  return found;
}

if (import.meta.main) {
  for (const [name, recall] of Object.entries(await compareIndexes("results"))) {
    console.log(`${name}: ${recall.toFixed(3)} of the far facts recalled`);
  }
}
