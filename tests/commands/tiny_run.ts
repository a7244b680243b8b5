import { writeSafetensors } from "../../src/formats/safetensors.ts";
import { initializeBackbone } from "../../src/backbone/initialization.ts";
import { resolvedExperiment } from "../experiment/resolved.ts";
import { initializeSideNet } from "../../src/longmem/initialization.ts";
import type { TensorMap } from "../../src/tensor.ts";
import { trainByteLevelBpe } from "../../src/text/bpe_trainer.ts";
import { formatTokenizerJson } from "../../src/text/tokenizer_json.ts";
import { sizesOf } from "../../src/training/pretraining.ts";
import { assert } from "../testing.ts";
import type { BackboneCheckpoint } from "../../src/backbone/shape.ts";

/** Text of which the tiny tokenizer is made. */
export const tinyText = "The cat sat on the mat, and the hat of the cat was flat. ".repeat(40);

const vocabSize = 280;
const training = { batchSize: 1, contextTokens: 32, steps: 1, learningRate: 1e-3 };

/**
 * Writes the folder of a run that has finished, with random weights, as the runner leaves it.
 *
 * @param architecture Of the backbone that the run has trained; absent: the paper's.
 */
export async function writeTinyRun(folder: string, architecture?: string): Promise<void> {
  const experiment = resolvedExperiment({
    name: "tiny",
    corpus: { folder: "nowhere", train: "train", valid: "valid", test: "test" },
    tokenizer: { kind: "bpe", vocabSize },
    backbone: {
      kind: "pretrain",
      ...(architecture === undefined ? {} : { architecture }),
      layers: 4,
      hiddenDim: 16,
      heads: 2,
      training,
    },
    sidenet: { memoryBlock: 3 },
    memory: { capacityTokens: 256, chunkTokens: 4, retrievedTokens: 16 },
    adaptation: training,
    evaluations: [],
  });
  assert.ok(experiment.backbone.kind === "pretrain");
  const shape = { ...sizesOf(experiment.backbone), vocabSize };
  const backbone: BackboneCheckpoint = { shape, weights: initializeBackbone(shape, 5) };
  scale(backbone.weights, 8); // so that tokens differ in probability
  const sideNetShape = { layers: 2, reductionFactor: 2, memoryBlock: 3 };
  const sideNet = initializeSideNet(sideNetShape, backbone, { kind: "paper" }, 6);
  scale(sideNet, 1.5); // another SideNet than an untrained one
  await Deno.mkdir(`${folder}/checkpoint/backbone`, { recursive: true });
  await Deno.mkdir(`${folder}/checkpoint/longmem`);
  await Deno.writeTextFile(`${folder}/experiment.json`, JSON.stringify(experiment));
  await writeSafetensors(`${folder}/checkpoint/backbone/weights.safetensors`, backbone.weights);
  await writeSafetensors(`${folder}/checkpoint/longmem/weights.safetensors`, sideNet);
  await Deno.writeTextFile(
    `${folder}/tokenizer.json`,
    formatTokenizerJson(trainByteLevelBpe([tinyText], { vocabSize })),
  );
}

function scale(weights: TensorMap, factor: number): void {
  for (const { data } of weights.values()) for (let i = 0; i < data.length; i++) data[i] *= factor;
}
