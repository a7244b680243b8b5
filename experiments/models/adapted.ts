/**
 * What the experiments of this folder have in common: a model of the Hub, frozen, and a SideNet that learns on novels to read a
 * memory of 16,384 tokens, at a size that one GPU runs in an hour. `deno task data hf:OWNER/NAME` fetches a model; `--dry-run`
 * shows the command for each that is missing.
 */
import { defineExperiment, type Experiment, type HuggingFaceBackboneConfig } from "@longmem/lab";

/** What is compared: the model alone, with what it remembers, and with a memory that is left empty. */
const models = ["backbone", "longmem", "longmem-memory-off"] as const;

/**
 * The experiment with a model.
 *
 * @param name Name of the model in that of the experiment.
 * @param backbone `repo` and the sizes that its `config.json` has, so that costs are known before it is fetched.
 * @param memoryBlock Block that is cached: in proportion the paper's 17 of 0..23, and odd.
 */
export function adapted(
  name: string,
  backbone: Omit<HuggingFaceBackboneConfig, "kind">,
  memoryBlock: number,
): Experiment {
  return defineExperiment({
    name: `model_${name}`,
    question: `Does a long memory help ${backbone.repo}?`,
    corpus: {
      folder: "data/novels",
      train: "train",
      valid: "valid",
      test: ["test/Chesterton*", "test/Stevenson*"],
      unwrap: true,
    },
    // They were declared with these, and keep the names of their runs.
    moved: { "data/novels": "../shared/data/novels", "data/icl": "../shared/data/icl" },
    tokenizer: { kind: "huggingface" },
    backbone: { kind: "huggingface", ...backbone },
    sidenet: { memoryBlock },
    memory: { capacityTokens: 16_384, chunkTokens: 4, retrievedTokens: 64 },
    adaptation: {
      batchSize: 1, // so that the logits of 250,000 tokens fit into a GPU's buffers
      accumulationSteps: 4,
      contextTokens: 512,
      steps: 300, // 0.6 M tokens
      learningRate: 3e-4,
      warmupSteps: 30,
      clipNorm: 1,
      dropout: 0,
      checkpointEverySteps: 100,
    },
    evaluations: [
      { kind: "perplexity", split: "test", batchSize: 1, maxDocuments: 3, models },
      { kind: "chapter-break", prefixTokens: [512, 8192], maxItems: 40, batchSize: 2, models },
      {
        kind: "in-context-learning",
        source: {
          kind: "sentences",
          folder: "data/icl",
          tasks: ["sst-2", "subj"],
          memoryDemonstrations: 200,
        },
        shots: 4,
        maxItems: 100,
        batchSize: 4,
        models,
      },
      {
        kind: "needle",
        distances: [256, 1024, 4096, 8192],
        instances: 24,
        batchSize: 2,
        models,
      },
    ],
  });
}
