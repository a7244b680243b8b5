/**
 * What the types of a memory cost the chronicle's model: bytes, far facts and perplexity on the same unseen books:
 *
 *     deno run -A tests/bench/memory_storage.ts [BOOKS] [CHUNK_TOKENS]
 */
// deno-lint-ignore-file no-console -- a benchmark prints what it measured
import { loadLongMem } from "../../src/checkpoint/load.ts";
import type { MemoryConfig } from "../../src/memory/config.ts";
import { vectorTableBytes } from "../../src/memory/vector_table.ts";
import { mean, pairedDifference } from "../../src/statistics/estimates.ts";
import { writeBook } from "../../src/text/chronicle/book.ts";
import { defaultChronicle } from "../../src/text/chronicle/config.ts";
import { isFar } from "../../src/text/chronicle/recall.ts";
import { repositoryPath } from "../testing.ts";

const [count = "8", chunk = "4"] = Deno.args;
const contextTokens = 128, chunkTokens = Number(chunk), headDim = 32;
const books = Array.from(
  { length: Number(count) },
  (_, i) => writeBook(defaultChronicle, 5000 + i),
);

/** Nats a token of each book, and which far facts of all books are right. */
async function read(storage: MemoryConfig["storage"]) {
  await using model = await loadLongMem({
    backbone: repositoryPath("data/chronicle/backbone"),
    sidenet: repositoryPath("data/chronicle/sidenet"),
    memory: { capacityTokens: 4096, chunkTokens, retrievedTokens: 64, storage },
    device: "cpu",
  });
  const losses: number[] = [], facts: number[] = [];
  for (const { tokens, recalls } of books) {
    await model.resetMemory();
    const choices: number[] = [];
    let nats = 0;
    for (let start = 0; start + contextTokens < tokens.length; start += contextTokens) {
      const from = (first: number) =>
        Int32Array.from(tokens.subarray(first, first + contextTokens));
      const segment = await model.choose(from(start), from(start + 1));
      nats += segment.nll.reduce((sum, loss) => sum + loss, 0);
      choices.push(...segment.choices);
    }
    losses.push(nats / choices.length);
    for (const recall of recalls) {
      if (recall.position > choices.length || !isFar(recall, contextTokens)) continue;
      facts.push(Number(choices[recall.position - 1] === recall.answer));
    }
  }
  return { losses, facts };
}

console.log("| storage | bytes a token and head | far facts | perplexity | nats a token more |");
console.log("|---|---:|---:|---:|---:|");
let whole: number[] | undefined;
for (const storage of ["float32", "float16", "int8"] as const) {
  const { losses, facts } = await read(storage);
  whole ??= losses;
  const { value, stderr } = pairedDifference(losses, whole);
  const bytes = 2 * vectorTableBytes(storage, { rows: 1, vectors: 1, size: headDim }) +
    4 * (headDim + 1) / chunkTokens;
  const right = `${mean(facts).value.toFixed(4)} of ${facts.length}`;
  const more = `${value.toExponential(1)} +- ${stderr?.toExponential(1) ?? "unknown"}`;
  console.log(
    `| ${[storage, bytes, right, Math.exp(mean(losses).value).toFixed(4), more].join(" | ")} |`,
  );
}
