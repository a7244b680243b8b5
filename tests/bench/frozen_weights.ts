/**
 * Perplexity of the chronicle's model with its frozen matrices in float32 and in float16, on the same unseen books:
 *
 *     deno run -A tests/bench/frozen_weights.ts [cpu|webgpu|wasm] [BOOKS]
 */
// deno-lint-ignore-file no-console -- a benchmark prints what it measured
import { loadLongMem } from "../../src/checkpoint/load.ts";
import type { FrozenType } from "../../src/backbone/shape.ts";
import type { DeviceKind } from "../../src/runtime/device.ts";
import { mean, pairedDifference } from "../../src/statistics/estimates.ts";
import { writeBook } from "../../src/text/chronicle/book.ts";
import { defaultChronicle } from "../../src/text/chronicle/config.ts";
import { repositoryPath } from "../testing.ts";

const [device = "cpu", count = "8"] = Deno.args;
const contextTokens = 128;
const books = Array.from({ length: Number(count) }, (_, i) => {
  const { tokens } = writeBook(defaultChronicle, 5000 + i);
  return Int32Array.from(tokens);
});

/** Nats a token of each book. */
async function lossesOf(network: "backbone" | "longmem", frozenWeights: FrozenType) {
  await using model = await loadLongMem({
    backbone: repositoryPath("data/chronicle/backbone"),
    sidenet: repositoryPath("data/chronicle/sidenet"),
    memory: { capacityTokens: 4096, chunkTokens: 4, retrievedTokens: 64 },
    device: device as DeviceKind,
    frozenWeights,
  });
  const losses: number[] = [];
  for (const book of books) {
    await model.resetMemory();
    let nats = 0, targets = 0;
    for (let start = 0; start + contextTokens < book.length; start += contextTokens) {
      const end = start + contextTokens;
      const scores = await model.score(
        book.subarray(start, end),
        book.subarray(start + 1, end + 1),
        { network },
      );
      nats += scores.reduce((sum, score) => sum + score, 0);
      targets += scores.length;
    }
    losses.push(nats / targets);
  }
  return losses;
}

console.log("| network | perplexity, float32 | perplexity, float16 | difference, nats a token |");
console.log("|---|---:|---:|---:|");
for (const network of ["backbone", "longmem"] as const) {
  const whole = await lossesOf(network, "float32"), half = await lossesOf(network, "float16");
  const { value, stderr } = pairedDifference(half, whole);
  const perplexities = [whole, half].map((losses) => Math.exp(mean(losses).value).toFixed(5));
  const difference = `${value.toExponential(1)} +- ${stderr?.toExponential(1) ?? "unknown"}`;
  console.log(`| ${[network, ...perplexities, difference].join(" | ")} |`);
}
