/**
 * Memories from 4,096 to 16 million tokens: recall, time and RAM of exact search and of the approximate indexes, and of banks in RAM
 * and in files.
 *
 *     deno run -A tests/bench/large_memory.ts [--tokens 4096,65536] [--graph-tokens 1048576] [--write]
 *
 * One head of the chronicle's SideNet: keys and queries are those of its trained memory layer, 32 numbers each. Beyond the tokens that
 * are read, keys are those again, with noise of a tenth of their spread. Everything runs on one thread, each measurement in a process
 * of its own; times of a size are compared with those of exact search at the same size.
 */
// deno-lint-ignore-file no-console -- a benchmark prints what it measured
import { join } from "node:path";
import { z } from "zod";
import { loadLongMem } from "../../src/checkpoint/load.ts";
import { readArguments, UsageError } from "../../src/command_line.ts";
import { Graph } from "../../src/graph/graph.ts";
import { gather } from "../../src/graph/ops/gather.ts";
import { rememberDocument } from "../../src/longmem/generation.ts";
import { type MemoryConfig, memoryProtocols } from "../../src/memory/config.ts";
import type { ChunkIndex } from "../../src/memory/index/chunk_index.ts";
import { FlatIndex } from "../../src/memory/index/flat_index.ts";
import { followWithIndexes } from "../../src/memory/index/follow_bank.ts";
import { createHnswIndex } from "../../src/memory/index/hnsw_index.ts";
import type { IndexKind } from "../../src/memory/index/index_kind.ts";
import {
  type IndexConfig,
  type IndexDeclaration,
  indexes,
} from "../../src/memory/index/indexes.ts";
import { createUsearchIndex } from "../../src/memory/index/usearch_index.ts";
import { MemoryBank } from "../../src/memory/memory_bank.ts";
import { bankInputNames, bankInputs, retrieveExactly } from "../../src/memory/memory_graph.ts";
import type { StorageType } from "../../src/memory/stored_range.ts";
import { vectorTableBytes } from "../../src/memory/vector_table.ts";
import { Random } from "../../src/random.ts";
import { lineChart } from "../../src/results/figure.ts";
import { compile } from "../../src/runtime/compile.ts";
import { openDevice } from "../../src/runtime/open_device.ts";
import { defaultChronicle } from "../../src/text/chronicle/config.ts";
import { writeBook } from "../../src/text/chronicle/book.ts";
import { recallAt } from "../memory/index/recall.ts";
import { repositoryPath } from "../testing.ts";
import { fitExponent } from "./many_runs.ts";
import { describeMachine, machineLoad } from "./machine.ts";

/** Tokens of a chunk, size of a head, chunks retrieved, and queries that are searched at once. */
const c = 4, D = 32, n = 16, R = 128;

/** Chunks that enter an index at once. */
const slice = 4096;

/** Kinds of search: approximate ones by their defaults, and by four times the candidates. */
const methods = [
  "exact",
  "hnsw",
  "usearch float32",
  "usearch float16",
  "usearch float16, efSearch 512",
] as const;
type Method = typeof methods[number];

/** Largest memory that a method is measured with, against that of the fastest graph: building the others takes long. */
const largest: Readonly<Record<Method, number>> = {
  exact: Infinity,
  hnsw: 1 / 4,
  "usearch float32": 1 / 4,
  "usearch float16": 1,
  "usearch float16, efSearch 512": 1 / 4,
};

/** What a process measured of a method at a size; recall against the exact search of the same size. */
interface Measured {
  readonly recall: number;
  readonly attention: number;
  readonly microsecondsPerQuery: number;
  /** Absent for exact search, which keeps nothing but the bank's mean keys. */
  readonly microsecondsPerAdded?: number;
  readonly microsecondsPerEvicted?: number;
  /** RAM that was taken while keys entered. */
  readonly mebibytes: number;
}

/** Keys and queries of the chronicle's trained memory layer, as an index of its second head sees them. */
async function recordedKeys(
  tokens: number,
): Promise<{ keys: Float32Array; queries: Float32Array }> {
  const keys: Float32Array[] = [], queries: Float32Array[] = [];
  class Recorder extends FlatIndex {
    override add(slots: Int32Array, added: Float32Array): void {
      super.add(slots, added);
      keys.push(added.slice());
    }
    override search(asked: Float32Array, _n: number, out: Int32Array): void {
      queries.push(asked.slice());
      out.fill(-1);
    }
  }
  const recording: IndexKind<{ kind: "recording" }, { kind: "recording" }> = {
    schema: z.strictObject({ kind: z.literal("recording") }),
    isExact: false,
    fill: (declared) => declared,
    open: (_config, surroundings) =>
      followWithIndexes(
        surroundings,
        (head, sizes) => Promise.resolve(head === 1 ? new Recorder(sizes) : new FlatIndex(sizes)),
      ),
  };
  using _registered = indexes.register(
    "recording",
    recording as unknown as IndexKind<IndexDeclaration, IndexConfig>,
  );
  const folder = repositoryPath("data/chronicle");
  await using model = await loadLongMem({
    backbone: `${folder}/backbone`,
    sidenet: `${folder}/sidenet`,
    memory: {
      capacityTokens: tokens,
      chunkTokens: c,
      retrievedTokens: n * c,
      bank: "shared",
      eviction: "exact",
      index: { kind: "recording" } as unknown as IndexDeclaration,
    },
    device: "cpu",
  });
  for (let book = 0, read = 0; read < tokens; book++) {
    const { tokens: text } = writeBook(defaultChronicle, `large memory ${book}`);
    const rest = Int32Array.from(text.subarray(0, tokens - read));
    read += rest.length;
    await rememberDocument(model, rest, { contextTokens: 128 });
  }
  const { tokens: question } = writeBook(defaultChronicle, "large memory question");
  await model.forward(Int32Array.from(question.subarray(640, 640 + R)), { readOnly: true });
  return { keys: joined(keys), queries: joined(queries).slice(0, R * D) };
}

function joined(parts: readonly Float32Array[]): Float32Array<ArrayBuffer> {
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Root mean square of the real keys, once it is known. */
let spread: number | undefined;

/** The keys of chunks start..start+count-1 [count, D] of a memory of any size. */
function keysAt(real: Float32Array, start: number, count: number): Float32Array<ArrayBuffer> {
  const known = real.length / D, out = new Float32Array(count * D);
  spread ??= Math.sqrt(real.reduce((sum, x) => sum + x * x, 0) / real.length);
  const size = 0.1 * Math.sqrt(3) * spread; // of even noise with a tenth of the spread
  for (let i = 0; i < count; i++) {
    const at = ((start + i) % known) * D, isReal = start + i < known;
    for (let d = 0; d < D; d++) {
      out[i * D + d] = real[at + d] + (isReal ? 0 : size * noise((start + i) * D + d));
    }
  }
  return out;
}

/** A number from -1 to 1 that looks random, of an index: the finalizer of MurmurHash3. */
function noise(index: number): number {
  let x = index | 0;
  x = Math.imul(x ^ x >>> 16, 0x85ebca6b);
  x = Math.imul(x ^ x >>> 13, 0xc2b2ae35);
  return ((x ^ x >>> 16) >>> 0) / 2 ** 31 - 1;
}

/**
 * Share of the attention that the exact chunks [R, n] have, by softmax over their mean keys, that the found ones have; a mean over
 * queries. Where many chunks are nearly alike, it tells how much a wrong one matters.
 */
function attentionShare(
  real: Float32Array,
  queries: Float32Array,
  found: Int32Array,
  exact: Int32Array,
): number {
  const weights = (ids: Int32Array, r: number) =>
    Array.from(ids.subarray(r * n, (r + 1) * n), (slot) => {
      if (slot < 0) return -Infinity;
      const key = keysAt(real, slot, 1);
      return key.reduce((sum, x, d) => sum + x * queries[r * D + d], 0) / Math.sqrt(D);
    });
  let shares = 0;
  for (let r = 0; r < R; r++) {
    const best = weights(exact, r), top = best[0];
    const mass = (scores: number[]) => scores.reduce((sum, x) => sum + Math.exp(x - top), 0);
    shares += mass(weights(found, r)) / mass(best);
  }
  return shares / R;
}

async function readFloats(path: string): Promise<Float32Array<ArrayBuffer>> {
  return new Float32Array((await Deno.readFile(path)).buffer as ArrayBuffer);
}

/** Milliseconds of the fastest of three calls. */
async function fastest(call: () => unknown): Promise<number> {
  let best = Infinity;
  for (let i = 0; i < 3; i++) {
    const start = performance.now();
    await call();
    best = Math.min(best, performance.now() - start);
  }
  return best;
}

const mebibytes = () => Deno.memoryUsage().rss / 2 ** 20;

/** Measures a method in this process. `folder` has keys and queries; exact search leaves its ids there. */
async function measure(method: Method, tokens: number, folder: string): Promise<Measured> {
  const real = await readFloats(join(folder, "keys")), P = tokens / c;
  const queries = await readFloats(join(folder, "queries"));
  const truth = join(folder, `exact ${tokens}`);
  const before = mebibytes();
  if (method === "exact") {
    const device = await openDevice("cpu", { threads: 1 });
    const meanKeys = new Float32Array((D + 1) * P);
    for (let start = 0; start < P; start += slice) {
      const count = Math.min(slice, P - start), keys = keysAt(real, start, count);
      for (let d = 0; d < D; d++) {
        for (let i = 0; i < count; i++) meanKeys[d * P + start + i] = keys[i * D + d];
      }
    }
    const taken = mebibytes() - before;
    const shape = { banks: 1, heads: 1, headDim: D, capacityChunks: P, chunkTokens: c };
    const graph = new Graph();
    const { ids } = retrieveExactly(graph.input("queries", [1, 1, R, D]), shape, {
      retrievedChunks: n,
      blockBytes: device.blockBytes,
    });
    graph.output("ids", ids);
    const session = await compile(device, graph, { hostOutputs: ["ids"] });
    const inputs = {
      queries: device.tensor(queries, [1, 1, R, D]),
      [bankInputNames.meanKeys]: device.tensor(meanKeys, [1, 1, D + 1, P]),
    };
    let found!: Int32Array;
    const ms = await fastest(async () => {
      found = await (await session.run(inputs)).ids.read() as Int32Array;
    });
    await Deno.writeFile(truth, new Uint8Array(found.slice().buffer));
    await session.close();
    await device.close();
    return { recall: 1, attention: 1, microsecondsPerQuery: 1000 * ms / R, mebibytes: taken };
  }
  const sizes = { headDim: D, capacityChunks: P };
  const index: ChunkIndex = method === "hnsw"
    ? await createHnswIndex({ ...sizes, seed: 1 })
    : await createUsearchIndex({
      ...sizes,
      exactChunks: 0,
      keys: method === "usearch float32" ? "float32" : "float16",
      ...(method.endsWith("512") ? { efSearch: 512 } : {}),
    });
  let adding = 0;
  for (let start = 0; start < P; start += slice) {
    const count = Math.min(slice, P - start), keys = keysAt(real, start, count);
    const slots = Int32Array.from({ length: count }, (_, i) => start + i);
    const begun = performance.now();
    index.add(slots, keys);
    adding += performance.now() - begun;
  }
  const taken = mebibytes() - before;
  const found = new Int32Array(R * n);
  const ms = await fastest(() => index.search(queries, n, found));
  const exact = new Int32Array((await Deno.readFile(truth)).buffer);
  const oldest = Int32Array.from({ length: Math.min(512, P / 2) }, (_, i) => i);
  const begun = performance.now();
  index.remove(oldest);
  index.add(oldest, keysAt(real, 0, oldest.length));
  const evicting = performance.now() - begun;
  return {
    recall: recallAt(n, found, exact),
    attention: attentionShare(real, queries, found, exact),
    microsecondsPerQuery: 1000 * ms / R,
    microsecondsPerAdded: 1000 * adding / P,
    microsecondsPerEvicted: 1000 * evicting / oldest.length,
    mebibytes: taken,
  };
}

/** Recall of keys rounded to fewer bits, by brute force: as they rank, and where the best 4 n are ranked again by whole keys. */
function roundedRecall(
  real: Float32Array,
  queries: Float32Array,
  round: (keys: Float32Array) => Float32Array,
): { ranked: number; ranksAgain: number } {
  const P = real.length / D, slots = Int32Array.from({ length: P }, (_, i) => i);
  const find = (keys: Float32Array, count: number) => {
    const index = new FlatIndex({ headDim: D, capacityChunks: P });
    index.add(slots, keys);
    const found = new Int32Array(R * count);
    index.search(queries, count, found);
    return found;
  };
  const exact = find(real, n), candidates = find(round(real), 4 * n);
  const ranked = new Int32Array(R * n), again = new Int32Array(R * n);
  const score = (r: number, slot: number) => {
    let sum = 0;
    for (let d = 0; d < D; d++) sum += queries[r * D + d] * real[slot * D + d];
    return sum;
  };
  for (let r = 0; r < R; r++) {
    const row = [...candidates.subarray(4 * n * r, 4 * n * (r + 1))];
    ranked.set(row.slice(0, n), r * n);
    again.set(row.sort((a, b) => score(r, b) - score(r, a)).slice(0, n), r * n);
  }
  return { ranked: recallAt(n, ranked, exact), ranksAgain: recallAt(n, again, exact) };
}

/** Rounds to 8 bits, with one scale for each dimension. */
function to8Bits(keys: Float32Array): Float32Array {
  const largest = new Float32Array(D);
  keys.forEach((x, i) => largest[i % D] = Math.max(largest[i % D], Math.abs(x)));
  return keys.map((x, i) => Math.round(127 * x / largest[i % D]) * largest[i % D] / 127);
}

/** What a bank of a size takes, and the time of a pass that reads it. */
interface MeasuredBank {
  readonly bankMebibytes: number;
  /** Most RAM of the process that is not pages of a file, less what it had before the bank. */
  readonly ramMebibytes: number;
  readonly milliseconds: number;
  /** SHA-256 of what the pass read. */
  readonly read: string;
}

const bankHeads = 4;

async function measureBank(
  storage: StorageType,
  place: "ram" | "file",
  tokens: number,
): Promise<MeasuredBank> {
  const device = await openDevice("cpu", { threads: 1 }), E = bankHeads * D, T = 64;
  const config: MemoryConfig = {
    ...memoryProtocols["released-code"],
    capacityTokens: tokens,
    chunkTokens: c,
    retrievedTokens: n * c,
    eviction: "exact",
    index: { kind: "exact" },
    storage,
    place,
  };
  const anonymous = () =>
    Number(/RssAnon:\s+(\d+)/.exec(Deno.readTextFileSync("/proc/self/status"))![1]) / 1024;
  const before = anonymous();
  const bank = new MemoryBank(device, config, { rows: 1, heads: bankHeads, headDim: D });
  const random = new Random("bank");
  const numbers = Float32Array.from({ length: 2 * slice * E }, () => random.normal());
  let most = 0;
  for (let start = 0; start < tokens; start += slice) {
    // Other rows of the same numbers for each update.
    const from = (start / slice * 7919) % slice * E, size = Math.min(slice, tokens - start);
    const rows = (first: number) =>
      device.tensor(numbers.slice(first, first + size * E), [size, E]);
    await bank.write(rows(from), rows(slice * E - from));
    most = Math.max(most, anonymous());
  }
  const graph = new Graph(), { shape } = bank;
  const { ids } = retrieveExactly(graph.input("queries", [1, bankHeads, T, D]), shape, {
    retrievedChunks: n,
    blockBytes: device.blockBytes,
  });
  const inputs = bankInputs(graph, shape, { rows: 1, type: storage });
  graph.output("keys", gather(inputs.keys, ids));
  graph.output("values", gather(inputs.values, ids));
  const session = await compile(device, graph);
  const given = bank.inputs(1);
  const queries = device.tensor(numbers.slice(0, bankHeads * T * D), [1, bankHeads, T, D]);
  const hash: string[] = [];
  const milliseconds = await fastest(async () => {
    const { keys, values } = await session.run({ ...given, queries });
    for (const tensor of [keys, values]) {
      const { buffer } = (await tensor.read()).slice();
      const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", buffer as ArrayBuffer));
      hash.push(digest.toHex());
    }
    most = Math.max(most, anonymous());
  });
  const chunks = bankHeads * shape.capacityChunks;
  const bytes = 2 * vectorTableBytes(storage, { rows: chunks, vectors: c, size: D }) +
    4 * chunks * (D + 1);
  return {
    bankMebibytes: bytes / 2 ** 20,
    ramMebibytes: most - before,
    milliseconds,
    read: hash.join(""),
  };
}

/** Runs a measurement in a process of its own. */
async function apart<Result>(...args: readonly string[]): Promise<Result> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", import.meta.url, "--measure", ...args],
    env: { LONGMEM_THREADS: "1" },
  }).output();
  const decoder = new TextDecoder();
  if (code !== 0) throw new Error(`${args.join(" ")}: ${decoder.decode(stderr)}`);
  return JSON.parse(decoder.decode(stdout).trim().split("\n").at(-1)!) as Result;
}

/** Sizes to measure. */
export interface Sizes {
  /** Tokens in memory. */
  readonly tokens: readonly number[];
  /** Tokens of the largest graph that is built. */
  readonly graphTokens: number;
  /** Tokens that the model reads at most. */
  readonly readTokens: number;
  /** Tokens of the banks in RAM and in a file. */
  readonly bankTokens: readonly number[];
}

/** Measures memories of some sizes: tables in Markdown, and a figure. */
export async function measureLargeMemories(
  { tokens, graphTokens, readTokens, bankTokens }: Sizes,
  note: (text: string) => void = () => {},
): Promise<{ readonly text: string; readonly figure: string }> {
  const folder = await Deno.makeTempDir();
  try {
    const read = Math.min(readTokens, Math.max(...tokens));
    const { keys, queries } = await recordedKeys(read);
    await Deno.writeFile(join(folder, "keys"), new Uint8Array(keys.slice().buffer));
    await Deno.writeFile(join(folder, "queries"), new Uint8Array(queries.slice().buffer));
    note(`${read} tokens read`);
    const rows: (Measured & { method: Method; tokens: number; share: number })[] = [];
    for (const size of tokens) {
      let exact = NaN;
      for (const method of methods) {
        if (size > graphTokens * largest[method]) continue;
        const measured = await apart<Measured>(method, `${size}`, folder);
        if (method === "exact") exact = measured.microsecondsPerQuery;
        rows.push({
          ...measured,
          method,
          tokens: size,
          share: measured.microsecondsPerQuery / exact,
        });
        note(JSON.stringify(rows.at(-1)));
      }
    }
    const roundings = {
      float16: roundedRecall(keys, queries, (all) => Float32Array.from(Float16Array.from(all))),
      "8 bits": roundedRecall(keys, queries, to8Bits),
    };
    const banks: Bank[] = [];
    for (const tokens of bankTokens) {
      for (const storage of ["float16", "int8"] as const) {
        for (const place of ["ram", "file"] as const) {
          const measured = await apart<MeasuredBank>("bank", `${tokens}`, place, storage);
          banks.push({ ...measured, tokens, place, storage });
          note(JSON.stringify(banks.at(-1)));
        }
      }
    }
    return { text: tables(rows, roundings, banks, read), figure: figure(rows) };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

type Row = Measured & { readonly method: Method; readonly tokens: number; readonly share: number };

/** A bank that was measured. */
interface Bank extends MeasuredBank {
  readonly tokens: number;
  readonly storage: StorageType;
  readonly place: "ram" | "file";
}

function tables(
  rows: readonly Row[],
  roundings: Readonly<Record<string, { ranked: number; ranksAgain: number }>>,
  banks: readonly Bank[],
  read: number,
): string {
  const whole = (x: number | undefined) => x === undefined ? "" : `${Math.round(x)}`;
  const english = (tokens: number) => tokens.toLocaleString("en");
  const exponents = methods.flatMap((method) => {
    const points = rows.filter((row) => row.method === method)
      .map((row) => [row.tokens, row.microsecondsPerQuery] as const);
    return points.length < 2 ? [] : [`${method} ${fitExponent(points).toFixed(2)}`];
  });
  const sizes = [...new Set(rows.map((row) => row.tokens))];
  const better = (method: Method) =>
    sizes.find((tokens) =>
      rows.some((row) =>
        row.method === method && row.tokens === tokens && row.recall >= 0.95 && row.share < 1
      )
    );
  const crossings = methods.slice(1).map((method) => {
    const tokens = better(method);
    return `${method} ${
      tokens === undefined ? "at none of these" : `from ${english(tokens)} tokens`
    }`;
  });
  return [
    `## Search of one head`,
    "",
    `Keys and queries of ${D} numbers; ${n} of the chunks of ${c} tokens for each of ${R} queries. The first ${
      english(read)
    } tokens are real, the rest are those again with noise. "attention" is the share of the attention of the exact chunks that the found ones have; "of exact" is the time a query over that of exact search at the ` +
    "same size; adding and evicting are us a chunk; MiB is the RAM that was taken, for exact search that of the bank's mean keys, which " +
    "an index needs beside its own.",
    "",
    "| tokens | search | recall@16 | attention | us a query | of exact | us added | us evicted and added | MiB |",
    "| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ...rows.map((row) =>
      `| ${english(row.tokens)} | ${row.method} | ${row.recall.toFixed(3)} | ${
        row.attention.toFixed(3)
      } | ${row.microsecondsPerQuery.toPrecision(3)} | ${row.share.toPrecision(2)} | ${
        whole(row.microsecondsPerAdded)
      } | ${whole(row.microsecondsPerEvicted)} | ${whole(row.mebibytes)} |`
    ),
    "",
    `Exponent of the time a query against tokens: ${
      exponents.join(", ")
    }. Recall of 0.95 in less time than exact search: ${crossings.join(", ")}.`,
    "",
    `## Keys of fewer bits`,
    "",
    `All ${
      english(read / c)
    } real chunks compared by rounded keys: as they rank, and where the best ${
      4 * n
    } are ranked again by whole keys. 8 bits have one scale for each dimension.`,
    "",
    "| keys | recall@16 | ranked again |",
    "| --- | ---: | ---: |",
    ...Object.entries(roundings).map(([name, { ranked, ranksAgain }]) =>
      `| ${name} | ${ranked.toFixed(4)} | ${ranksAgain.toFixed(4)} |`
    ),
    "",
    `## A bank in RAM and in a file`,
    "",
    `${bankHeads} heads of ${D} numbers, exact search, a pass of 64 tokens. RAM is the most that the process had beside pages of ` +
    "files, which the system drops when it needs room.",
    "",
    "| tokens | storage | place | MiB of the bank | MiB of RAM | ms a pass | same bits |",
    "| ---: | --- | --- | ---: | ---: | ---: | --- |",
    ...banks.map((bank) => {
      const other = banks.find(({ tokens, storage }) =>
        tokens === bank.tokens && storage === bank.storage
      )!;
      return `| ${english(bank.tokens)} | ${bank.storage} | ${bank.place} | ${
        whole(bank.bankMebibytes)
      } | ${whole(bank.ramMebibytes)} | ${whole(bank.milliseconds)} | ${
        bank.read === other.read ? "yes" : "no"
      } |`;
    }),
  ].join("\n");
}

function figure(rows: readonly Row[]): string {
  const sizes = [...new Set(rows.map((row) => row.tokens))];
  return lineChart({
    title: "Time of a query by the size of the memory",
    note: `one head of ${D} numbers, ${n} chunks of ${c} tokens, one thread`,
    x: {
      label: "tokens in memory",
      scale: "log2",
      ticks: sizes.map((at) => ({
        at,
        name: at >= 2 ** 20 ? `${at / 2 ** 20} M` : `${at / 1024} K`,
      })),
    },
    y: { label: "time of a query", unit: "us", scale: "log2" },
    series: methods.flatMap((method) => {
      const points = rows.filter((row) => row.method === method)
        .map((row) => ({ x: row.tokens, value: row.microsecondsPerQuery }));
      return points.length === 0 ? [] : [{ name: method, points }];
    }),
  });
}

if (import.meta.main) {
  if (Deno.args[0] === "--measure") {
    const [, what, tokens, where, storage] = Deno.args;
    const measured = what === "bank"
      ? await measureBank(storage as StorageType, where as "ram" | "file", Number(tokens))
      : await measure(what as Method, Number(tokens), where);
    console.log(JSON.stringify(measured));
    Deno.exit(0);
  }
  const flags = [
    { name: "tokens", value: "N,N,...", help: "tokens in memory" },
    {
      name: "graph-tokens",
      value: "N",
      help: "tokens of the largest approximate index; of others a quarter",
    },
    { name: "read", value: "N", help: "tokens that the model reads" },
    { name: "bank-tokens", value: "N,N,...", help: "tokens of the banks in RAM and in a file" },
    { name: "write", help: "write results/bench/large_memory.md and .svg, too" },
  ];
  const args = readArguments({ flags }, Deno.args);
  const numbers = (flag: string, otherwise: number[]) => {
    const given = args.flags.get(flag)?.at(-1)?.split(",").map(Number) ?? otherwise;
    const wrong = given.find((x) => !Number.isSafeInteger(x) || x < 128 || x % c !== 0);
    if (wrong === undefined) return given;
    throw new UsageError(
      `Cannot read --${flag} as it has ${wrong}: allowed are multiples of ${c} from 128`,
    );
  };
  const start = machineLoad();
  const { text, figure } = await measureLargeMemories({
    tokens: numbers("tokens", [2 ** 12, 2 ** 16, 2 ** 18, 2 ** 20, 2 ** 22, 2 ** 24]),
    graphTokens: numbers("graph-tokens", [2 ** 20])[0],
    readTokens: numbers("read", [2 ** 18])[0],
    bankTokens: numbers("bank-tokens", [2 ** 18, 2 ** 22]),
  }, (line) => console.error(line));
  const page = [
    "# Large memories",
    "",
    `${
      describeMachine(`${start} at the start and ${machineLoad()} at the end`)
    }. Where the load exceeds 1, other work ran beside it: compare times within a size only.`,
    "",
    text,
    "",
  ].join("\n");
  console.log(page);
  if (args.flags.has("write")) {
    await Deno.mkdir("results/bench", { recursive: true });
    await Deno.writeTextFile("results/bench/large_memory.md", page);
    await Deno.writeTextFile("results/bench/large_memory.svg", figure);
  }
}
