/**
 * Time and recall of HnswIndex beside FlatIndex:   deno run -A tests/memory/index/index_bench.ts
 * Run by hand; prints a Markdown table in under a minute. Correctness first: a row without recall is no result.
 */
// deno-lint-ignore-file no-console
import type { ChunkIndex } from "../../../src/memory/index/chunk_index.ts";
import { FlatIndex } from "../../../src/memory/index/flat_index.ts";
import { createHnswIndex } from "../../../src/memory/index/hnsw_index.ts";
import { recallAt } from "./recall.ts";
import { Random } from "../../../src/random.ts";
import { keySource, ringSlots } from "./keys.ts";

const D = 64, n = 16, R = 128;

function microsecondsPer(count: number, act: () => void): number {
  const start = performance.now();
  act();
  return (performance.now() - start) * 1000 / count;
}

/** Model of the first processor, where the system tells it. */
function processor(): string {
  try {
    return Deno.readTextFileSync("/proc/cpuinfo").match(/model name\s*: (.*)/)?.[1] ?? "unknown";
  } catch {
    return "unknown processor";
  }
}

console.log(
  `${processor()}, ${navigator.hardwareConcurrency} cores in use by this and others (load ${
    Deno.loadavg()[0].toFixed(1)
  }), Deno ${Deno.version.deno}, D = ${D}, ${R} queries, one thread\n`,
);
console.log(`| chunks | keys | method | us per added chunk | us per query | recall@${n} |`);
console.log("|---|---|---|---|---|---|");

for (const chunks of [1024, 16_384]) {
  for (const kind of ["gaussian", "clustered"] as const) {
    const draw = keySource(kind, D, new Random(`bench ${kind}`));
    const slots = ringSlots(0, chunks, chunks), keys = draw(chunks), queries = draw(R);
    const exact = new Int32Array(R * n);
    const row = (method: string, added: number, index: ChunkIndex, found: Int32Array) => {
      index.search(queries.subarray(0, 16 * D), n, found.subarray(0, 16 * n)); // warm up
      const each = microsecondsPer(R, () => index.search(queries, n, found));
      const recall = recallAt(n, found, exact).toFixed(3);
      console.log(
        `| ${chunks} | ${kind} | ${method} | ${added.toFixed(1)} | ${
          each.toFixed(0)
        } | ${recall} |`,
      );
    };

    const flat = new FlatIndex({ headDim: D, capacityChunks: chunks });
    row("flat", microsecondsPer(chunks, () => flat.add(slots, keys)), flat, exact);
    // What efSearch sets is no part of the graph, but an index is made with it: the graph is built for each.
    for (const efSearch of chunks > 4096 && kind === "gaussian" ? [128] : [32, 128, 512]) {
      using hnsw = await createHnswIndex({
        headDim: D,
        capacityChunks: chunks,
        efSearch,
        seed: 1,
      });
      const added = microsecondsPer(chunks, () => hnsw.add(slots, keys));
      row(`hnsw, efSearch ${efSearch}`, added, hnsw, new Int32Array(R * n));
    }
  }
}
