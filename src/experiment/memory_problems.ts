/**
 * Sizes of a memory that do not fit each other, or what is written to it at once.
 */
import { lowestCapacityTokens } from "../memory/config.ts";
import type { MemoryConfig } from "./declaration.ts";
import { type Problem, wrong } from "../declaration/problem.ts";

/** Sizes that do not fit each other. */
export function memoryProblems(memory: MemoryConfig, path: string): Problem[] {
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
  if (index.kind === "hnsw" && index.efSearch < retrievedTokens / chunkTokens) {
    problems.push(wrong(
      `${path}.index.efSearch`,
      "must not be below the chunks retrieved",
      index.efSearch,
      `integers from ${Math.ceil(retrievedTokens / chunkTokens)}`,
    ));
  }
  return problems;
}

/** Whether a bank can take what one batch writes (specification section 6). */
export function updateProblems(
  memory: MemoryConfig,
  batch: { readonly batchSize: number; readonly contextTokens: number },
  path: string,
): Problem[] {
  const { capacityTokens, chunkTokens, bank, eviction, reset } = memory;
  const rows = bank === "shared" ? batch.batchSize : 1;
  const problems: Problem[] = [];
  if (rows > 1 && reset === "document") {
    problems.push(wrong(
      `${path}.reset`,
      `must be "epoch" where ${batch.batchSize} rows, whose documents begin at different times, ` +
        "share a bank",
      reset,
      "epoch",
    ));
  }
  const updateTokens = rows * batch.contextTokens;
  const lowest = lowestCapacityTokens(updateTokens, chunkTokens, eviction);
  if (capacityTokens < lowest) {
    const rule = eviction === "coarse"
      ? "must exceed two updates, as coarse eviction drops two at once"
      : "must hold one update";
    problems.push(wrong(
      `${path}.capacityTokens`,
      `${rule}, of ${updateTokens} tokens each`,
      capacityTokens,
      `integers from ${lowest}`,
    ));
  }
  return problems;
}
