/** The experiments on models of the Hub, each run with a small random model of the same architecture in its place. */
import { basename } from "node:path";
import type { Experiment } from "../../mod.ts";
import { readHuggingFaceShape } from "../../src/checkpoint/huggingface.ts";
import { loadExperiments } from "../../src/experiment/load_experiments.ts";
import { runExperiment } from "../../src/queue/run_experiment.ts";
import { trainByteLevelBpe } from "../../src/text/bpe_trainer.ts";
import { formatTokenizerJson } from "../../src/text/tokenizer_json.ts";
import { randomBackbone } from "../architectures/small_models.ts";
import { huggingFaceTensors, writeHuggingFace } from "../checkpoint/huggingface_folder.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, repositoryPath, test } from "../testing.ts";

const vocabSize = 290;
const llamaLike = {
  "num_hidden_layers": 2,
  "hidden_size": 16,
  "num_attention_heads": 2,
  "num_key_value_heads": 1,
  "intermediate_size": 16,
  "hidden_act": "silu",
  "rms_norm_eps": 1e-5,
};

/** `config.json` of a model as small as may be, by its architecture. */
const configs: Readonly<Record<string, Record<string, unknown>>> = {
  gpt2: { "n_layer": 2, "n_embd": 16, "n_head": 2, "n_positions": 256 },
  "gpt_neox": {
    "num_hidden_layers": 2,
    "hidden_size": 16,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "hidden_act": "gelu",
  },
  bloom: { "n_layer": 2, "hidden_size": 16, "n_head": 2 },
  opt: {
    "num_hidden_layers": 2,
    "hidden_size": 16,
    "num_attention_heads": 2,
    "ffn_dim": 16,
    "max_position_embeddings": 256,
  },
  llama: llamaLike,
  qwen3: llamaLike,
  olmo2: llamaLike,
};

/** Short novels of two chapters, by authors whom the experiments name, and two sets of sentences. */
async function writeData(folder: string): Promise<string> {
  const write = async (path: string, text: string) => {
    await Deno.mkdir(`${folder}/${path}`.replace(/\/[^/]*$/, ""), { recursive: true });
    await Deno.writeTextFile(`${folder}/${path}`, text);
  };
  const chapter = (number: number, name: string) =>
    `Chapter ${number}\n\n${`${name} went to the harbour in chapter ${number}. `.repeat(20)}\n\n`;
  const book = (name: string) =>
    Array.from({ length: 10 }, (_, i) => chapter(i + 1, name)).join("");
  for (const path of ["train/A", "train/B", "valid/C", "test/Chesterton_D", "test/Stevenson_E"]) {
    await write(`novels/${path}.txt`, book(path.at(-1)!));
  }
  const rows = (count: number, line: (i: number) => string) =>
    Array.from({ length: count }, (_, i) => line(i)).join("");
  for (const [split, count] of [["train", 24], ["dev", 6]] as const) {
    const lines = rows(count, (i) => `a film ${i}\t${i % 2}\n`);
    await write(`icl/SST-2/${split}.tsv`, `sentence\tlabel\n${lines}`);
  }
  for (const [split, count] of [["train", 24], ["test", 6]] as const) {
    await write(`icl/subj/${split}.csv`, rows(count, (i) => `${i % 2},a film ${i}\n`));
  }
  return book("F");
}

/** The same question at a size that a test affords. */
function small(experiment: Experiment, folder: string, path: string): Experiment {
  const { moved: _, ...rest } = experiment;
  const contextTokens = 32;
  return {
    ...rest,
    corpus: { ...experiment.corpus, folder: `${folder}/novels` } as Experiment["corpus"],
    backbone: { kind: "huggingface", path },
    sidenet: { memoryBlock: 1 },
    memory: { capacityTokens: 256, chunkTokens: 4, retrievedTokens: 8 },
    adaptation: { ...experiment.adaptation!, contextTokens, steps: 2, warmupSteps: 0 },
    evaluations: experiment.evaluations.map((evaluation) => {
      switch (evaluation.kind) {
        case "perplexity":
          return { ...evaluation, contextTokens, maxDocuments: 1 };
        case "chapter-break":
          return {
            ...evaluation,
            contextTokens,
            prefixTokens: [32, 64],
            suffixTokens: 8,
            maxItems: 2,
          };
        case "in-context-learning":
          return {
            ...evaluation,
            contextTokens: 256,
            maxItems: 2,
            source: { ...evaluation.source, folder: `${folder}/icl`, memoryDemonstrations: 4 },
          } as typeof evaluation;
        case "needle":
          return { ...evaluation, contextTokens, distances: [40, 80], instances: 2 };
        default:
          return evaluation;
      }
    }),
  };
}

for (const { experiment, file } of await loadExperiments([repositoryPath("experiments/models")])) {
  const { backbone } = experiment;
  if (backbone.kind !== "huggingface") {
    throw new TypeError(`${file} is not about a model of the Hub`);
  }
  const architecture = backbone.shape!.architecture!;
  test(`${basename(file)} adapts and evaluates a small ${architecture}`, () =>
    withFolder(async (folder) => {
      const text = await writeData(folder);
      const path = `${folder}/model`;
      const config = {
        "model_type": architecture,
        "vocab_size": vocabSize + 6, // padded, as those of Pythia and Qwen are
        ...configs[architecture],
      };
      await Deno.mkdir(path);
      await Deno.writeTextFile(`${path}/config.json`, JSON.stringify(config));
      const model = randomBackbone(await readHuggingFaceShape(path));
      await writeHuggingFace(path, config, huggingFaceTensors(model));
      const tokenizer = formatTokenizerJson(trainByteLevelBpe([text], { vocabSize }));
      await Deno.writeTextFile(`${path}/tokenizer.json`, tokenizer);
      await Deno.writeTextFile(
        `${path}/tokenizer_config.json`,
        JSON.stringify({ "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>" }),
      );
      const { state, metrics } = await runExperiment(small(experiment, folder, path), {
        results: `${folder}/results`,
        device: "cpu",
      });
      assert.equal(state, "completed");
      const of = (evaluation: string, measure: string, model: string) =>
        metrics.find((metric) =>
          metric.evaluation.startsWith(evaluation) && metric.measure === measure &&
          metric.over === undefined &&
          metric.model === model
        )?.value ?? assert.fail(`${evaluation}: ${model} has no ${measure}`);
      for (const model of ["backbone", "longmem", "longmem-memory-off"]) {
        of("chapter-break", "accuracy", model);
        of("in-context-learning", "accuracy", model);
        of("needle", "accuracy", model);
      }
      const perplexity = ["backbone", "longmem", "longmem-memory-off"].map((model) =>
        of("perplexity", "perplexity", model)
      );
      assert.equal(new Set(perplexity).size, 3, `${perplexity}: adapted, and its memory is read`);
    }));
}
