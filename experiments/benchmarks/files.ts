/**
 * Long-context benchmarks in their published files, asked of a small Llama as it is and with a memory that needs no training.
 * `--dry-run` lists the files that are missing, and where they are published.
 */
import { defineExperiment } from "@longmem/lab";
import smollm2 from "../models/smollm2_135m.ts";

const models = ["backbone", "untrained-with-memory", "infllm"] as const;
const shared = { kind: "benchmark", contextTokens: 2048, maxItems: 50, models } as const;

export default defineExperiment({
  name: "benchmarks_files",
  question: "Does a memory without training help SmolLM2-135M with long-context benchmarks?",
  corpus: { kind: "none" },
  tokenizer: { kind: "huggingface" },
  backbone: smollm2.backbone,
  sidenet: smollm2.sidenet,
  memory: { capacityTokens: 32_768, chunkTokens: 4, retrievedTokens: 64 },
  evaluations: [
    // Short answers: a summary of 512 tokens takes 512 passes over the window.
    {
      ...shared,
      format: "longbench",
      path: "data/longbench",
      maxAnswerTokens: 32,
      stop: "line",
    },
    { ...shared, format: "longbench-v2", path: "data/longbench_v2/data.json" },
    {
      ...shared,
      format: "nolima",
      path: "data/nolima/needlesets/needle_set.json",
      haystack: "data/nolima/haystack/rand_shuffle",
      lengths: [1000, 4000, 16_000],
      maxAnswerTokens: 16,
    },
    { ...shared, format: "helmet", path: "data/helmet/recall" },
    {
      ...shared,
      format: "longmemeval",
      path: "data/longmemeval/longmemeval_oracle.json",
      maxAnswerTokens: 32,
      stop: "line",
    },
  ],
});
