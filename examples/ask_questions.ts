// deno-lint-ignore-file no-console -- a program that prints
/**
 * Questions of one's own: the lines of `questions.jsonl` beside this file, each a text, a question about it, and the right answer or
 * answers to choose from, asked of a backbone alone and with a memory.
 *
 *     deno run --allow-read --allow-write --allow-env --allow-ffi --allow-sys examples/ask_questions.ts
 *
 * The texts are of the invented world of the shipped backbone. Nothing is trained: a SideNet that starts as a copy of its
 * blocks can read a memory already.
 */
import { fileURLToPath } from "node:url";
import { defineExperiment, runExperiment, type RunSummary } from "@longmem/lab";

const pathOf = (name: string) => fileURLToPath(new URL(name, import.meta.url));

const experiment = defineExperiment({
  name: "ask_questions",
  corpus: { kind: "chronicle", books: { train: 1, valid: 1, test: 1 } },
  tokenizer: { kind: "chronicle" },
  backbone: { kind: "checkpoint", path: pathOf("../data/chronicle/backbone") },
  sidenet: { memoryBlock: 2, initialization: { kind: "blocks", blocks: [0, 2] } },
  memory: { capacityTokens: 1024, chunkTokens: 4, retrievedTokens: 64 },
  evaluations: [{
    kind: "questions",
    path: pathOf("questions.jsonl"),
    prompt: "{question}",
    maxAnswerTokens: 1,
    models: ["backbone", "untrained-with-memory"],
    contextTokens: 64,
  }],
});

/** Asks the questions; records of each are in the samples of the run. */
export function askQuestions(results: string): Promise<RunSummary> {
  return runExperiment(experiment, { results, device: "cpu" });
}

if (import.meta.main) {
  const { run, metrics } = await askQuestions("results");
  for (const { model, name, value, n } of metrics) {
    console.log(`${model}: ${name} ${value.toFixed(2)}, n ${n}`);
  }
  console.log(`samples and summary: results/ask_questions/${run}`);
}
