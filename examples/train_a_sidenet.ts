// deno-lint-ignore-file no-console -- a program that prints
/**
 * Trains a SideNet in 20 lines: a frozen backbone, a memory of 1,024 tokens, 40 steps on a few books of the chronicle, and the
 * recall of facts of an unseen one. Seconds on a CPU; `experiments/quickstart.ts` is the same at full size.
 *
 *     deno run --allow-read --allow-write --allow-env --allow-ffi --allow-sys examples/train_a_sidenet.ts
 *
 * Everything is recorded in `results/train_a_sidenet/`; run again, it finds the run finished and prints its numbers.
 */
import { fileURLToPath } from "node:url";
import { defineExperiment, runExperiment, type RunSummary } from "@longmem/lab";

/** Trains and evaluates; records the run in the folder `results`. */
export async function trainASideNet(results: string): Promise<RunSummary> {
  const experiment = defineExperiment({
    name: "train_a_sidenet",
    corpus: { kind: "chronicle", books: { train: 30, valid: 1, test: 1 } },
    tokenizer: { kind: "chronicle" },
    backbone: {
      kind: "checkpoint",
      path: fileURLToPath(new URL("../data/chronicle/backbone", import.meta.url)),
    },
    sidenet: { memoryBlock: 2, initialization: { kind: "blocks", blocks: [0, 2] } },
    memory: { capacityTokens: 1024, chunkTokens: 4, retrievedTokens: 64 },
    adaptation: { batchSize: 4, contextTokens: 128, steps: 40, learningRate: 2e-3 },
    evaluations: [{
      kind: "recall",
      split: "test",
      models: ["backbone", "untrained-with-memory", "longmem"],
    }],
  });
  const write = (text: string) => console.error(text.trimEnd());
  return await runExperiment(experiment, { results, device: "cpu", write });
}

if (import.meta.main) {
  const { run, metrics } = await trainASideNet("results");
  const shown = metrics.filter(({ name }) => ["recall all far", "perplexity"].includes(name));
  for (const { model, name, value } of shown) console.log(`${model}: ${name} ${value.toFixed(3)}`);
  console.log(`record: results/train_a_sidenet/${run}`);
}
